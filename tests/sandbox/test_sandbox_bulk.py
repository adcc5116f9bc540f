"""Test the outcome of each row of a bulk upsert."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_door import TENET, Answer, Door

from planhat_async.sandbox import Choices

_NOTHING: dict[str, Any] = {
    "created": 0,
    "createdErrors": [],
    "insertsKeys": [],
    "updated": 0,
    "updatedErrors": [],
    "updatesKeys": [],
    "nonupdates": 0,
    "modified": [],
    "upsertedIds": [],
    "permissionErrors": [],
}


def _ticket(source_id: str, **fields: Any) -> dict[str, Any]:
    return {"sourceId": source_id, "email": "a@b.c", "companyId": TENET.company_id, **fields}


def test_an_empty_body_changes_nothing() -> None:
    """An array without rows is valid."""
    assert Door()("PUT", "tasks", []) == Answer(200, _NOTHING)
    assert Door()("PUT", "tickets", []) == Answer(200, {"created": 0, "updated": 0})


def test_tasks_are_matched_by_id_then_by_source_id() -> None:
    """A matching row changes its record or leaves it unchanged; any other row creates a record."""
    planhat = Door()
    by_id, by_source_id, unchanged = (planhat.add("tasks", sourceId=name, action="old") for name in "abc")
    answer = planhat(
        "PUT",
        "tasks",
        [
            {"_id": by_id, "action": "new"},
            {"sourceId": "b", "action": "new"},
            {"_id": unchanged, "sourceId": "c", "action": "old"},
            {"sourceId": "d", "companyId": "c"},
            {"companyId": "c"},
        ],
    )
    created, keyless = planhat.ids("tasks")[3:]
    assert answer == Answer(
        200,
        _NOTHING
        | {
            "created": 2,
            "insertsKeys": [{"_id": created, "sourceId": "d"}, {"_id": keyless}],
            "updated": 2,
            "updatesKeys": [{"_id": by_id, "sourceId": "a"}, {"_id": by_source_id, "sourceId": "b"}],
            "nonupdates": 1,
            "modified": [by_id, by_source_id],
            "upsertedIds": [created, keyless],
        },
    )


def test_a_row_with_an_unknown_id_is_matched_by_its_source_id() -> None:
    """No row is created under an `_id` of the caller: it matches by its `sourceId` or is refused."""
    planhat = Door()
    known = planhat.add("tasks", sourceId="a")
    answer = planhat("PUT", "tasks", [{"_id": "f" * 24, "sourceId": "a", "action": "new"}, {"_id": "e" * 24}])
    assert answer == Answer(
        206,
        _NOTHING
        | {
            "updated": 1,
            "updatedErrors": [{"_id": "e" * 24, "error": "_id: no such record"}],
            "updatesKeys": [{"_id": known, "sourceId": "a"}],
            "modified": [known],
        },
    )


def test_notes_are_matched_by_id_only() -> None:
    """A note's `externalId` and `sourceId` match no row, so a repeated `externalId` creates another note."""
    planhat = Door()
    known = planhat.add("notes", externalId="e", subject="old")
    answer = planhat(
        "PUT",
        "conversations",
        [{"_id": known, "subject": "new"}, {"externalId": "e", "type": "note", "companyId": "c"}],
    )
    created = planhat.ids("conversations")[1]
    assert answer.body == _NOTHING | {
        "created": 1,
        "insertsKeys": [{"_id": created, "externalId": "e"}],
        "updated": 1,
        "updatesKeys": [{"_id": known, "externalId": "e"}],
        "modified": [known],
        "upsertedIds": [created],
    }


def test_rows_are_applied_in_order() -> None:
    """Two rows that name one record by different keys are both applied; the second sees the change of the first."""
    planhat = Door()
    key = planhat.add("tasks", sourceId="a", custom={})
    answer = planhat("PUT", "tasks", [{"_id": key, "custom": {"x": 1}}, {"sourceId": "a", "custom": {"y": 2}}])
    assert answer.status == 200
    assert planhat("GET", f"tasks/{key}").body["custom"] == {"x": 1, "y": 2}


def test_valid_rows_are_stored_beside_refused_ones() -> None:
    """The answer is a 206 with the keys of refused rows, if they have any."""
    planhat = Door(TENET)
    known = planhat.add("tasks", sourceId="known")
    answer = planhat(
        "PUT",
        "tasks",
        [
            {"sourceId": "good", "companyId": TENET.company_id},
            {"sourceId": "a", "companyId": "unknown"},
            {"sourceId": "b"},
            {"companyId": "unknown"},
            {"sourceId": "known", "companyId": "unknown"},
            {"sourceId": 7},
            {"_id": known, "custom": "none"},
            "nonsense",
            None,
        ],
    )
    assert answer.status == 206
    assert (answer.body["created"], answer.body["updated"], answer.body["nonupdates"]) == (1, 0, 0)
    assert answer.body["createdErrors"] == [
        {"sourceId": "a", "error": "companyId: no such company"},
        {"sourceId": "b", "error": "companyId is required"},
        {"error": "companyId: no such company"},
        {"error": "sourceId: Not valid type"},
        {"error": "Not valid type"},
        {"error": "Not valid type"},
    ]
    assert answer.body["updatedErrors"] == [
        {"sourceId": "known", "error": "companyId: no such company"},
        {"_id": known, "error": "custom: Not valid type"},
    ]


def test_errors_may_name_the_field_instead() -> None:
    """With this choice, an error names no row."""
    planhat = Door(TENET, choices=Choices(errors_name_key=False))
    answer = planhat("PUT", "tasks", [{"sourceId": "a", "companyId": "unknown"}, "nonsense"])
    assert answer.status == 206
    assert answer.body["createdErrors"] == [
        {"el": "companyId", "error": "companyId: no such company"},
        {"el": "", "error": "Not valid type"},
    ]


def test_a_body_in_which_every_row_lacks_a_field_is_rejected() -> None:
    """The answer is a 400 with the same arrays; a row with another mistake makes it a 206."""
    error = {"error": "companyId is required"}
    assert Door()("PUT", "tasks", [{}, {}]) == Answer(400, _NOTHING | {"createdErrors": [error, error]})
    assert Door()("PUT", "tasks", [{}, 7]).status == 206


@pytest.mark.parametrize("applies_rest", [False, True])
def test_a_repeated_key_rejects_the_body(*, applies_rest: bool) -> None:
    """Every row with the key is blamed and not stored; a choice decides whether the others are stored."""
    planhat = Door(choices=Choices(rejected_body_applies_rest=applies_rest))
    known = planhat.add("tasks", sourceId="known")
    rows = [
        {"sourceId": "a", "companyId": "c"},
        {"sourceId": "b", "companyId": "c"},
        {"sourceId": "a", "companyId": "c"},
        {"_id": known, "action": "one"},
        {"_id": known, "action": "two"},
    ]
    answer = planhat("PUT", "tasks", rows)
    rest = planhat.ids("tasks")[1:]
    assert answer == Answer(
        400,
        _NOTHING
        | {
            "created": len(rest),
            "createdErrors": [{"sourceId": "a", "error": "sourceId duplicated"}] * 2,
            "updatedErrors": [{"_id": known, "error": "_id duplicated"}] * 2,
            "insertsKeys": [{"_id": record_id, "sourceId": "b"} for record_id in rest],
            "upsertedIds": rest,
        },
    )
    assert len(rest) == applies_rest
    assert "action" not in planhat("GET", f"tasks/{known}").body


def test_a_source_id_of_another_record_is_refused() -> None:
    """A row cannot give its record the key of another record."""
    planhat = Door()
    known = planhat.add("tasks", sourceId="a")
    planhat.add("tasks", sourceId="b")
    answer = planhat("PUT", "tasks", [{"_id": known, "sourceId": "b"}])
    assert answer == Answer(206, _NOTHING | {"updatedErrors": [{"_id": known, "error": "sourceId duplicated"}]})


def test_tickets_get_a_short_answer() -> None:
    """It has two counts, and a list of errors only if rows failed."""
    planhat = Door(TENET)
    assert planhat("PUT", "tickets", [_ticket("a"), _ticket("b")]) == Answer(200, {"created": 2, "updated": 0})
    known = planhat.ids("tickets")[0]
    rows = [_ticket("a", status="closed"), _ticket("c", companyId="unknown"), {"_id": known, "email": 7, "custom": []}]
    assert planhat("PUT", "tickets", rows) == Answer(
        206,
        {
            "created": 0,
            "updated": 1,
            "createdErrors": [{"sourceId": "c", "error": "companyId: no such company"}],
            "updatedErrors": [{"_id": known, "error": "custom: Not valid type"}],
        },
    )


@pytest.mark.parametrize(("counts", "n_updated"), [(False, 0), (True, 1)])
def test_counting_unchanged_tickets_is_a_choice(*, counts: bool, n_updated: int) -> None:
    """It is unknown whether `updated` counts unchanged rows."""
    planhat = Door(choices=Choices(tickets_count_unchanged=counts))
    planhat("PUT", "tickets", [_ticket("a")])
    planhat.now += 1.0
    assert planhat("PUT", "tickets", [_ticket("a")]) == Answer(200, {"created": 0, "updated": n_updated})


def test_a_ticket_without_email_is_dropped_silently() -> None:
    """A dropped new ticket is in no count and no error, and its key may occur again."""
    planhat = Door()
    dropped = [_ticket("a", email=email) for email in ("", None)]
    without = {"sourceId": "a", "companyId": "c"}
    assert planhat("PUT", "tickets", [*dropped, without, _ticket("a")]) == Answer(200, {"created": 1, "updated": 0})
    assert planhat("PUT", "tickets", [_ticket("b", email="")]) == Answer(200, {"created": 0, "updated": 0})


@pytest.mark.parametrize("key", ["_id", "sourceId"])
def test_a_row_that_names_a_ticket_needs_no_other_field(key: str) -> None:
    """It needs neither `email` nor a company; fields that are not sent stay unchanged, including the other key."""
    planhat = Door(TENET)
    planhat("PUT", "tickets", [_ticket("a", status="open", custom={"x": 1})])
    before = planhat("GET", "tickets").body[0]
    named = {"_id": before["_id"]} if key == "_id" else {"sourceId": "a"}
    planhat.now += 1.0
    row = {**named, "status": "closed", "custom": {"y": 2}}
    assert planhat("PUT", "tickets", [row]) == Answer(200, {"created": 0, "updated": 1})
    after = planhat("GET", "tickets").body[0]
    changed = {"status": "closed", "custom": {"x": 1, "y": 2}, "updateDate": "2022-07-05T10:02:17.500Z"}
    assert after == before | changed


def test_an_update_without_email_may_be_dropped_like_a_creation() -> None:
    """Planhat's behaviour is unknown: with this choice, a row without `email` does not change the ticket it matches."""
    planhat = Door(choices=Choices(tickets_need_email_to_update=True))
    planhat("PUT", "tickets", [_ticket("a", status="open")])
    known = planhat.ids("tickets")[0]
    rows = [{"sourceId": "a", "status": "closed"}, {"_id": known, "status": "closed"}]
    assert planhat("PUT", "tickets", rows) == Answer(200, {"created": 0, "updated": 0})
    assert planhat("GET", "tickets").body[0]["status"] == "open"
    assert planhat("PUT", "tickets", [_ticket("a", status="closed")]) == Answer(200, {"created": 0, "updated": 1})


def test_a_key_shared_by_two_rows_without_email_is_repeated() -> None:
    """This applies to a key of an existing ticket; other rows are dropped before their keys are examined."""
    planhat = Door()
    planhat("PUT", "tickets", [_ticket("a")])
    twice = planhat("PUT", "tickets", [{"sourceId": "a", "status": status} for status in ("open", "closed")])
    error = {"sourceId": "a", "error": "sourceId duplicated"}
    assert twice == Answer(400, {"created": 0, "updated": 0, "updatedErrors": [error, error]})
    assert planhat("PUT", "tickets", [{"sourceId": "b"}, _ticket("b")]) == Answer(200, {"created": 1, "updated": 0})


def test_a_row_that_names_a_task_or_a_note_needs_no_other_field() -> None:
    """Only a creation needs a company, a type, or `repeatDays`."""
    planhat = Door(TENET)
    task, note = planhat.add("tasks", sourceId="t"), planhat.add("notes", subject="old")
    rows = [{"sourceId": "t", "repeat": "custom"}, {"sourceId": "new", "repeat": "custom"}]
    answer = planhat("PUT", "tasks", rows)
    assert (answer.status, answer.body["updated"], answer.body["created"]) == (206, 1, 0)
    assert answer.body["createdErrors"] == [{"sourceId": "new", "error": "companyId is required"}]
    assert planhat("GET", f"tasks/{task}").body["repeat"] == "custom"
    assert planhat("PUT", f"tasks/{task}", {"repeat": "custom", "status": "Done"}).status == 200
    assert planhat("PUT", "conversations", [{"_id": note, "subject": "new"}]).body["updated"] == 1
    assert planhat("PUT", f"conversations/{note}", {"description": "new"}).status == 200


def test_an_error_may_be_plain_text() -> None:
    """With this choice, its text names no row."""
    planhat = Door(TENET, choices=Choices(errors_are_texts=True))
    answer = planhat("PUT", "tasks", [{"sourceId": "a", "companyId": "unknown"}])
    assert answer == Answer(206, _NOTHING | {"createdErrors": ["companyId: no such company"]})


def test_an_answer_may_omit_its_counts() -> None:
    """With this choice, only the lists contain the outcomes; the short answer of tickets does not change."""
    planhat = Door(choices=Choices(upserts_have_counts=False))
    known = planhat.add("tasks", sourceId="a")
    answer = planhat("PUT", "tasks", [{"sourceId": "a", "action": "new"}, {"companyId": "c"}])
    created = planhat.ids("tasks")[1]
    assert answer.body == {
        "createdErrors": [],
        "insertsKeys": [{"_id": created}],
        "updatedErrors": [],
        "updatesKeys": [{"_id": known, "sourceId": "a"}],
        "modified": [known],
        "upsertedIds": [created],
        "permissionErrors": [],
    }
    assert planhat("PUT", "tickets", [_ticket("a")]) == Answer(200, {"created": 1, "updated": 0})


def test_a_dropped_ticket_does_not_lack_a_field() -> None:
    """A body with a dropped ticket does not count as one in which every row lacks a required field."""
    answer = {"created": 0, "updated": 0, "createdErrors": [{"error": "sourceId is required"}]}
    assert Door()("PUT", "tickets", [{}, {"email": "a@b.c"}]) == Answer(206, answer)
    assert Door()("PUT", "tickets", [{"email": "a@b.c"}]) == Answer(400, answer)


def test_a_new_ticket_needs_a_source_id_and_a_company() -> None:
    """A row with `email` that matches no ticket and lacks one of them is refused with a message."""
    planhat = Door()
    rows = [{"email": "a@b.c", "companyId": "c"}, {"email": "a@b.c", "sourceId": "a"}, {"email": "a@b.c", "_id": "f"}]
    assert planhat("PUT", "tickets", rows) == Answer(
        206,
        {
            "created": 0,
            "updated": 0,
            "createdErrors": [
                {"error": "sourceId is required"},
                {"sourceId": "a", "error": "companyId is required"},
            ],
            "updatedErrors": [{"_id": "f", "error": "_id: no such record"}],
        },
    )


def test_a_notes_key_matches_no_ticket() -> None:
    """Tickets are matched among tickets only, although they are stored with notes."""
    planhat = Door()
    note = planhat.add("notes", externalId="a")
    rows = [_ticket("a"), {"_id": note, "email": "a@b.c", "sourceId": "b"}]
    assert planhat("PUT", "tickets", rows) == Answer(
        206, {"created": 1, "updated": 0, "updatedErrors": [{"_id": note, "error": "_id: no such record"}]}
    )


_ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "_id": st.sampled_from(["0" * 24, "1" * 24, "", 5]),
            "sourceId": st.sampled_from(["a", "b", "c", None]),
            "companyId": st.sampled_from(["c", TENET.company_id, None]),
            "action": st.sampled_from(["old", "new"]),
        },
    ),
    max_size=8,
)


@pytest.mark.slow
@given(_ROWS)
def test_every_row_of_an_itemised_answer_is_counted_once(rows: list[dict[str, Any]]) -> None:
    """Unless a key is repeated, counts and errors add up to the rows, and records to the created rows."""
    planhat = Door(TENET)
    planhat.add("tasks", _id="0" * 24, sourceId="a", action="old")
    status, body = (answer := planhat("PUT", "tasks", rows)).status, answer.body
    errors = body["createdErrors"] + body["updatedErrors"]
    n_counted = body["created"] + body["updated"] + body["nonupdates"] + len(errors)
    if any("duplicated" in error["error"] for error in errors) and status == 400:
        assert body["created"] == body["updated"] == body["nonupdates"] == 0
    else:
        assert n_counted == len(rows)
        assert (status == 200) == (errors == [])
    assert len(planhat.ids("tasks")) == 1 + body["created"] == 1 + len(body["insertsKeys"])
    assert body["updated"] == len(body["modified"])
