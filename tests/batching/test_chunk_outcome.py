"""Test that every row of a chunk has an outcome after any answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import bulk_answers, chunk_of, invalid, json_values, row, thoroughly

from planhat_async.batching.answers import Answer
from planhat_async.batching.chunk_outcome import ChunkOutcome
from planhat_async.batching.chunk_part import Isolation, Part
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotSentError,
    PayloadTooLargeError,
    PlanhatError,
    ServerError,
    UnknownOutcomeError,
)
from planhat_async.results import Outcome

ERRORS: list[PlanhatError] = [
    AuthenticationError("no", status=401),
    BadRequestError("no", status=400),
    DecodeError("no JSON"),
    NotSentError("no connection"),
    PayloadTooLargeError("too large", status=413),
    ServerError("down", status=503),
    UnknownOutcomeError("timed out"),
]

keyed_rows = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=2, unique=True), max_size=6)
keyless_rows: st.SearchStrategy[list[list[str]]] = st.lists(st.just([]), max_size=6)
counts = st.integers(0, 4)
names = st.sampled_from("abcdef")
errors = st.just("no") | names.map(lambda name: {"sourceId": name, "error": "no"})
likely = st.fixed_dictionaries(
    {"created": counts, "updated": counts},
    optional={
        "nonupdates": counts,
        "createdErrors": st.lists(errors, min_size=1, max_size=2),
        "insertsKeys": st.lists(names.map(lambda name: {"_id": "1", "sourceId": name}), max_size=2),
    },
)
"""Answers in Planhat's format."""
answers = st.builds(
    Answer,
    status=st.sampled_from([200, 206, 400, 403]),
    body=st.one_of(likely, likely, likely, bulk_answers | json_values),
    follows_unknown=st.booleans(),
)


def n_open(outcome: ChunkOutcome) -> int:
    """Return the number of rows that have no final outcome."""
    return sum(len(part.rows) for part in outcome.pending) + len(outcome.doubtful) + len(outcome._refused)


def find_some(outcome: ChunkOutcome, data: st.DataObject) -> None:
    """Find some doubtful rows in a list, miss others, and keep the rest in doubt."""
    rows = [one for one, _ in outcome.doubtful]
    fates = [data.draw(st.sampled_from(["found", "missing", "doubtful"])) for _ in rows]
    found = [(one, f"id{one.position}") for one, fate in zip(rows, fates, strict=True) if fate == "found"]
    outcome.settle_found(found, tuple(one for one, fate in zip(rows, fates, strict=True) if fate == "missing"))


def send(outcome: ChunkOutcome, part: Part, data: st.DataObject) -> list[Part]:
    """Make a request that is answered, that fails, or that is answered after a failed attempt."""
    part.mark_sent()
    if data.draw(st.booleans()):
        part.mark_not_processed()
    result: Answer | PlanhatError = data.draw(st.one_of(answers, answers, st.sampled_from(ERRORS)))
    return outcome.take_answer(part, result) if isinstance(result, Answer) else outcome.take_error(part, result)


@pytest.mark.slow
@thoroughly
@given(st.booleans(), keyed_rows | keyless_rows, st.integers(0, 6), st.data())
def test_every_row_has_one_state_after_every_answer(
    is_verified: bool, keys: list[list[str]], n_calls: int, data: st.DataObject
) -> None:
    """Pending, in flight, doubtful, refused or settled; in the end it is settled, and named at most once."""
    rows = tuple(row(2 * n, *names) for n, names in enumerate(keys))
    chunk = chunk_of(*rows, problems=(invalid(1),))
    outcome = ChunkOutcome(chunk, isolation=Isolation(n_calls), is_verified=is_verified and not chunk.is_keyed)
    for _ in range(data.draw(st.integers(0, 12) | st.just(12))):
        if outcome.doubtful and data.draw(st.sampled_from([True, False])):
            find_some(outcome, data)
        elif outcome.pending:
            part = outcome.pending.pop()
            assert outcome.result.rows + n_open(outcome) + len(part.rows) == len(rows) + 1
            parts = send(outcome, part, data)
            outcome.pending += [one for one in reversed(parts) if one.rows]
        assert outcome.result.rows + n_open(outcome) == len(rows) + 1
    outcome.give_up()
    result = outcome.result
    assert (outcome.is_settled, result.rows) == (True, len(rows) + 1)
    assert len(result.problems) == result.rows - result.stored
    named = [problem.position for problem in result.problems if problem.position is not None]
    assert sorted(set(named)) == sorted(named)
    assert result.isolation_calls + outcome.isolation.calls_left == n_calls


@pytest.mark.parametrize("how", ["abandon", "stay_in_doubt"])
def test_the_error_of_a_row_survives_a_failed_search_for_others(how: str) -> None:
    """One half of a chunk got a 401, the error that ended the run; the other half got no answer."""
    rows, refused = (row(0), row(1)), AuthenticationError("no", status=401)
    outcome = ChunkOutcome(chunk_of(*rows), is_verified=True)
    outcome.pending = []
    outcome.fail(Part(rows[:1]), refused, Outcome.REJECTED)
    outcome.fail(Part(rows[1:]), UnknownOutcomeError("timed out"), Outcome.UNKNOWN)
    if how == "abandon":
        outcome.settle_found([], missing=rows[1:])
        outcome.abandon("not found too often")
    else:
        outcome.stay_in_doubt("")
    assert outcome.result.error is refused
    assert outcome.is_settled


@pytest.mark.parametrize(("keys", "n_parts"), [([], 0), (["a"], 2)])
def test_only_keyed_rows_are_sent_again_in_halves(keys: list[str], n_parts: int) -> None:
    """A row without a key may have been stored before the 400; after one call it is settled, not sent again."""
    rows = tuple(row(n, *(f"{key}{n}" for key in keys)) for n in range(4))
    outcome = ChunkOutcome(chunk_of(*rows), isolation=Isolation(100))
    parts = outcome.take_error(outcome.pending.pop(), BadRequestError("no", status=400))
    assert (len(parts), outcome.result.rows) == (n_parts, 0 if n_parts else len(rows))
    assert outcome.result.isolation_calls == n_parts
