"""What Planhat makes of the fields it was sent."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_door import NOW, documented

from planhat_async.sandbox import shapes
from planhat_async.sandbox.fields import NOTES, TASKS, TICKETS


@pytest.mark.parametrize(
    ("description", "snippet"),
    [
        ("<p>Call the client.</p>", "Call the client."),
        ("<p>Book a thing</p><p>Was it fun?</p>", "Book a thing\n\nWas it fun?"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<!-- hidden --><b class='x'>bold</b> &amp; <i>thin</i>", "bold & thin"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
        (None, ""),
        (["<p>"], ""),
    ],
)
def test_a_snippet_is_the_text_of_a_description(description: object, snippet: str) -> None:
    """Tags go, text stays, paragraphs stay apart; what is no text has none."""
    assert shapes.plain_text(description) == snippet


def test_hostile_markup_costs_no_more_than_its_length() -> None:
    """Opening brackets without end are read in one go."""
    started = time.process_time()
    assert shapes.plain_text("<a" * 50_000) == "<a" * 50_000
    assert time.process_time() - started < 0.5


@given(st.text())
def test_text_without_brackets_or_entities_is_kept(text: str) -> None:
    """Only markup is taken away, and white space at the ends."""
    plain = text.replace("<", "").replace("&", "")
    assert shapes.plain_text(plain) == plain.strip()


def test_a_ticket_gets_the_names_of_a_conversation() -> None:
    """`sourceId`, `title`, `description` and `type` come back as `externalId`, `subject`, `snippet` and `subType`."""
    sent = {"sourceId": "7", "title": "T", "description": "<b>D</b>", "type": "problem"}
    assert shapes.derived(TICKETS, sent) == {
        "externalId": "7",
        "subject": "T",
        "snippet": "D",
        "type": "ticket",
        "subType": "problem",
    }
    assert shapes.derived(TICKETS, {"type": None}) == {"type": "ticket", "subType": "ticket"}


def test_a_tickets_times_are_those_of_its_history() -> None:
    """The first entry created it, the last one changed it; entries without a time are passed over."""
    ticket = documented("ticket-list.response")[1]
    history = ["nonsense", {"status": "New"}, *ticket["history"], {"status": "Closed", "time": "later"}]
    assert shapes.derived(TICKETS, {"history": history}) == {
        "createDate": "2020-09-08T14:17:04.152Z",
        "updateDate": "2021-04-09T13:03:03.578Z",
        "date": "2021-04-09T13:03:03.578Z",
        "inDate": "2021-04-09T13:03:03.578Z",
        "days": 18726,
        "timeBucket": ["2021", "2021-Q2", "2021-4", "2021-W15"],
    }


@pytest.mark.parametrize("history", [None, [], "open", [7], [{"time": 7}], {"time": "2021-01-01"}])
def test_a_history_without_times_changes_none(history: object) -> None:
    """What cannot be read as a history leaves the ticket's times alone."""
    assert shapes.derived(TICKETS, {"history": history}) == {}


def test_a_note_knows_its_users_and_whether_its_type_is_custom() -> None:
    """The ids of `users` are repeated in `userIds`; a type that is none of Planhat's own is a custom one."""
    users: list[Any] = [{"id": "a", "name": "A"}, {"name": "B"}, "nonsense"]
    assert shapes.derived(NOTES, {"users": users, "type": "visit"}) == {"userIds": ["a"], "isCustomType": True}
    assert shapes.derived(NOTES, {"users": "nonsense", "type": "note"}) == {"userIds": [], "isCustomType": False}


def test_a_change_leaves_a_time_where_the_model_keeps_one() -> None:
    """Tasks and tickets say when they were changed, notes do not."""
    written = "2022-07-05T10:02:16.500Z"
    assert [shapes.touched(model, NOW) for model in (TASKS, TICKETS, NOTES)] == [
        {"updatedAt": written},
        {"updateDate": written},
        {},
    ]


def test_the_answer_to_a_new_note_joins_its_texts() -> None:
    """`note` is the subject and the snippet, or whichever there is."""
    joined = [
        shapes.create_answer(NOTES, record, None)["note"]
        for record in ({"subject": "S", "snippet": "D"}, {"subject": "S"}, {"snippet": "D"}, {"subject": 7})
    ]
    assert joined == ["S: D", "S", "D", ""]
