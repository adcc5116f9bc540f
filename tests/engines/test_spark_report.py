"""Test what becomes known of a write by Spark."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.engines.spark_report import (
    MAX_PROBLEMS,
    Attempt,
    KeySampler,
    Receipt,
    SharedKeys,
    WriteReport,
    other_attempts,
    shared_keys,
)
from planhat_async.results import ChunkResult, Outcome, Problem


def receipt(partition: int = 0, task: int = 0, **counts: Any) -> Receipt:
    return Receipt(by=Attempt(partition=partition, attempt=0, task=task), **counts)


def report(*receipts: Receipt, **options: Any) -> WriteReport:
    return WriteReport(**{"run": "r", "model": "tasks", "receipts": receipts, "lost": [], **options})


def sampled(*keys: str, most: int = 100) -> Any:
    sampler = KeySampler(most)
    sampler.add(keys)
    return sampler.sample()


def test_keys_in_several_partitions_are_noticed() -> None:
    """Those within one partition are in order."""
    samples = [sampled("a", "b", "b"), sampled("b", "c"), sampled("d", "c", "b")]
    assert shared_keys(samples) == SharedKeys(n_keys=2, is_exact=True)
    assert shared_keys([]) == SharedKeys(n_keys=0, is_exact=True)


@given(st.lists(st.sets(st.integers(0, 40)), max_size=5), st.integers(1, 50))
def test_a_sample_of_keys_finds_no_more_than_there_are(parts: list[set[int]], most: int) -> None:
    """All of them, if none was left out."""
    samples = [sampled(*map(str, keys), most=most) for keys in parts]
    shared = shared_keys(samples)
    n_shared = sum(sum(key in keys for keys in parts) > 1 for key in range(41))
    assert all(len(one.digests) <= most for one in samples)
    assert shared.n_keys <= n_shared
    assert shared.n_keys == n_shared or not shared.is_exact
    assert shared.is_exact or any(len(keys) > most for keys in parts)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(list(Outcome)), st.integers(0, 9)), max_size=4))
def test_every_row_is_in_the_report(parts: list[dict[Outcome, int]]) -> None:
    """The sums are those of the receipts."""
    receipts = [
        receipt(number, number, **{one.value: n for one, n in counts.items()}) for number, counts in enumerate(parts)
    ]
    described = report(*receipts).described()
    assert described["rows"] == sum(sum(counts.values()) for counts in parts)
    for outcome in Outcome:
        assert described[outcome.value] == sum(counts.get(outcome, 0) for counts in parts)
        assert [one[outcome.value] for one in described["partitions"]] == [counts.get(outcome, 0) for counts in parts]


def test_a_receipt_holds_the_first_problems_with_their_keys() -> None:
    """Rows that were not sent have theirs from the input."""
    found = receipt()
    problems = [Problem(outcome=Outcome.INVALID, reason="wrong", position=number) for number in range(60)]
    problems[1] = attrs.evolve(problems[1], key="own")
    found.add(ChunkResult(number=0, invalid=60, created=3, problems=problems), {0: "crm-0", 1: "crm-1"})
    found.add(ChunkResult(number=1, invalid=60, problems=problems), {})
    assert (found.rows, found.n_problems, len(found.problems)) == (123, 120, MAX_PROBLEMS)
    assert [one.key for one in found.problems[:3]] == ["crm-0", "own", None]


def test_attempts_that_spark_does_not_count_are_told_apart() -> None:
    """Nothing is known of them if those that it counts have left no notes either."""
    noted = [{"task": 1, "begun": 5}, {"task": 2, "begun": 7}]
    assert other_attempts(noted, [receipt(task=1)]) == [{"task": 2, "begun": 7}]
    assert other_attempts([], [receipt(task=1)]) is None
    assert other_attempts(noted, []) == noted


def test_the_report_warns_of_what_is_unexpected() -> None:
    """In sentences that say what to do."""
    found = report(lost=[{"task": 2, "begun": 7000}])
    assert found.warnings == [
        "1 other attempt of tasks sent up to 7,000 rows, too; all have a key: none is stored twice"
    ]
    keyless = report(lost=None, has_keyless=True)
    assert keyless.warnings == []
    assert keyless.described()["remarks"] == [
        "what other attempts of tasks sent is not known: the executors do not share the report's folder",
        "rows without a key are stored again by each attempt that sends them",
    ]
    receipts = [receipt(number, number, keys=sampled("a", "b", most=2)) for number in range(2)]
    (warning,) = report(*receipts).warnings
    assert warning.startswith("2 keys are in several partitions, whose rows are sent in no order")


def test_a_write_without_problems_has_no_objection() -> None:
    """Nor one without rows."""
    assert report(receipt(created=3)).objection(reports_problems=False, where=None) is None
    assert report().objection(reports_problems=False, where=None) is None


def test_refused_rows_are_an_objection_unless_they_are_to_be_reported() -> None:
    """It names the first one, by its key."""
    problem = Problem(outcome=Outcome.REJECTED, reason="no\ncompany", position=17, key="crm-5")
    found = report(receipt(created=9997), receipt(2, 1, rejected=3, problems=[problem]))
    assert found.objection(reports_problems=True, where="/r") is None
    assert found.objection(reports_problems=False, where="/r") == (
        r"3 of 10,000 rows were not stored: 3 rejected; partition 2, row 17 (crm-5): no\ncompany; the report is /r"
    )


def test_rows_without_an_outcome_are_always_an_objection() -> None:
    """They can be sent again."""
    found = report(receipt(unknown=9, stopped_by="NoAnswerError: lost"), has_keyless=True)
    assert found.objection(reports_problems=True, where=None) == (
        "9 of 9 rows were not stored: 9 unknown; stopped by NoAnswerError: lost; "
        "rows without an outcome can be sent again if they have a key"
    )
