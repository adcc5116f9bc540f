"""Test what a report says about a job."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.jobs.entries import ChunkState, Entry, Group, Run
from planhat_async.jobs.job_facts import (
    JobFacts,
    change_in_words,
    compared,
    period_in_words,
    reasons_compared,
    rows_in_words,
)
from planhat_async.jobs.journal import Journal
from planhat_async.results import Outcome

DAY = 1_780_272_000.0


def facts_of(counts: dict[str, int], *groups: Group, is_whole: bool = True, seconds: float = 120.0) -> JobFacts:
    """Return the facts about a job of one chunk."""
    journal = Journal(Path("job.db"))
    journal.job = {"model": "tickets", "input": "t.csv"} | ({"n_chunks": 1} if is_whole else {})
    journal.runs = [
        Run(number=1, started=DAY, seen=DAY + seconds, ended=DAY + seconds, calls=10, attempts=12, per_minute=200)
    ]
    journal.entries[0] = Entry(
        number=0, n_rows=sum(counts.values()), digest="", is_keyed=True, state=ChunkState.ANSWERED, counts=counts,
        groups=groups, run=1, begun=DAY, sent=DAY, ended=DAY + seconds, n_attempts=12,
    )  # fmt: skip
    return JobFacts.of(journal, "job.db")


@pytest.mark.parametrize(
    ("counts", "is_whole", "sentence"),
    [
        ({"created": 2}, True, "All 2 rows are stored."),
        ({"created": 1}, True, "The only row is stored."),
        ({"created": 3, "invalid": 1}, True, "1 of 4 rows is not stored."),
        ({"created": 3, "unknown": 2}, False, "2 of 5 rows are not stored. The input was not read to its end."),
        ({}, True, "No row was read."),
    ],
)
def test_one_sentence_says_the_result(counts: dict[str, int], is_whole: bool, sentence: str) -> None:
    """It counts rows, and says whether the input ended."""
    assert facts_of(counts, is_whole=is_whole).sentence == sentence


def test_the_head_has_a_title_a_time_and_three_numbers() -> None:
    """The name is that of the input."""
    facts = facts_of({"created": 1234, "invalid": 1})
    assert (facts.title, facts.period) == ("tickets from t.csv", "2026-06-01 00:00 to 00:02 UTC")
    assert [(one.value, one.name, one.is_bad) for one in facts.figures] == [
        ("1,234", "rows stored", False),
        ("1", "rows not stored", True),
        ("2 min", "working time", False),
    ]


def test_the_pace_is_that_of_the_attempts() -> None:
    """Against the limit of the job; a job without time has none."""
    facts = facts_of({"created": 1200})
    assert [(one.value, one.name) for one in facts.pace] == [
        ("10", "calls"),
        ("2", "repeated attempts"),
        ("6 of 200 allowed", "attempts per minute"),
        ("10", "rows per second"),
    ]
    assert len(attrs.evolve(facts, seconds=0.0).pace) == 2
    assert attrs.evolve(facts, per_minute=None).pace[2].value == "6"


def test_reasons_are_grouped_and_the_most_frequent_is_first() -> None:
    """Each has its rows and the first of them."""
    few = Group(Outcome.INVALID, "email is missing", (range(4, 5),))
    many = Group(Outcome.REJECTED, "no company", tuple(range(n, n + 2) for n in range(10, 60, 10)), n_nameless=3)
    first, second = facts_of({"invalid": 1, "rejected": 13}, few, many).reasons
    assert (first.outcome, first.n_rows, first.text) == ("rejected", 13, "no company")
    assert first.first_rows == "11 to 12, 21 to 22, 31 to 32, 41 to 42, …, 3 that Planhat does not name"
    assert (second.outcome, second.n_rows, second.first_rows) == ("invalid", 1, "5")


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (None, None, "not run yet"),
        (DAY, DAY + 5, "2026-06-01 00:00 UTC"),
        (DAY, DAY + 3700, "2026-06-01 00:00 to 01:01 UTC"),
        (DAY, DAY + 90_000, "2026-06-01 00:00 to 2026-06-02 01:00 UTC"),
    ],
)
def test_a_period_says_the_day_once(start: float | None, end: float | None, words: str) -> None:
    """In UTC."""
    assert period_in_words(start, end) == words


def test_two_jobs_are_compared() -> None:
    """By their numbers, and by the rows of each reason."""
    missing = Group(Outcome.INVALID, "email is missing", (range(2),))
    before, after = facts_of({"created": 98, "invalid": 2}, missing), facts_of({"created": 150})
    assert [(one.name, one.before, one.after, one.change) for one in compared(before, after)] == [
        ("rows", "100", "150", "+50 %"),
        ("rows stored", "98", "150", "+53 %"),
        ("rows not stored", "2", "0", "-100 %"),
        ("working time", "2 min", "2 min", "the same"),
        ("calls", "10", "10", "the same"),
        ("repeated attempts", "2", "2", "the same"),
        ("rows per second", "1", "1", "the same"),
    ]
    assert reasons_compared(before, after) == [("invalid", "email is missing", 2, 0)]


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_change_has_the_sign_of_the_difference(before: int, after: int) -> None:
    """A number that was zero has no share."""
    words = change_in_words(before, after)
    assert (words == "the same") is (before == after)
    assert (words == "new") is (not before and after > 0)
    assert before == after or not before or words.startswith("+" if after > before else "-")


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 5)), max_size=8))
def test_at_most_four_places_are_named(places: list[tuple[int, int]]) -> None:
    """An ellipsis stands for the others."""
    words = rows_in_words([range(start, start + n) for start, n in places])
    assert words.count(", ") <= 4
    assert ("…" in words) is (len(places) > 4)
