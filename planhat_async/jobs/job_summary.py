"""A summary of a job from its journal: decisions only."""

from __future__ import annotations

from collections.abc import Iterator

from planhat_async._convert import printable
from planhat_async.jobs.entries import Group, Run
from planhat_async.jobs.journal import Journal
from planhat_async.results import Outcome, UpsertResult, merged

MEANINGS = {
    "created": "new records",
    "updated": "existing records, changed",
    "unchanged": "existing records, not changed",
    "unreported": "accepted; Planhat does not say whether changed",
    "skipped": "not sent: an earlier run stored the same rows",
    "rejected": "rejected by Planhat",
    "invalid": "not sent: Planhat would reject or drop them",
    "dropped": "missing from Planhat's answer",
    "unknown": "sent, but no answer gives their outcome",
    "unsent": "not processed before the run ended",
}
"""The meaning of each outcome, for readers of a result."""


def total_of(journal: Journal) -> UpsertResult:
    """The outcomes of all rows so far."""
    total = UpsertResult()
    for entry in journal.entries.values():
        total.add(entry.result)
    return total


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


def ended_by(run: Run, journal: Journal, *, if_unended: str = "is running, or was killed") -> str:
    """How a run ended, in words; `if_unended` says what is known of the last one if its end is not in the journal."""
    if run.ended is None:
        return if_unended if run == journal.runs[-1] else "killed, or lost its journal"
    return f"ended early: {printable(run.ended_by)}" if run.ended_by else "came to its end"
