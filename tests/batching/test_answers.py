"""Test how the answer to an upsert decides the outcome of each row."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import bulk_answers, chunk_of, invalid, json_values, row, seeded

from planhat_async.batching.answers import Answer, tells_of_rows
from planhat_async.batching.attribution import AnswerKeys
from planhat_async.batching.chunk_outcome import ChunkOutcome
from planhat_async.batching.chunk_part import Isolation, Part
from planhat_async.batching.chunks import Row, Rows
from planhat_async.errors import PayloadTooLargeError, PlanhatError, ServerError, UnknownOutcomeError
from planhat_async.results import ChunkResult, Outcome, Problem

A, B, C = row(0, "a"), row(1, "b"), row(2, "c")
FULL = {"created": 0, "updated": 0, "nonupdates": 0}
TICKETS = AnswerKeys(names=("_id", "sourceId"), returned_as={"externalId": "sourceId"})
"""The keys of tickets: Planhat returns a `sourceId` as `externalId`."""


def read(
    status: int, answer: Any, rows: tuple[Row, ...] = (A, B, C), *, keys: AnswerKeys = TICKETS
) -> tuple[ChunkResult, Rows]:
    """Return the outcome after one answer, and the rows to send again."""
    outcome = ChunkOutcome(chunk_of(*rows))
    again = outcome.take_answer(Part(rows), Answer(status=status, body=answer, keys=keys))
    assert len(again) <= 1
    return outcome.result, again[0].rows if again else ()


def take(outcome: ChunkOutcome, part: Part, answer: Any, status: int = 200) -> list[Part]:
    """Apply an answer and return the parts still to be sent; settle the rows that no later answer covers."""
    parts = outcome.take_answer(part, Answer(status=status, body=answer, keys=TICKETS))
    outcome.pending = parts
    if not parts:
        outcome.conclude()
    return parts


def counted(result: ChunkResult) -> dict[str, int]:
    return {name: n_rows for name, n_rows in result.counts().items() if n_rows}


def rejected(position: int | None, key: str | None, reason: str) -> Problem:
    return Problem(outcome=Outcome.REJECTED, reason=reason, position=position, key=key)


@pytest.mark.parametrize(("name", "n_rows"), [("note", 1), ("task", 3), ("ticket", 1)])
def test_documented_answers_create_every_row(name: str, n_rows: int) -> None:
    """The examples of Planhat's documentation cover every row and list the new `_id`s, if there are any."""
    path = Path(__file__).parents[1] / "data" / f"{name}-bulk-upsert.response.json"
    answer = json.loads(path.read_text())
    result, again = read(200, answer, tuple(row(n) for n in range(n_rows)))
    assert (counted(result), result.problems, again) == ({"created": n_rows}, [], ())
    assert list(result.created_ids) == answer.get("upsertedIds", [])


@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FULL | {"created": 3}, {"created": 3}),
        (FULL | {"created": 1, "updated": 1, "nonupdates": 1}, {"created": 1, "updated": 1, "unchanged": 1}),
        (FULL | {"created": 2}, {"created": 2, "dropped": 1}),
        (FULL, {"dropped": 3}),
        ({"created": 1, "updated": 0}, {"created": 1, "unreported": 2}),
        ({"updated": 2}, {"updated": 2, "unreported": 1}),
        ({"created": 0, "updated": 0, "createdErrors": ["bad"]}, {"unreported": 2, "rejected": 1}),
        (FULL | {"created": 2, "permissionErrors": ["no"]}, {"created": 2, "rejected": 1}),
        (FULL | {"newErrors": [{"el": "x"}, "y"], "updated": 1}, {"updated": 1, "rejected": 2}),
        (FULL | {"createdErrors": "one text"}, {"rejected": 1, "dropped": 2}),
        (FULL | {"createdErrors": {"error": "one"}, "created": 2}, {"rejected": 1, "created": 2}),
        (FULL | {"createdErrors": [None, "", {}], "created": 3}, {"created": 3}),
        ({"modified": []}, {"unknown": 3}),
        ({}, {"unknown": 3}),
        ({"createdErrors": ["bad"]}, {"rejected": 1, "unknown": 2}),
        ([], {"unknown": 3}),
        (["created"], {"unknown": 3}),
        ("fine", {"unknown": 3}),
        (None, {"unknown": 3}),
        (7, {"unknown": 3}),
    ],
)
def test_an_answer_puts_each_row_into_one_outcome(status: int, answer: Any, expected: dict[str, int]) -> None:
    """The answer's counts and errors are used as given; every remaining row has an outcome too."""
    result, again = read(status, answer)
    assert (counted(result), again) == (expected, ())


ODD_COUNTS = [-1, "-1", "3 rows", "", None, 2.5, float("nan"), True, [3], {"n": 3}]


@pytest.mark.parametrize("told", ODD_COUNTS)
def test_an_invalid_count_is_ignored(told: Any) -> None:
    """A count must be a whole number; without one, a row that no list names is unknown, not dropped."""
    result, _ = read(200, FULL | {"created": told, "updated": 2})
    assert counted(result) == {"updated": 2, "unknown": 1}


@pytest.mark.parametrize("told", ["1", 1.0])
def test_a_whole_number_in_another_form_is_a_count(told: Any) -> None:
    """Text and floats that hold a whole number are accepted."""
    result, _ = read(200, FULL | {"created": told, "updated": 2})
    assert counted(result) == {"created": 1, "updated": 2}


MISSING = "missing"
NEW, CHANGED = {"_id": "1", "sourceId": "a"}, {"_id": "2", "sourceId": "b"}


@pytest.mark.parametrize("told", [MISSING, *ODD_COUNTS])
def test_the_list_replaces_a_missing_count(told: Any) -> None:
    """Every key of an answer is optional, the counts too: the rows that the lists name are stored."""
    counts = {} if told is MISSING else {"created": told, "updated": told}
    lists = {"insertsKeys": [NEW], "upsertedIds": ["1"], "updatesKeys": [CHANGED]}
    result, _ = read(200, {**counts, "nonupdates": 0, **lists}, (A, B))
    assert (counted(result), result.problems) == ({"created": 1, "updated": 1}, [])
    result, _ = read(200, {**counts, **lists}, (A, B, C))
    unknown = Problem(outcome=Outcome.UNKNOWN, reason="the answer has no counts", position=2, key="c")
    assert (counted(result), result.problems) == ({"created": 1, "updated": 1, "unknown": 1}, [unknown])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"upsertedIds": ["1", "2", "3"]}, {"created": 3}),
        ({"insertsKeys": [{"_id": "1"}, {"_id": "2"}, {"_id": "3"}]}, {"created": 3}),
        ({"insertsKeys": [{"_id": "1"}, {"_id": "2"}], "upsertedIds": ["2", "3"]}, {"created": 3}),
        ({"insertsKeys": [{"sourceId": "x"}], "upsertedIds": ["2"]}, {"created": 1, "unknown": 2}),
        ({"updated": 0, "nonupdates": 0, "upsertedIds": ["1", "2"]}, {"created": 2, "dropped": 1}),
        ({"created": 0, "updated": 0, "nonupdates": 0, "upsertedIds": ["1", "2", "3"]}, {"created": 3}),
        ({"upsertedIds": ["1", "2", "3", "4", 5]}, {"created": 3}),
        ({"upsertedIds": "123"}, {"unknown": 3}),
    ],
)
def test_rows_without_a_key_are_counted_by_the_lists_too(answer: Any, expected: dict[str, int]) -> None:
    """The length of the list counts; rows reported as dropped would be sent again and created twice."""
    result, _ = read(200, answer, (row(0), row(1), row(2)))
    assert counted(result) == expected


def test_a_list_of_changed_ids_counts_the_rows_that_it_names() -> None:
    """Planhat does not document whether the list counts, but a record named by the row's key exists."""
    rows = (Row(0, ("_id=1",), b"1"), Row(1, ("_id=2",), b"2"))
    assert counted(read(200, {"modified": ["1", "9"]}, rows)[0]) == {"updated": 1, "unknown": 1}


# Rows that lack a field required for creation.


def partial(position: int, key: str) -> Row:
    """Return a row that can only update: it names no company."""
    return Row(position, (f"sourceId={key}",), b"1", None, True)


LACKS = "not counted, and without a field that a new record needs: it is stored only if Planhat had it before"


@pytest.mark.parametrize(
    ("answer", "expected", "named"),
    [
        ({"created": 0, "updated": 3}, {"updated": 3}, []),
        ({"created": 0, "updated": 0}, {"unreported": 1, "unknown": 2}, [0, 2]),
        ({"created": 0, "updated": 1}, {"updated": 1, "unknown": 2}, [0, 2]),
        ({"created": 1, "updated": 1}, {"created": 1, "updated": 1, "unknown": 1}, [None]),
        ({"updated": 1, "updatesKeys": [{"sourceId": "a"}]}, {"updated": 1, "unreported": 1, "unknown": 1}, [2]),
        (FULL | {"nonupdates": 3}, {"unchanged": 3}, []),
    ],
)
def test_a_short_answer_does_not_store_rows_that_could_not_be_created(
    answer: Any, expected: dict[str, int], named: list[int | None]
) -> None:
    """As many of these rows are unknown as the answer leaves open, by name if that is all of them."""
    result, _ = read(200, answer, (partial(0, "a"), B, partial(2, "c")))
    assert counted(result) == expected
    assert [(problem.position, problem.reason) for problem in result.problems] == [(one, LACKS) for one in named]


def test_a_short_answer_does_not_store_rows_without_a_key() -> None:
    """Each row would have been created, but the answer counts one."""
    result, _ = read(200, {"created": 1, "updated": 0}, (row(0), row(1), row(2)))
    assert counted(result) == {"created": 1, "unknown": 2}


# Rows that are sent again after an answer that has stored them.


def blaming(*keys: str, **answer: Any) -> Any:
    """Return an answer that blames these rows: they may not be changed."""
    return {**answer, "permissionErrors": [{"sourceId": key, "error": "no permission to update"} for key in keys]}


INSERTS = [{"_id": "1", "sourceId": "b"}, {"_id": "2", "externalId": "c"}]


@pytest.mark.parametrize(
    "second",
    [
        blaming("b", "c"),
        {"permissionErrors": ["no permission to update"]},
        {"permissionErrors": ["no permission to update"] * 2},
        {"created": 0, "updated": 0},
        FULL,
        FULL | {"nonupdates": 2},
        FULL | {"updated": 2},
        FULL | {"nonupdates": 1, "permissionErrors": [{"sourceId": "c", "error": "no"}]},
        {},
        "no account",
    ],
)
@pytest.mark.parametrize("status", [200, 206, 400, 403])
@pytest.mark.parametrize("counts", [{}, {"created": 2, "updated": 0}, FULL | {"created": 2}])
def test_a_row_that_was_named_as_stored_stays_stored(counts: Any, status: int, second: Any) -> None:
    """With a token that may create but not update, the second answer refuses a row that the first created."""
    outcome = ChunkOutcome(chunk_of(A, B, C))
    (part,) = take(outcome, Part((A, B, C)), blaming("a", **counts, insertsKeys=INSERTS), 403)
    assert part.rows == (B, C)
    for again in take(outcome, part, second, status):
        assert take(outcome, again, second, status) == []
    assert (counted(outcome.result), outcome.result.problems) == (
        {"created": 2, "rejected": 1},
        [rejected(0, "a", "no permission to update")],
    )


@pytest.mark.parametrize("error", [UnknownOutcomeError("timed out"), ServerError("down", status=503)])
def test_a_row_that_was_named_as_stored_stays_stored_after_an_error(error: PlanhatError) -> None:
    """The second request may fail in any way, or never be sent."""
    for is_given_up in (False, True):
        outcome = ChunkOutcome(chunk_of(A, B, C))
        (part,) = take(outcome, Part((A, B, C)), blaming("a", updatesKeys=INSERTS[:1]), 403)
        if is_given_up:
            outcome.give_up()
        else:
            outcome.fail(part, error, Outcome.UNKNOWN)
        assert counted(outcome.result) == {"updated": 1, "rejected": 1, "unknown": 1}


def test_an_error_that_names_no_row_belongs_to_the_row_stored_before() -> None:
    """The answer counts the other row as created, and the token may not update."""
    outcome = ChunkOutcome(chunk_of(A, B, C))
    (part,) = take(outcome, Part((A, B, C)), blaming("a", insertsKeys=INSERTS[:1]), 403)
    take(outcome, part, FULL | {"created": 1, "permissionErrors": ["no permission to update"]}, 206)
    assert counted(outcome.result) == {"created": 2, "rejected": 1}


@pytest.mark.parametrize("first", [{}, {"created": 1}, FULL, FULL | {"created": 2}, {"upsertedIds": ["1"]}])
def test_a_row_that_a_refusal_may_have_stored_is_not_called_rejected(first: Any) -> None:
    """Planhat does not document what a refusal does to the rows that it does not blame."""
    outcome = ChunkOutcome(chunk_of(A, B, C))
    (part,) = take(outcome, Part((A, B, C)), blaming("a", **first), 403)
    take(outcome, part, blaming("b", "c"), 403)
    assert (counted(outcome.result), len(outcome.result.problems)) == ({"rejected": 1, "unknown": 2}, 3)


def test_a_row_that_one_answer_both_stores_and_refuses_is_unknown() -> None:
    """The answer contradicts itself."""
    result, _ = read(206, blaming("a", insertsKeys=[NEW], created=1, updated=0), (A,))
    assert (counted(result), result.problems[0].position) == ({"unknown": 1}, 0)


def test_a_row_that_a_half_blames_is_unknown_if_the_whole_may_have_stored_it() -> None:
    """The first answer counts four created rows, more than the halves find again, and each half refuses its row."""
    outcome = ChunkOutcome(chunk_of(A, B), isolation=Isolation(9))
    outcome.pending = take(outcome, Part((A, B)), FULL | {"created": 1, "permissionErrors": ["no"]}, 206)
    while outcome.pending:
        part = outcome.pending.pop()
        left = list(outcome.pending)
        outcome.pending = left + outcome.take_answer(part, Answer(status=206, body={"permissionErrors": ["no"]}))
    outcome.conclude()
    assert counted(outcome.result) == {"unknown": 2}


def test_a_row_that_a_half_blames_is_rejected_if_the_others_are_found_again() -> None:
    """The row was not among those that the first answer counts."""
    outcome = ChunkOutcome(chunk_of(A, B), isolation=Isolation(9))
    first, second = take(outcome, Part((A, B)), FULL | {"created": 1, "permissionErrors": ["no"]}, 206)
    outcome.pending = [second]
    outcome.take_answer(first, Answer(status=206, body={"createdErrors": ["no"]}))
    assert (counted(outcome.result), outcome.is_settled) == ({}, False)
    take(outcome, second, FULL | {"nonupdates": 1})
    assert counted(outcome.result) == {"created": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (FULL | {"createdErrors": ["no"]}, "rejected"),
        (FULL | {"created": 1, "permissionErrors": ["no"]}, "unknown"),
        ({"created": 0, "updated": 0, "createdErrors": ["no"]}, "unknown"),
        ({"createdErrors": ["no"]}, "unknown"),
    ],
)
def test_halves_of_a_refusal_are_rejected_if_it_counted_no_stored_row(first: Any, expected: str) -> None:
    """The refusal blames no row by name; without a count of zero, a row that a half blames may be stored."""
    outcome = ChunkOutcome(chunk_of(A, B), isolation=Isolation(9))
    outcome.pending = take(outcome, Part((A, B)), first, 400)
    while outcome.pending:
        part = outcome.pending.pop()
        left = list(outcome.pending)
        outcome.pending = left + outcome.take_answer(part, Answer(status=400, body={"createdErrors": ["no"]}))
    outcome.conclude()
    assert counted(outcome.result) == {expected: 2}


def test_ids_are_stored_under_the_name_of_the_key() -> None:
    """A note may have the external id that another record has as its source id."""
    keys = [{"_id": "1", "sourceId": "7"}, {"_id": "2", "externalId": "7"}]
    result, _ = read(200, FULL | {"created": 2, "insertsKeys": keys}, (row(0), row(1)), keys=AnswerKeys())
    assert (result.ids_by_source_id, result.ids_by_external_id) == ({"7": "1"}, {"7": "2"})


def row_with(position: int, **keys: str) -> Row:
    return Row(position, tuple(f"{name}={value}" for name, value in keys.items()), b"{}")


def test_a_key_names_only_the_row_that_has_it_under_that_name() -> None:
    """One of two companies may have the source id that the other has as its external id."""
    rows = (row_with(0, sourceId="1"), row_with(1, externalId="1"))
    refusal = {"createdErrors": [{"sourceId": "1", "error": "no"}], "insertsKeys": [{"_id": "b", "externalId": "1"}]}
    result, again = read(400, refusal, rows, keys=AnswerKeys())
    assert (counted(result), again) == ({"rejected": 1}, rows[1:])
    assert (result.ids_by_source_id, result.ids_by_external_id) == ({}, {"1": "b"})


def test_keys_may_have_any_name() -> None:
    """An invoice's external id is `extId`; a user is matched on `email`."""
    rows = (row_with(0, extId="1"), row_with(1, email="a@b.example"), row_with(2, sourceId="1"))
    keys = AnswerKeys(names=("_id", "extId", "email", "sourceId"), external_id="extId")
    errors = [{"extId": "1", "error": "one"}, {"email": "a@b.example", "error": "two"}]
    result, again = read(400, {"updatedErrors": errors, "updatesKeys": [{"_id": "c", "extId": "9"}]}, rows, keys=keys)
    assert [problem.reason for problem in result.problems] == ["one", "two"]
    assert (again, result.ids_by_external_id) == (rows[2:], {"9": "c"})


def test_counts_above_the_number_of_sent_rows_are_cut_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each row is counted once, however many the answer claims, and a warning is logged."""
    with caplog.at_level(logging.WARNING, logger="planhat_async"):
        result, _ = read(200, FULL | {"created": 2, "updated": 5})
    assert counted(result) == {"created": 2, "updated": 1}
    assert caplog.messages == ["chunk 0: answer counts 5 updated, 1 rows left"]


def test_counts_that_add_up_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A consistent answer logs nothing."""
    read(200, FULL | {"created": 3})
    assert caplog.messages == []


def test_more_errors_than_rows_reject_each_row_once() -> None:
    """Errors that name no row count at most as many rows as there are."""
    result, _ = read(206, FULL | {"createdErrors": ["one", "two", "three", "four"]})
    assert (counted(result), len(result.problems)) == ({"rejected": 3}, 3)


@pytest.mark.parametrize("name", ["_id", "sourceId", "externalId"])
def test_an_error_blames_the_row_whose_key_it_names(name: str) -> None:
    """The row is rejected with its position and key; the counts decide the other rows."""
    rows = (A, Row(position=1, keys=("other=o", f"{name}=b"), data=b"1"))
    answer = FULL | {"created": 1, "updatedErrors": [{name: "b", "error": "too long"}]}
    result, _ = read(206, answer, rows, keys=AnswerKeys())
    assert counted(result) == {"created": 1, "rejected": 1}
    assert result.problems == [rejected(1, "o", "too long")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"el": "externalId", "error": "Not valid type"}, "externalId: Not valid type"),
        ({"el": 7, "error": "Not valid type"}, "Not valid type"),
        ({"message": "no"}, "no"),
        ({"reason": "no"}, "no"),
        ({"error": 7, "message": "no"}, "no"),
        ("externalId,email duplicated", "externalId,email duplicated"),
        ({"sourceId": "zzz", "error": "no such row"}, "no such row"),
        ({"sourceId": 7, "error": "odd key"}, "odd key"),
        ({"sourceId": ["a"]}, "{'sourceId': ['a']}"),
        (["a", 1], "['a', 1]"),
        (7, "7"),
    ],
)
def test_an_error_that_names_no_row_keeps_its_message(error: Any, reason: str) -> None:
    """The error rejects one row without a key and keeps Planhat's message."""
    result, _ = read(206, FULL | {"created": 2, "createdErrors": [error]})
    assert (counted(result), result.problems) == ({"created": 2, "rejected": 1}, [rejected(None, None, reason)])


def test_a_row_that_is_blamed_twice_is_rejected_once() -> None:
    """The first error gives the reason."""
    errors = {
        "createdErrors": [{"sourceId": "b", "error": "first"}],
        "updatedErrors": [{"sourceId": "b", "error": "2"}],
    }
    result, _ = read(206, FULL | {"created": 2, **errors})
    assert (counted(result), result.problems) == ({"created": 2, "rejected": 1}, [rejected(1, "b", "first")])


def test_dropped_rows_are_named_if_the_answer_names_the_others() -> None:
    """The dropped rows are those whose keys are in no list of the answer."""
    keys = {"insertsKeys": [{"_id": "1", "sourceId": "a"}], "updatesKeys": [{"_id": "3", "sourceId": "c"}]}
    result, _ = read(200, {"created": 1, "updated": 1, "nonupdates": 0, **keys})
    assert result.problems == [Problem(outcome=Outcome.DROPPED, reason="the answer leaves it out", position=1, key="b")]


def test_dropped_rows_are_not_named_by_a_guess() -> None:
    """If no list names two rows and one is unchanged, either may be the dropped one."""
    result, _ = read(200, {"created": 1, "updated": 0, "nonupdates": 1, "insertsKeys": [{"_id": "1", "sourceId": "a"}]})
    nameless = Problem(outcome=Outcome.DROPPED, reason="the answer leaves it out")
    assert (counted(result), result.problems) == ({"created": 1, "unchanged": 1, "dropped": 1}, [nameless])


def test_generated_ids_are_kept_by_key() -> None:
    """Both lists provide `_id`s; an entry without a key or of an unknown form is skipped."""
    answer = FULL | {
        "created": 2,
        "updated": 1,
        "insertsKeys": [{"_id": "1", "sourceId": "a"}, {"_id": "2"}, "odd", {"sourceId": "b"}],
        "updatesKeys": [{"_id": "3", "externalId": "c"}, {"_id": 4, "sourceId": "d"}],
    }
    result, _ = read(200, answer)
    assert (result.created_ids, result.ids_by_source_id) == (("1", "2"), {"a": "1", "c": "3"})
    assert result.ids_by_external_id == {"c": "3"}


def test_upserted_ids_take_precedence_over_the_keys_of_inserts() -> None:
    """If the answer lists the created `_id`s, the result reports them."""
    result, _ = read(200, FULL | {"created": 3, "upsertedIds": ["1", 2, "3"], "insertsKeys": [{"_id": "9"}]})
    assert result.created_ids == ("1", "3")


def test_unknown_keys_of_an_answer_are_kept() -> None:
    """Everything except counts and lists of keys stays readable, under Planhat's names."""
    result, _ = read(200, FULL | {"created": 3, "newThing": {"x": 1}, "createdErrors": [], "modified": ["1"]})
    assert result.answer == {"newThing": {"x": 1}, "createdErrors": []}


@pytest.mark.parametrize("status", [400, 403])
def test_rows_that_a_refusal_does_not_blame_are_sent_again(status: int) -> None:
    """The blamed rows are rejected, the other keyed rows are returned, and no count is used."""
    result, again = read(status, FULL | {"created": 2, "createdErrors": [{"sourceId": "b", "error": "duplicated"}]})
    assert (again, counted(result)) == ((A, C), {"rejected": 1})
    assert result.problems == [rejected(1, "b", "duplicated")]


def test_a_refusal_that_blames_every_row_returns_no_rows() -> None:
    """No row is sent again."""
    errors = [{"sourceId": key, "error": "no"} for key in "abc"]
    result, again = read(400, {"createdErrors": errors})
    assert (again, counted(result)) == ((), {"rejected": 3})


@pytest.mark.parametrize("status", [400, 403])
def test_keyless_rows_are_unknown_after_a_refusal_that_blames_others(status: int) -> None:
    """Sending them again could create duplicates, so they are listed as unknown, by position."""
    result, again = read(status, {"createdErrors": [{"sourceId": "a", "error": "no"}]}, (A, row(1), row(2)))
    reason = f"answered {status}, which says nothing about this row"
    assert again == ()
    assert result.problems == [
        rejected(0, "a", "no"),
        *(Problem(outcome=Outcome.UNKNOWN, reason=reason, position=n) for n in (1, 2)),
    ]


def test_a_refusal_whose_errors_name_no_row_is_not_sent_again() -> None:
    """A repeat would fail the same way: one row per error is rejected, counts are used, the rest is unknown."""
    result, again = read(400, FULL | {"created": 1, "createdErrors": ["sourceId duplicated"]})
    assert (again, counted(result)) == ((), {"created": 1, "rejected": 1, "unknown": 1})


def test_a_chunk_is_sent_at_most_a_hundred_times() -> None:
    """A chunk is sent at most a hundred times to a server that blames one row at a time; the rest is unknown.

    Rows blamed after the first answer are unknown too: a refusal may have stored rows that it does not blame.
    """
    rows = tuple(row(n, str(n)) for n in range(150))
    outcome, parts, n_requests = ChunkOutcome(chunk_of(*rows)), [Part(rows)], 0
    while parts:
        n_requests += 1
        blames = {"createdErrors": [{"sourceId": parts[0].rows[0].key, "error": "no"}]}
        parts = take(outcome, parts[0], blames, 400)
    assert (n_requests, counted(outcome.result)) == (100, {"rejected": 1, "unknown": 149})


@pytest.mark.parametrize("was_sent", [True, False])
def test_abandoned_rows_are_unknown_only_if_they_were_sent(*, was_sent: bool) -> None:
    """Only the next of several parts can have been sent; giving up a second time changes nothing."""
    outcome = ChunkOutcome(chunk_of(A, B, C))
    outcome.pending = [Part((C,)), Part((A, B))]
    if was_sent:
        outcome.pending[-1].mark_sent()
    outcome.give_up()
    outcome.give_up()
    assert counted(outcome.result) == ({"unknown": 2, "unsent": 1} if was_sent else {"unsent": 3})
    assert outcome.result.not_stored[Outcome.UNSENT] == ((range(2, 3),) if was_sent else (range(3),))


@pytest.mark.parametrize(
    ("answer", "tells"),
    [
        (FULL | {"created": 1}, True),
        ({"updated": 2}, True),
        ({"newErrors": ["no"]}, True),
        ({"createdErrors": {"error": "no"}}, True),
        (FULL, False),
        (FULL | {"createdErrors": [], "permissionErrors": [None]}, False),
        ({"error": "not allowed"}, False),
        ("not allowed", False),
        (["no"], False),
        (None, False),
    ],
)
def test_an_answer_describes_rows_by_errors_or_counts(answer: Any, *, tells: bool) -> None:
    """Any other refusal concerns the request as a whole."""
    assert tells_of_rows(answer) is tells


def test_a_refusal_that_counts_created_rows_does_not_call_them_rejected() -> None:
    """A row that the answer counts as created must not be corrected and sent again."""
    result, _ = read(400, FULL | {"created": 3, "createdErrors": []})
    assert result.rejected == 0


def test_errors_of_all_parts_of_a_chunk_are_kept() -> None:
    """A chunk that took several requests keeps the errors of each answer."""
    outcome = ChunkOutcome(chunk_of(A, B))
    outcome.take_answer(Part((A,)), Answer(status=206, body=FULL | {"createdErrors": [{"el": "x", "error": "no"}]}))
    outcome.take_answer(Part((B,)), Answer(status=200, body=FULL | {"created": 1, "createdErrors": []}))
    assert outcome.result.answer["createdErrors"] == [{"el": "x", "error": "no"}]


def test_a_failure_puts_every_row_into_its_outcome() -> None:
    """The error is kept, and its message is each row's reason."""
    outcome = ChunkOutcome(chunk_of(A, B))
    error = UnknownOutcomeError("timed out")
    outcome.fail(Part((A, B)), error, Outcome.UNKNOWN)
    reason = "timed out"
    assert outcome.result.error is error
    assert outcome.result.problems == [
        Problem(outcome=Outcome.UNKNOWN, reason=reason, position=n, key=key) for n, key in enumerate("ab")
    ]


def test_the_outcome_begins_with_the_invalid_rows() -> None:
    """The outcome of a chunk covers its rows and the rows that were invalid before the chunk was cut."""
    result = ChunkOutcome(chunk_of(row(2, "c"), row(0, "a"), problems=(invalid(1), invalid(4)))).result
    assert (result.positions, counted(result)) == ((range(3), range(4, 5)), {"invalid": 2})
    assert result.not_stored == {Outcome.INVALID: (range(1, 2), range(4, 5))}


chunks = st.lists(st.lists(st.sampled_from("abcdef"), max_size=2, unique=True), max_size=6).map(
    lambda keys: tuple(row(3 * n, *names) for n, names in enumerate(keys))
)


@pytest.mark.slow
@seeded
@given(chunks, st.sampled_from([200, 206, 400, 403]), bulk_answers | json_values)
def test_rows_are_conserved_for_any_answer(rows: tuple[Row, ...], status: int, answer: Any) -> None:
    """Counted and returned rows add up to the sent rows, and every problem has exactly one outcome."""
    result, again = read(status, answer, rows)
    problems = [problem.position for problem in result.problems if problem.position is not None]
    named = problems + [one.position for one in again]
    assert result.rows + len(again) == len(rows)
    assert sorted(set(named)) == sorted(named)
    assert set(named) <= {one.position for one in rows}
    assert len(result.problems) == result.rows - result.stored


@pytest.mark.slow
@seeded
@given(chunks, st.sampled_from([400, 403]), bulk_answers | json_values)
def test_only_fewer_and_keyed_rows_are_sent_again(rows: tuple[Row, ...], status: int, answer: Any) -> None:
    """Every repeat has fewer rows than the request before, so repeats end; keyless rows are never repeated."""
    _, again = read(status, answer, rows)
    assert len(again) < len(rows) or not again
    assert all(one.keys for one in again)


@pytest.mark.slow
@seeded
@given(chunks, bulk_answers | json_values)
def test_an_error_covers_every_remaining_row(rows: tuple[Row, ...], answer: Any) -> None:
    """Rows that fail after others were answered join the same outcome."""
    outcome = ChunkOutcome(chunk_of(*rows))
    outcome.take_answer(Part(rows[:2]), Answer(status=206, body=answer))
    outcome.fail(Part(rows[2:]), ServerError("down", status=503), Outcome.UNKNOWN)
    assert outcome.result.rows == len(rows)


def test_rows_are_not_sent_one_by_one_after_many_that_are_too_large() -> None:
    """A server that accepts no row costs a few requests, not two for each row."""
    outcome = ChunkOutcome(chunk_of(A, B, C))
    outcome.pending = [Part((C,)), Part((B,))]
    for _ in range(9):
        outcome.take_error(Part(()), PayloadTooLargeError("too large", status=413))
    assert outcome.pending == [Part((C,)), Part((B,))]
    outcome.take_error(Part(()), PayloadTooLargeError("too large", status=413))
    assert outcome.pending == []
    assert counted(outcome.result) == {"unsent": 2}
    assert outcome.result.problems[0].reason == "not sent: 10 single rows of the chunk were too large"


def test_untried_rows_may_be_stored_after_many_that_are_too_large() -> None:
    """If an earlier request may have stored the rows, they are unknown, not unsent."""
    outcome = ChunkOutcome(chunk_of(A, B))
    outcome.pending = [Part((B,), may_be_stored=True)]
    outcome.n_too_large = 9
    outcome.take_error(Part(()), PayloadTooLargeError("too large", status=413))
    assert counted(outcome.result) == {"unknown": 1}


def halved() -> ChunkOutcome:
    """Return an outcome whose first answer counted rows and whose error names no row."""
    outcome = ChunkOutcome(chunk_of(A, B, C, row(3, "d")), isolation=Isolation(9))
    answer = FULL | {"created": 1, "updated": 1, "nonupdates": 1, "createdErrors": ["no"], "upsertedIds": ["1"]}
    outcome.pending = outcome.take_answer(Part(outcome.chunk.rows), Answer(status=206, body=answer))
    assert [part.rows for part in outcome.pending] == [(A, B), (C, row(3, "d"))]
    assert (counted(outcome.result), outcome.result.created_ids, outcome.result.isolation_calls) == ({}, ("1",), 2)
    return outcome


def test_rows_sent_again_keep_the_counts_of_the_first_answer() -> None:
    """The second answer calls them unchanged or omits them; the first counted them as created or updated."""
    outcome = halved()
    first, second = outcome.pending
    take(outcome, first, FULL | {"nonupdates": 2})
    third, fourth = take(outcome, second, FULL | {"nonupdates": 1, "createdErrors": ["no"]}, 206)
    take(outcome, third, {"created": 0, "updated": 0})
    take(outcome, fourth, FULL | {"createdErrors": ["no"]}, 206)
    assert counted(outcome.result) == {"created": 1, "updated": 1, "unreported": 1, "rejected": 1}


def test_rows_that_only_the_last_answer_created_are_created() -> None:
    """The counts of the first answer do not matter."""
    outcome = halved()
    first, second = outcome.pending
    take(outcome, first, FULL | {"created": 2})
    take(outcome, second, FULL | {"nonupdates": 2})
    assert counted(outcome.result) == {"created": 3, "updated": 1}


@pytest.mark.parametrize(("follows_unknown", "expected"), [(False, "rejected"), (True, "unknown")])
def test_a_row_that_may_be_stored_is_not_called_rejected(*, follows_unknown: bool, expected: str) -> None:
    """An earlier attempt without an answer may have stored the row that this one refuses."""
    outcome = ChunkOutcome(chunk_of(A))
    refusal = {"updatedErrors": [{"sourceId": "a", "error": "no"}]}
    assert outcome.take_answer(Part((A,)), Answer(status=400, body=refusal, follows_unknown=follows_unknown)) == []
    assert counted(outcome.result) == {expected: 1}


@pytest.mark.parametrize(("follows_unknown", "expected"), [(False, "dropped"), (True, "unknown")])
def test_a_row_that_may_be_stored_is_not_called_dropped(*, follows_unknown: bool, expected: str) -> None:
    """An earlier attempt may have stored the row that this answer omits."""
    outcome = ChunkOutcome(chunk_of(A, B))
    answer = FULL | {"updated": 1}
    assert outcome.take_answer(Part((A, B)), Answer(status=200, body=answer, follows_unknown=follows_unknown)) == []
    assert counted(outcome.result) == {"updated": 1, expected: 1}


@pytest.mark.parametrize(("follows_unknown", "expected"), [(False, "rejected"), (True, "unknown")])
def test_an_error_that_names_no_row_does_not_prove_it_missing(*, follows_unknown: bool, expected: str) -> None:
    """An earlier attempt may have stored every row."""
    outcome = ChunkOutcome(chunk_of(A, B))
    answer = FULL | {"updated": 1, "updatedErrors": ["no"]}
    assert outcome.take_answer(Part((A, B)), Answer(status=206, body=answer, follows_unknown=follows_unknown)) == []
    assert counted(outcome.result) == {"updated": 1, expected: 1}


def test_a_refusal_after_an_unanswered_attempt_leaves_rows_unknown() -> None:
    """Blamed rows are unknown if their chunk went unanswered once, however often it is split."""
    outcome = ChunkOutcome(chunk_of(A, B))
    part = Part((A, B), may_be_stored=True, follows_unknown=True)
    answer = FULL | {"updated": 1, "updatedErrors": [{"sourceId": "a", "error": "no"}]}
    assert outcome.take_answer(part, Answer(status=206, body=answer)) == []
    assert counted(outcome.result) == {"updated": 1, "unknown": 1}


def test_two_errors_of_one_row_do_not_make_others_refused() -> None:
    """The rows that the answer counts as stored are stored."""
    answer = FULL | {"created": 2, "createdErrors": ["bad"], "validationErrors": ["bad 2", "bad 3"]}
    result, _ = read(206, answer)
    assert counted(result) == {"created": 2, "rejected": 1}
    assert result.problems[0].reason == "bad; bad 2; bad 3"


def test_a_refusal_that_counts_rows_is_remembered() -> None:
    """The second answer calls the rows unchanged, but they were created."""
    outcome = ChunkOutcome(chunk_of(A, B))
    refusal = {
        "created": 1,
        "upsertedIds": ["id1"],
        "insertsKeys": [{"_id": "id1", "sourceId": "a"}],
        "permissionErrors": [{"sourceId": "b", "error": "no"}],
    }
    (part,) = take(outcome, Part((A, B)), refusal, 403)
    assert part.rows == (A,)
    assert take(outcome, part, FULL | {"nonupdates": 1}) == []
    assert counted(outcome.result) == {"created": 1, "rejected": 1}
    assert (outcome.result.created_ids, outcome.result.ids_by_source_id) == (("id1",), {"a": "id1"})


@pytest.mark.parametrize(("rows", "created"), [((A, B), 2), ((A,), 1)])
def test_a_row_that_an_answer_counts_as_stored_is_not_called_rejected(rows: tuple[Row, ...], created: int) -> None:
    """The error names no other row, so it contradicts the count: the row is unknown."""
    result, _ = read(206, FULL | {"created": created, "createdErrors": ["could not notify"]}, rows)
    assert result.rejected == 0
    assert result.unknown == 1
    assert result.rows == len(rows)
