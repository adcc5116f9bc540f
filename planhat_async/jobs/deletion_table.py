"""The rows of a deletion, in a table of its journal: none of them is kept in memory.

A row is marked as unknown before it is sent, and gets its outcome after the answer, each on the disk before anything
else happens. So a run that is killed at any instant leaves no row that was sent and is not marked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import attrs

from planhat_async.jobs.deletions import GONE, DeleteOutcome, DeleteResult
from planhat_async.jobs.entries import Run
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.schema import insert_statement
from planhat_async.results import Outcome, Problem

_CREATE = """
CREATE TABLE IF NOT EXISTS deletions (
    position INTEGER PRIMARY KEY, key TEXT UNIQUE, outcome TEXT NOT NULL DEFAULT 'unsent', reason TEXT
)
"""
_ADD = "INSERT OR IGNORE INTO deletions (position, key, outcome, reason) VALUES (?, ?, ?, ?)"
_SET = "UPDATE deletions SET outcome = ?, reason = ? WHERE position = ?"
_PENDING = """
SELECT position, key, outcome, reason FROM deletions
WHERE position > ? AND outcome IN ('unsent', 'unknown', 'rejected') ORDER BY position LIMIT ?
"""
_IN_FLIGHT = "in flight when the journal was last written; no answer is known"
_NOT_REACHED = "not sent before the run ended"
_N_FIRST_IDS = 5
_PROBLEMS_AT_A_TIME = 1000


@attrs.frozen
class DeletionRow:
    """A row with a key."""

    position: int
    key: str
    outcome: DeleteOutcome = DeleteOutcome.UNSENT
    reason: str | None = None


@attrs.define
class DeletionTable:
    """The table in an open journal."""

    _journal: Journal
    _last: int = attrs.field(default=-1, init=False)
    """The position of the last row that was claimed."""

    async def create(self, *, keeps_rows: bool) -> None:
        """Create the table if it is missing; delete its rows unless they are to be kept."""
        await self._journal.write((_CREATE, ()), *(() if keeps_rows else [("DELETE FROM deletions", ())]))

    async def add(self, rows: Iterable[tuple[int, str | None, str, str | None]]) -> None:
        """Add rows (position, key, outcome, reason), except for those whose key is in the table."""
        await self._journal.write(*((_ADD, row) for row in rows))

    async def claim(self, most: int) -> list[DeletionRow]:
        """The next rows to send, as they were before they are marked as unknown here; none at the end."""

        def pending(file: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return file.execute(_PENDING, (self._last, most)).fetchall()

        rows = [
            DeletionRow(position, key, DeleteOutcome(outcome), reason)
            for position, key, outcome, reason in await self._journal.read(pending)
        ]
        if rows:
            await self._journal.write(*((_SET, ("unknown", _IN_FLIGHT, row.position)) for row in rows))
            self._last = rows[-1].position
        return rows

    async def save(self, rows: Iterable[DeletionRow], run: Run) -> None:
        """Write the outcomes of rows, and the progress of the run, in one transaction."""
        outcomes = ((_SET, (row.outcome.value, row.reason, row.position)) for row in rows)
        await self._journal.write(*outcomes, insert_statement("runs", attrs.asdict(run)))

    async def result(self, on_problem: Callable[[Problem], object] = bool) -> DeleteResult:
        """The outcomes of all rows; `on_problem` gets each row that is not gone, in the journal's thread."""
        return await self._journal.read(lambda file: result_in(file, on_problem))


def result_in(file: sqlite3.Connection, on_problem: Callable[[Problem], object] = bool) -> DeleteResult:
    """The outcomes of all rows in a journal; `on_problem` gets each row that is not gone, in order."""
    result = DeleteResult()
    found = file.execute("SELECT 1 FROM sqlite_master WHERE name = 'deletions'").fetchone()
    if found is None:  # it was killed before it had read any row
        return result
    for outcome, n_rows in file.execute("SELECT outcome, count(*) FROM deletions GROUP BY outcome"):
        result.count(DeleteOutcome(outcome), n_rows)
    row = file.execute("SELECT value FROM job WHERE name = 'n_rows'").fetchone()
    result.repeated = max(0, int(row[0]) - result.rows) if row else 0
    result.first_ids = tuple(key for _, key, *_ in file.execute(_PENDING, (-1, _N_FIRST_IDS)))
    rows = _problems(file)
    while problems := list(islice(rows, _PROBLEMS_AT_A_TIME)):
        result.add_problems(problems)
        for problem in problems:
            on_problem(problem)
    return result


def _problems(file: sqlite3.Connection) -> Iterator[Problem]:
    rows = file.execute(
        "SELECT position, key, outcome, reason FROM deletions WHERE outcome NOT IN (?, ?) ORDER BY position", GONE
    )
    for position, key, outcome, reason in rows:
        yield Problem(outcome=Outcome(outcome), reason=reason or _NOT_REACHED, position=position, key=key)
