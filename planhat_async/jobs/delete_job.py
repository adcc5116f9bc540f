"""Deletes records as a job: if it is killed at any instant, the next run resumes it.

The whole input is read into the journal before anything is deleted. So a file that changes or is damaged deletes
nothing, a key that is repeated is sent once, and memory does not grow with the input. Then the rows are sent in the
order of the input, some at a time. The outcome of a row in the journal decides how the next run treats it:

    deleted, missing, invalid      it is not sent again
    rejected, unknown, unsent      it is sent, which does no harm to a record that is deleted already
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.deletion_sender import DeletionSender
from planhat_async.jobs.deletion_table import DeletionTable, result_in
from planhat_async.jobs.deletions import DeleteOutcome, DeleteResult, key_in
from planhat_async.jobs.entries import Run
from planhat_async.jobs.job_identity import HOW_TO_START_OVER, Source, deletion_of, refuse_other_job
from planhat_async.jobs.journal import Journal, next_run
from planhat_async.jobs.journal_file import JournalError, read_journal
from planhat_async.jobs.upsert_job import JobCost, end_reason
from planhat_async.records.arguments import several, whole
from planhat_async.repositories import Deletes
from planhat_async.results import Problem

_ROWS_AT_A_TIME = 1000


async def run_delete(
    repository: Deletes[Any],
    keys: Source,
    *,
    journal: Path | str | None = None,
    concurrency: int = 4,
) -> DeleteResult:
    """Delete all records that a source names, and record the progress in a journal; see `DeleteJob`.

    Run it again after a failure, an interruption or a kill, with the same keys: the result is that of the whole job.
    A record that was in flight at a kill, and is missing afterwards, counts as deleted.
    """
    return await DeleteJob(repository, keys, journal=journal, concurrency=concurrency).run()


class DeleteJob:
    """Deletes the records that a source names. Costs one call per key, at the session's pace.

    Args:
        repository: The repository of the model.
        keys: `_id`s, or mappings or records that hold one: any iterable or async iterable that yields the same in each
            run.
        journal: The journal's file, which holds the `_id`s; it is created if it is missing. Without one, the rows are
            in a temporary file, and no other run can resume the job.
        concurrency: Calls in flight at once.
        on_problem: Called at the end of a run, in another thread, with each row that was neither deleted nor missing.

    Raises:
        TypeError: `keys` is one key, or not an iterable; `concurrency` is not a number.
        ValueError: `concurrency` is below 1.
    """

    def __init__(
        self,
        repository: Deletes[Any],
        keys: Source,
        *,
        journal: Path | str | None = None,
        concurrency: int = 4,
        on_problem: Callable[[Problem], object] = bool,
    ) -> None:
        _refuse_one_key(keys)
        whole(1)("concurrency", concurrency)
        self._repository = repository
        self._keys = keys
        self._path = journal
        self._concurrency = concurrency
        self._on_problem = on_problem
        self.has_journal: bool = journal is not None
        """Whether another run can resume it."""
        self.result: DeleteResult = DeleteResult()
        """The outcome of every row so far, in this run or an earlier one."""
        self.has_begun: bool = False
        """Whether the whole input was read, so that records are deleted."""
        self.was_done_before: bool = False
        """Whether earlier runs had left nothing to send, so that the result is theirs."""
        self._is_stopped = False
        self._sender: DeletionSender | None = None
        self._reading: asyncio.Future[tuple[int, str]] | None = None
        self._run = Run(number=0, started=0.0, seen=0.0)
        self._earlier_runs: list[Run] = []
        self._made_before = (0, 0)

    @property
    def is_done(self) -> bool:
        """Whether every row was processed, in this run or an earlier one."""
        return self.has_begun and not self.result.unsent and self.result.stopped_by is None

    def cost(self, *, seconds: float) -> JobCost:
        """The cost of all runs, given the duration of this one."""
        calls, attempts = self._made()
        return JobCost.of_runs(self._earlier_runs, calls=calls, attempts=attempts, seconds=seconds)

    def stop(self) -> None:
        """Begin no other call: those in flight, or waiting for the rate limit, end; the rest stays unsent.

        While the input is read, that ends, and nothing is deleted.
        """
        self._is_stopped = True
        if self._reading is not None:
            self._reading.cancel()
        if self._sender is not None:
            self._sender.stop()

    async def run(self) -> DeleteResult:
        """Read the input, and delete the records that it names and that no earlier run has deleted.

        `result` has the outcome of every row also after an exception or a cancellation.

        Returns:
            The result. If Planhat could not be used, `stopped_by` is the error.

        Raises:
            JournalError: The journal cannot be used, or the input is not what it was.
            SourceError: The file cannot be used, or was changed while it was read: nothing was deleted.
        """
        stats = self._repository.session.stats
        self._made_before = (stats.calls, stats.attempts)
        with _folder_for(self._path) as path:
            async with await Journal.open(path) as journal:
                refuse_other_job(journal, deletion_of(self._repository, self._keys))
                self._earlier_runs = journal.runs
                self._run = next_run(journal, per_minute=self._repository.session.limits.per_minute)
                await self._carry_out(journal, DeletionTable(journal))
        return self.result

    async def _carry_out(self, journal: Journal, table: DeletionTable) -> None:
        """Read the input and send the rows; write the end of the run however it ends."""
        ended_by: BaseException | None = None
        try:
            if not journal.job:
                await journal.save_job(deletion_of(self._repository, self._keys))
            await journal.save_run(self._run)
            if not await self._read_input(journal, table):
                return
            self.result = await table.result()
            self.was_done_before = bool(self._earlier_runs) and not self.result.to_send
            self.has_begun = True
            self._sender = DeletionSender(self._repository, table, self.result, self._run_now, self._concurrency)
            if not self._is_stopped:
                await self._sender.send_all()
        except BaseException as error:
            ended_by = error
            raise
        finally:
            # A second interrupt must not make rows unknown whose outcomes are known.
            await wait_to_end(self._end(journal, table, ended_by))

    async def _read_input(self, journal: Journal, table: DeletionTable) -> bool:
        """Read the input into the table, or compare it with what an earlier run has read; returns whether all of it."""
        known = journal.job.get("digest")
        await table.create(keeps_rows=known is not None)
        if self._is_stopped:
            return False
        self._reading = asyncio.ensure_future(read_keys(self._repository, self._keys, None if known else table))
        try:
            n_rows, digest = await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_stopped or (task is not None and task.cancelling()):
                raise
            return False
        if known is None:
            await journal.save_job({"n_rows": n_rows, "digest": digest})
        else:
            refuse_changed_keys(journal, digest)
        return True

    async def _end(self, journal: Journal, table: DeletionTable, ended_by: BaseException | None) -> None:
        """Write the end of the run, and complete the result; errors of the journal were raised before."""
        if self._sender is not None:
            await self._sender.write_rest()
        reason = "stopped" if self._is_stopped and self.result.unsent else None
        if (error := ended_by or self.result.stopped_by) is not None:
            reason = end_reason(error, keeps_values=True)
        with suppress(JournalError):
            run = self._run_now()
            await journal.save_run(attrs.evolve(run, ended=run.seen, ended_by=reason))
            if self._sender is not None:
                stopped_by, unanswered = self.result.stopped_by, self.result.unanswered
                self.result = await table.result(self._on_problem)
                self.result.stopped_by, self.result.unanswered = stopped_by, unanswered

    def _made(self) -> tuple[int, int]:
        """Calls and attempts of this run, without those that the session made before."""
        stats = self._repository.session.stats
        n_calls, n_attempts = self._made_before
        return stats.calls - n_calls, stats.attempts - n_attempts

    def _run_now(self) -> Run:
        """The run, with its cost so far."""
        calls, attempts = self._made()
        return attrs.evolve(self._run, seen=time.time(), calls=calls, attempts=attempts)


async def plan_delete(repository: Deletes[Any], keys: Source, *, journal: Path | str | None = None) -> DeleteResult:
    """Read and check the input of a deletion; nothing is sent, and no session need be open.

    Args:
        repository: The repository of the model.
        keys: As in `DeleteJob`.
        journal: The journal of a job, to plan only what is still to be sent. It is not changed, is not created if it
            is missing, and may be in use by another process.

    Returns:
        The rows. A run sends those that are unsent, unknown or rejected.

    Raises:
        JournalError: The journal cannot be used, or the input is not what it was.
        SourceError: The file cannot be used.
    """
    _refuse_one_key(keys)
    held = None
    if journal is not None:
        held = await Journal.load(journal, must_exist=False)
        refuse_other_job(held, deletion_of(repository, keys))
    with _folder_for(None) as path:
        async with await Journal.open(path) as temporary:
            table = DeletionTable(temporary)
            await table.create(keeps_rows=False)
            n_rows, digest = await read_keys(repository, keys, table)
            if held is not None and "digest" in held.job:
                refuse_changed_keys(held, digest)
                return await deletion_in(held.path)
            await temporary.save_job({"n_rows": n_rows})
            return await table.result()


async def deletion_in(path: Path) -> DeleteResult:
    """The outcomes of all rows in a journal at this instant, also while a process writes to it."""
    return await asyncio.to_thread(read_journal, path, result_in) or DeleteResult()


def refuse_changed_keys(journal: Journal, digest: str) -> None:
    """Refuse an input that is not what an earlier run has read.

    Raises:
        JournalError: The digests differ.
    """
    if digest != journal.job["digest"]:
        raise JournalError(f"the input is not what it was when the job began; {HOW_TO_START_OVER}")


async def read_keys(repository: Deletes[Any], keys: Source, table: DeletionTable | None) -> tuple[int, str]:
    """Read an input, and add its rows to a table; returns the number of its rows and a digest."""
    digest, n_rows = hashlib.sha256(), 0
    by, prefixes = f"a deletion of {repository.model.name}", repository.model.delete_keys
    async with aclosing(_batches(keys)) as batches:
        async for batch in batches:
            rows: list[tuple[int, str | None, str, str | None]] = []
            for position, item in enumerate(batch, n_rows):
                try:
                    key = key_in(item, by=by, prefixes=prefixes)
                except (ValueError, TypeError) as error:
                    rows.append((position, None, DeleteOutcome.INVALID.value, printable(str(error))))
                else:
                    rows.append((position, key, DeleteOutcome.UNSENT.value, None))
            digest.update("".join(f"{key or ''}\n" for _, key, *_ in rows).encode())
            n_rows += len(rows)
            await (asyncio.sleep(0) if table is None else table.add(rows))
    return n_rows, digest.hexdigest()


async def _batches(keys: Source) -> AsyncGenerator[list[Any], None]:
    if not isinstance(keys, AsyncIterable):
        items = iter(keys)
        while some := list(islice(items, _ROWS_AT_A_TIME)):
            yield some
        return
    batch: list[Any] = []
    async for item in keys:
        batch.append(item)
        if len(batch) == _ROWS_AT_A_TIME:
            yield batch
            batch = []
    yield batch


@contextmanager
def _folder_for(path: Path | str | None) -> Iterator[Path]:
    """The path of the journal; by default, one in a temporary folder."""
    if path is not None:
        yield Path(path)
        return
    with TemporaryDirectory(prefix="planhat-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "deletion.db"


def _refuse_one_key(keys: Any) -> None:
    if not isinstance(keys, AsyncIterable):
        several("keys", keys, of="keys")
