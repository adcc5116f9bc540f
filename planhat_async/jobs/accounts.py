"""What a journal says of a job as a whole: decisions only."""

from __future__ import annotations

from collections.abc import Iterator

from planhat_async.jobs.entries import Group
from planhat_async.jobs.journal import Journal, Run
from planhat_async.results import Outcome, UpsertResult, merged


def total_of(journal: Journal) -> UpsertResult:
    """What became of all rows that were taken so far."""
    total = UpsertResult()
    for entry in journal.entries.values():
        total.add(entry.result)
    return total


def problem_groups(journal: Journal) -> Iterator[Group]:
    """Rows that were not stored, by outcome and reason, in the order in which reasons first occur."""
    found: dict[tuple[Outcome, str, str | None], list[Group]] = {}
    for entry in journal.entries.values():
        for group in entry.all_groups:
            found.setdefault((group.outcome, group.reason, group.key), []).append(group)
    for (outcome, reason, key), groups in found.items():
        positions = merged(one for group in groups for one in group.positions)
        yield Group(outcome, reason, positions, sum(group.n_nameless for group in groups), key)


def ended_by(run: Run) -> str:
    """How a run ended, in words."""
    if run.ended is None:
        return "killed, or lost its journal"
    return f"ended early: {run.ended_by}" if run.ended_by else "ended well"
