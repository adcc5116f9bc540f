"""Sends the deletions of a job, some at a time, and has their outcomes written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.batching.concurrent_calls import call_each
from planhat_async.errors import PlanhatError
from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.deletion_table import DeletionRow, DeletionTable
from planhat_async.jobs.deletions import DeleteOutcome, DeleteResult, Failures, Verdict, verdict_on
from planhat_async.jobs.entries import Run
from planhat_async.jobs.journal_file import JournalError
from planhat_async.repositories import Deletes, Lists
from planhat_async.repositories.single_calls import delete_in_bulk

_CUT_OFF = "the call was cancelled before the answer"


@attrs.define(eq=False)
class DeletionSender:
    """Sends the rows of a table that have to be sent."""

    _repository: Deletes[Any]
    _table: DeletionTable
    result: DeleteResult
    """The outcomes of all rows; changes as answers come in."""
    _run: Callable[[], Run]
    """Returns the run with its cost so far."""
    _concurrency: int
    _is_stopped: bool = attrs.field(default=False, init=False)
    _failures: Failures = attrs.field(factory=Failures, init=False)
    _claimed: deque[DeletionRow] = attrs.field(factory=deque, init=False)
    """Rows that are marked in the table, as they were before, and not yet sent."""
    _unwritten: list[DeletionRow] = attrs.field(factory=list, init=False)
    """Rows with outcomes that are not yet in the table."""
    _is_proven: bool = attrs.field(default=False, init=False)
    """Whether a 404 is known to mean that there is no such record."""
    _proving: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _claiming: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _writing: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    def stop(self) -> None:
        """Begin no other call."""
        self._is_stopped = True

    async def send_all(self) -> None:
        """Send all rows, or those until `stop`.

        Raises:
            JournalError: The journal cannot be written.
        """

        async def work(_: int) -> None:
            while (row := await self._next()) is not None:
                await self._send(row)

        await call_each(work, range(self._concurrency), max_at_once=self._concurrency)

    async def write_rest(self) -> None:
        """Write the outcomes that are not yet written, and give back rows that were not sent.

        A `JournalError` is not raised: `send_all` has raised it before. The rows are then sent again by the next run.
        """
        self._unwritten += self._claimed
        self._claimed.clear()
        with suppress(JournalError):
            await self._write()

    async def _next(self) -> DeletionRow | None:
        async with self._claiming:
            if not self._claimed and not self._is_stopped:
                # Not cut short, or rows would be marked and never sent.
                await wait_to_end(self._claim())
            return None if self._is_stopped or not self._claimed else self._claimed.popleft()

    async def _claim(self) -> None:
        self._claimed.extend(await self._table.claim(self._concurrency))

    async def _send(self, row: DeletionRow) -> None:
        """Delete a record, and have the outcome written."""
        is_sent = False

        def note_sent(value: bool) -> None:
            nonlocal is_sent
            is_sent = value

        error: PlanhatError | None = None
        try:
            await delete_in_bulk(
                self._repository,
                row.key,
                on_sent=lambda: note_sent(True),
                on_not_processed=lambda: note_sent(False),
            )
        except PlanhatError as failure:
            error = failure
        except BaseException:  # a cancellation, or an error of the caller's token function
            self._note(row, attrs.evolve(row, outcome=DeleteOutcome.UNKNOWN, reason=_CUT_OFF) if is_sent else row)
            raise
        verdict = verdict_on(error, key=row.key, may_be_deleted=row.outcome is DeleteOutcome.UNKNOWN)
        self._is_proven = self._is_proven or error is None
        if verdict.needs_proof:
            try:
                await self._prove_list()
            except PlanhatError as failure:
                error = failure
                reason = printable(f"answered 404, and the list of {self._repository.model.name} failed: {failure}")
                verdict = Verdict(row.outcome, reason, ends_run=True)
            except BaseException:
                self._note(row, row)
                raise
        if self._failures.end_run(verdict):
            self.stop()
            self.result.stopped_by = self.result.stopped_by or error
        if verdict.outcome is DeleteOutcome.UNKNOWN:
            self.result.unanswered = self.result.unanswered or error
        self._note(row, attrs.evolve(row, outcome=verdict.outcome, reason=verdict.reason))
        await wait_to_end(self._write())

    async def _prove_list(self) -> None:
        """Read one record, unless one was deleted or read before; raises PlanhatError if that fails."""
        async with self._proving:
            if not self._is_proven and isinstance(self._repository, Lists):
                await self._repository.page(limit=1)
            self._is_proven = True

    def _note(self, before: DeletionRow, after: DeletionRow) -> None:
        self.result.count(before.outcome, -1)
        self.result.count(after.outcome)
        self._unwritten.append(after)

    async def _write(self) -> None:
        """Write what is to be written, of all calls in one transaction: each waits for the disk."""
        async with self._writing:
            rows, self._unwritten = self._unwritten, []
            if not rows:
                return
            try:
                await self._table.save(rows, self._run())
            except JournalError:
                self._unwritten += rows
                raise
