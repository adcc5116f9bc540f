"""The account of rows that were sent: nothing is counted twice, and memory is bounded."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import NotSentError, SendChunkResult, SendError, SendOutcome, SendProblem, SendResult
from planhat_async.analytics.send_result import ACCEPTED, SendCounts

REFUSED = [outcome for outcome in SendOutcome if outcome not in ACCEPTED]
ENTRIES = st.lists(
    st.tuples(st.sampled_from(list(SendOutcome)), st.integers(0, 5), st.sampled_from("abc"), st.booleans()), max_size=30
)


def chunk_of(entries: list[tuple[SendOutcome, int, str, bool]], number: int, start: int) -> SendChunkResult:
    chunk = SendChunkResult(number=number)
    for outcome, n_rows, reason, is_named in entries:
        if outcome in ACCEPTED:
            chunk.accept(outcome, n_rows)
        elif is_named:
            chunk.refuse(outcome, reason, [range(start, start + n_rows)] * bool(n_rows))
        else:
            chunk.refuse(outcome, reason, n_nameless=n_rows)
        start += n_rows
    return chunk


@given(st.lists(ENTRIES, max_size=5))
def test_the_total_is_the_sum_of_its_chunks(chunks: list[list[tuple[SendOutcome, int, str, bool]]]) -> None:
    """Counts, positions, groups and problems agree with each other."""
    total, start = SendResult(), 0
    for number, entries in enumerate(chunks):
        total.add(chunk_of(entries, number, start))
        start += sum(n_rows for _, n_rows, _, _ in entries)
    assert total.rows == start == sum(total.counts().values())
    assert total.n_problems == sum(getattr(total, outcome) for outcome in REFUSED)
    assert total.n_problems == sum(group.n_rows for group in total.problem_groups) == len(total.problems)
    named = [(problem.position, problem.outcome) for problem in total.problems if problem.position is not None]
    assert named == sorted(named)
    expected = sorted((n, outcome) for outcome, ranges in total.not_accepted.items() for one in ranges for n in one)
    assert named == expected
    assert total.n_chunks == len(chunks)


def test_problems_are_bounded_and_counts_are_not() -> None:
    """A million rows for one reason, and two thousand reasons."""
    one = SendCounts()
    one.refuse(SendOutcome.UNKNOWN, "no answer", [range(1_000_000)])
    assert (one.n_problems, len(one.problems), len(one.problem_groups)) == (1_000_000, 1000, 1)
    assert one.problems[-1] == SendProblem(outcome=SendOutcome.UNKNOWN, reason="no answer", position=999)
    many = SendResult()
    for n in range(2000):
        chunk = SendChunkResult(number=n)
        chunk.refuse(SendOutcome.INVALID, f"reason {n}", [range(n, n + 1)])
        many.add(chunk)
    assert (many.invalid, len(many.problems), len(many.problem_groups)) == (2000, 1000, 1000)
    for n in range(1500):
        one.refuse(SendOutcome.INVALID, f"reason {n}", [range(10**6 + n, 10**6 + n + 1)])
    assert (one.n_problems, len(one.problem_groups)) == (1_001_500, 1000)
    assert many.not_accepted == {SendOutcome.INVALID: (range(2000),)}


def test_chunks_that_finish_in_another_order() -> None:
    """Positions come in order all the same."""
    total = SendResult()
    for start in (20, 0, 10):
        chunk = SendChunkResult(number=start // 10)
        chunk.refuse(SendOutcome.UNKNOWN, "lost", [range(start, start + 10)])
        total.add(chunk)
    (group,) = total.problem_groups
    assert (group.n_rows, group.positions) == (30, (range(30),))


def test_accepted_rows_are_ok() -> None:
    """Processed and received."""
    result = SendResult(processed=2, received=3)
    assert (result.ok, result.accepted, result.rows) == (True, 5, 5)
    result.raise_for_problems()
    assert SendResult().ok


def test_a_result_in_one_line() -> None:
    """The counts that are not zero, and the first reason, without control characters."""
    result = SendChunkResult(number=3, processed=2)
    result.refuse(SendOutcome.REJECTED, "bad\nline", [range(4, 5)])
    result.refuse(SendOutcome.REJECTED, "other", n_nameless=1)
    assert repr(result) == "SendChunkResult(number=3, processed=2, rejected=2: row 4: bad\\nline)"
    total = SendResult(stopped_by=NotSentError("no network"))
    total.refuse(SendOutcome.UNSENT, "no network", [range(1)])
    assert repr(total) == "SendResult(unsent=1: stopped by NotSentError: no network)"
    nameless = SendResult()
    nameless.refuse(SendOutcome.REJECTED, "other", n_nameless=1)
    assert repr(nameless) == "SendResult(rejected=1: a row: other)"


def test_problems_raise_on_request() -> None:
    """With the result, and the error that ended the run as cause; the error pickles."""
    result = SendResult(received=1, stopped_by=NotSentError("no network"))
    result.refuse(SendOutcome.UNSENT, "not sent: the run ended first", [range(1, 3)])
    with pytest.raises(SendError) as caught:
        result.raise_for_problems()
    assert str(caught.value) == (
        "2 of 3 rows were not accepted: 2 unsent; stopped by NotSentError: no network; "
        "row 1: not sent: the run ended first"
    )
    assert caught.value.__cause__ is result.stopped_by
    assert pickle.loads(pickle.dumps(caught.value)).result.counts() == result.counts()  # noqa: S301 - made here
