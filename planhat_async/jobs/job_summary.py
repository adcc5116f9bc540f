"""A summary of a job from its journal: decisions only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator

from planhat_async._convert import printable
from planhat_async.jobs.entries import Entry, Group, Run, without
from planhat_async.jobs.journal import Journal
from planhat_async.results import ChunkResult, Outcome, UpsertResult, merged


def total_of(journal: Journal) -> UpsertResult:
    """The outcomes of all rows so far."""
    total = UpsertResult()
    for entry in journal.entries.values():
        total.add(entry.result)
    return total


def add_unbegun(total: UpsertResult, earlier: Collection[Entry], unbegun: Iterable[ChunkResult]) -> None:
    """Add the rows of chunks that a run has not begun to its total, each row once.

    `earlier` are chunks of earlier runs, `unbegun` chunks that this run has read; they may have rows in common.
    """
    known = merged(one for entry in earlier for one in entry.positions)
    for entry in earlier:
        total.add(entry.result)
    for chunk in unbegun:
        again = {one.position for one in chunk.problems if one.position is not None and _holds(known, one.position)}
        others = without(chunk, again)
        if others.rows:
            total.add(others)


def _holds(ranges: tuple[range, ...], position: int) -> bool:
    number = bisect_right(ranges, position, key=lambda one: one.start)
    return number > 0 and position in ranges[number - 1]


def problem_groups(journal: Journal) -> Iterator[Group]:
    """Rows that were not stored, by outcome and reason, in order of appearance; reasons and keys are printable."""
    found: dict[tuple[Outcome, str, str | None], list[Group]] = {}
    for entry in journal.entries.values():
        for group in entry.all_groups:
            found.setdefault((group.outcome, group.reason, group.key), []).append(group)
    for (outcome, reason, key), groups in found.items():
        positions = merged(one for group in groups for one in group.positions)
        n_nameless = sum(group.n_nameless for group in groups)
        yield Group(outcome, printable(reason), positions, n_nameless, key and printable(key))


def ended_by(run: Run, journal: Journal) -> str:
    """How a run ended, in words."""
    if run.ended is None:
        return "is running, or was killed" if run == journal.runs[-1] else "killed, or lost its journal"
    return f"ended early: {printable(run.ended_by)}" if run.ended_by else "ended well"
