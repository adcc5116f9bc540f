"""Test the outcomes of the rows of an upsert."""

from __future__ import annotations

import itertools
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.errors import MissingExtraError, NotSentError, ServerError
from planhat_async.results import (
    MAX_PROBLEMS,
    STORED,
    ChunkResult,
    Counts,
    Outcome,
    Problem,
    ProblemGroup,
    UpsertError,
    UpsertResult,
    merged,
    ranges_of,
)

seeded = settings(derandomize=True, deadline=None)


def chunk_with(*problems: Problem, number: int = 0, created: int = 0) -> ChunkResult:
    chunk = ChunkResult(number=number, created=created, problems=list(problems))
    for problem in problems:
        chunk.count(problem.outcome)
    return chunk


def rejected(position: int | None) -> Problem:
    return Problem(outcome=Outcome.REJECTED, reason="no", position=position)


def test_there_are_ten_outcomes_and_a_count_for_each() -> None:
    """They have the names of the counts."""
    assert Counts().counts() == dict.fromkeys(
        [
            "created",
            "updated",
            "unchanged",
            "unreported",
            "skipped",
            "rejected",
            "invalid",
            "dropped",
            "unknown",
            "unsent",
        ],
        0,
    )


@seeded
@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 9))))
def test_rows_are_the_sum_of_the_counts(steps: list[tuple[Outcome, int]]) -> None:
    """Stored rows are the sum of the four successful counts; the result is ok without other rows."""
    counts = Counts()
    for outcome, n_rows in steps:
        counts.count(outcome, n_rows)
    n_stored = sum(n_rows for outcome, n_rows in steps if outcome in STORED)
    n_rows = sum(n_rows for _, n_rows in steps)
    assert (counts.rows, counts.stored, counts.ok) == (n_rows, n_stored, n_stored == n_rows)


def test_counting_counts_one_row() -> None:
    """A number may be given."""
    counts = Counts()
    counts.count(Outcome.CREATED)
    assert counts == Counts(created=1)


@seeded
@given(st.lists(st.integers(0, 30)))
def test_ranges_contain_exactly_the_positions(positions: list[int]) -> None:
    """They are in order and as few as possible: no two touch."""
    ranges = ranges_of(positions)
    assert [position for one in ranges for position in one] == sorted(set(positions))
    assert all(left.stop < right.start for left, right in itertools.pairwise(ranges))


@seeded
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)).map(lambda pair: range(pair[0], sum(pair)))))
def test_merged_ranges_contain_the_same_positions(ranges: list[range]) -> None:
    """Ranges may be nested, overlapping, touching or empty."""
    assert [n for one in merged(ranges) for n in one] == sorted({n for one in ranges for n in one})
    assert all(merged(ranges))


def test_a_chunk_has_the_positions_of_rows_that_are_not_stored() -> None:
    """They are grouped by outcome, and include only rows with a known position."""
    chunk = chunk_with(
        rejected(4), rejected(None), rejected(3), Problem(outcome=Outcome.INVALID, reason="bad", position=9)
    )
    assert chunk.not_stored == {Outcome.REJECTED: (range(3, 5),), Outcome.INVALID: (range(9, 10),)}


def test_a_total_is_the_sum_of_its_chunks() -> None:
    """Counts, problems and positions are joined for chunks that end in any order."""
    result = UpsertResult()
    result.add(chunk_with(rejected(5), number=1, created=2))
    result.add(chunk_with(rejected(4), rejected(None), created=3))
    assert (result.created, result.rejected, result.rows, result.n_chunks) == (5, 3, 8, 2)
    assert (result.problems, result.n_problems) == ([rejected(5), rejected(4), rejected(None)], 3)
    assert result.not_stored == {Outcome.REJECTED: (range(4, 6),)}


@pytest.mark.parametrize("n_before", [0, MAX_PROBLEMS - 1, MAX_PROBLEMS])
def test_a_total_keeps_the_first_problems_and_counts_all(n_before: int) -> None:
    """Its size is bounded; its counts and positions are complete."""
    result = UpsertResult()
    result.add(chunk_with(*map(rejected, range(n_before))))
    result.add(chunk_with(*map(rejected, range(n_before, MAX_PROBLEMS + 7))))
    assert result.problems == [rejected(n) for n in range(MAX_PROBLEMS)]
    assert (result.n_problems, result.rejected) == (MAX_PROBLEMS + 7, MAX_PROBLEMS + 7)
    assert result.not_stored == {Outcome.REJECTED: (range(MAX_PROBLEMS + 7),)}


def test_adding_a_chunk_does_not_change_the_chunk() -> None:
    """The two share no list."""
    chunk, result = chunk_with(rejected(1)), UpsertResult()
    result.add(chunk)
    result.add(chunk_with(rejected(2)))
    assert chunk.problems == [rejected(1)]


@pytest.mark.parametrize("outcome", STORED)
def test_stored_rows_raise_no_error(outcome: Outcome) -> None:
    """This holds for each successful outcome, and without rows."""
    result = UpsertResult()
    result.raise_for_problems()
    result.count(outcome, 3)
    result.raise_for_problems()


def test_rows_that_were_not_stored_raise_on_request() -> None:
    """The message counts them by outcome, and the error has the whole result."""
    result = UpsertResult(created=7, rejected=2, unsent=1)
    with pytest.raises(UpsertError, match=r"^3 of 10 rows were not stored: 2 rejected, 1 unsent$") as caught:
        result.raise_for_problems()
    assert caught.value.result is result


def test_the_error_is_pickled_with_its_result() -> None:
    """A worker process sends its exceptions this way."""
    result = UpsertResult()
    result.add(chunk_with(rejected(1), created=2))
    with pytest.raises(UpsertError) as caught:
        result.raise_for_problems()
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made in this very line
    assert (str(copy), copy.result) == (str(caught.value), result)


def test_the_message_has_the_reasons_of_rows_that_were_not_stored() -> None:
    """It has the error that ended the run, which is its cause, and the first problem, without repeating equal texts."""
    down = NotSentError("cannot connect to localhost")
    result = UpsertResult(stopped_by=down)
    result.add(chunk_with(Problem(outcome=Outcome.UNSENT, reason=str(down), position=0, key="a")))
    said = "1 of 1 rows were not stored: 1 unsent; stopped by NotSentError: cannot connect to localhost"
    with pytest.raises(UpsertError) as caught:
        result.raise_for_problems()
    assert (str(caught.value), caught.value.__cause__) == (said, down)
    assert repr(result) == "UpsertResult(unsent=1: stopped by NotSentError: cannot connect to localhost)"


def test_the_message_has_the_first_problem_of_a_complete_run() -> None:
    """Its cause is the first error of a chunk, if any."""
    error, result = ServerError("down", status=503), UpsertResult()
    chunk = chunk_with(Problem(outcome=Outcome.REJECTED, reason="too\x1b[2J\nlong", position=7, key="a"), created=2)
    result.add(chunk)
    with pytest.raises(UpsertError, match=r"1 rejected; row 7 \(a\): too \[2J long$") as caught:
        result.raise_for_problems()
    assert caught.value.__cause__ is None
    result.add(ChunkResult(number=1, error=error))
    result.add(ChunkResult(number=2, error=down()))
    with pytest.raises(UpsertError) as caught:
        result.raise_for_problems()
    assert caught.value.__cause__ is error


def down() -> NotSentError:
    return NotSentError("no connection")


def test_the_repr_of_a_result_is_one_short_line() -> None:
    """It has counts that are not zero and the first problem."""
    chunk = chunk_with(*(Problem(outcome=Outcome.INVALID, reason="x" * 999, position=n) for n in range(9)), created=5)
    result = UpsertResult()
    result.add(chunk)
    assert repr(result) == f"UpsertResult(created=5, invalid=9: row 0: {'x' * 299}…)"
    assert repr(chunk).startswith("ChunkResult(number=0, created=5, invalid=9: row 0: xxx")
    assert repr(UpsertResult(created=3)) == "UpsertResult(created=3)"
    assert repr(UpsertResult()) == "UpsertResult()"
    assert repr(ChunkResult(number=3)) == "ChunkResult(number=3)"
    nameless = UpsertResult()
    nameless.add(chunk_with(rejected(None)))
    assert repr(nameless) == "UpsertResult(rejected=1: a row: no)"


def test_a_total_has_each_reason_once_with_all_its_rows() -> None:
    """Rows are grouped across chunks; the key is kept if no other row has the same reason."""
    result = UpsertResult()
    result.add(chunk_with(rejected(1), rejected(2), Problem(outcome=Outcome.UNKNOWN, reason="no", position=9, key="k")))
    result.add(chunk_with(rejected(None), *map(rejected, range(3, 2000))))
    assert result.problem_groups == (
        ProblemGroup(outcome=Outcome.REJECTED, reason="no", n_rows=2000, positions=(range(1, 2000),)),
        ProblemGroup(outcome=Outcome.UNKNOWN, reason="no", n_rows=1, positions=(range(9, 10),), key="k"),
    )
    assert len(result.problems) == MAX_PROBLEMS


def test_a_total_keeps_a_thousand_reasons() -> None:
    """Reasons that quote rows can be as many as the rows."""
    result = UpsertResult()
    problems = (Problem(outcome=Outcome.INVALID, reason=f"{n} is wrong", position=n) for n in range(MAX_PROBLEMS + 5))
    result.add(chunk_with(*problems))
    assert (len(result.problem_groups), result.n_problems) == (MAX_PROBLEMS, MAX_PROBLEMS + 5)


def test_rows_that_were_not_stored_are_a_table() -> None:
    """Each once, in order; beyond the kept reasons and keys the rest is null, and so is a position nobody named."""
    result = UpsertResult()
    problems = [Problem(outcome=Outcome.INVALID, reason=f"reason {n}", position=n, key=f"k{n}") for n in range(1200)]
    problems.append(Problem(outcome=Outcome.REJECTED, reason="reason 7"))
    many = [Problem(outcome=Outcome.UNKNOWN, reason="reason 3", position=n) for n in (1203, 1201)]
    result.add(ChunkResult(number=0, rejected=1, problems=problems[-1:]))
    result.add(ChunkResult(number=1, unknown=2, problems=many))
    result.add(ChunkResult(number=2, created=9, invalid=1200, problems=problems[:-1]))
    rows = result.to_arrow().to_pylist()
    assert len(rows) == result.rows - result.stored == 1203
    assert [row["position"] for row in rows] == [*range(1200), 1201, 1203, None]
    assert rows[3] == {"position": 3, "key": "k3", "outcome": "invalid", "reason": "reason 3"}
    assert rows[1199] == {"position": 1199, "key": None, "outcome": "invalid", "reason": None}
    assert rows[-2:] == [
        {"position": 1203, "key": None, "outcome": "unknown", "reason": "reason 3"},
        {"position": None, "key": None, "outcome": "rejected", "reason": "reason 7"},
    ]
    assert UpsertResult(created=1).to_arrow().schema == result.to_arrow().schema


def test_a_table_of_rows_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'planhat-async\[arrow\]'"):
        UpsertResult().to_arrow()
