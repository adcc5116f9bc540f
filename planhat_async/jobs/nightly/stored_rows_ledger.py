"""Notes which rows of an upsert are stored, so that a later job skips them.

A key loses its digest before its row is sent, and gets that of the row once it is known to be stored. So a row whose
outcome is rejected or unknown is sent by the next job, even if it is then as it was before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import attrs

from planhat_async.batching.chunk_ledger import Ledger, Recorded
from planhat_async.batching.chunks import Chunk
from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.nightly.state_owner import StateOwner
from planhat_async.jobs.nightly.stored_rows import SentRow, StoredRows, stored_among
from planhat_async.jobs.nightly.stored_rows_file import StoredRowsFile, refuse_another_job
from planhat_async.results import ChunkResult

T = TypeVar("T")

UPSERTS = "upserts"
"""The work of the owner of such a file."""


@attrs.define(eq=False)
class StoredRowsLedger:
    """Passes chunks on to a journal's ledger, if there is one, and keeps the digests of stored rows.

    The file has a thread of its own.
    """

    path: Path
    inner: Ledger | None = None
    """The ledger of the job's journal."""
    rows: StoredRows = attrs.field(factory=StoredRows, init=False)
    """The rows that the job skips."""
    mark: str = attrs.field(default="", init=False)
    """What tells the job's share of the file from any other."""
    is_new: bool = attrs.field(default=False, init=False)
    """Whether there was no file."""
    _file: StoredRowsFile | None = attrs.field(default=None, init=False)
    _thread: ThreadPoolExecutor = attrs.field(init=False)
    _in_flight: dict[int, list[SentRow]] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stored rows")

    async def open(self, owner: StateOwner, *, resumes: str | None, same_tenant: bool) -> None:
        """Open the file for a job, or create it.

        Args:
            owner: What it must belong to.
            resumes: The mark of the job that is resumed; `None` if one begins.
            same_tenant: See `StateOwner.refuse_other`.

        Raises:
            StateError: It cannot be used, belongs to something else, or another job has begun with it since.
            OSError: It cannot be created.
        """

        def opened() -> None:
            file = self._file = StoredRowsFile(self.path)
            self.is_new, held = file.is_new, file.owner
            if held is not None:
                owner.refuse_other(self.path, held, same_tenant=same_tenant)
            refuse_another_job(self.path, file.mark, resumes=resumes)
            if resumes is None:
                file.begin_job(attrs.asdict(owner))
            else:
                file.resume_job()
            self.rows, self.mark = file.stored_rows(), file.mark

        await self._compute(opened)

    async def close(self) -> None:
        """Close the file after all earlier work, even on a cancellation."""
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._close_file)
        self._thread.shutdown(wait=False)
        await wait_to_end(closed)

    async def begin_chunk(self, chunk: Chunk) -> Recorded | None:
        """Note that the chunk is about to be sent, or that an earlier run of the job has stored its rows."""
        recorded = None if self.inner is None else await self.inner.begin_chunk(chunk)
        if chunk.is_keyed:
            rows = await self._compute(lambda: [SentRow.of(row) for row in chunk.rows])
            if recorded is not None and not recorded.pending:
                # The run may have been killed after its journal had the outcomes.
                stored = stored_among(rows, recorded.settled)
                await self._compute(lambda: self._opened.keep_again(stored))
            else:
                self._in_flight[chunk.number] = rows
                await self._compute(lambda: self._opened.doubt(rows))
        return recorded

    async def end_chunk(self, result: ChunkResult) -> None:
        """Note the rows that are stored."""
        rows = self._in_flight.pop(result.number, [])
        try:
            if self.inner is not None:
                await self.inner.end_chunk(result)
        finally:
            await wait_to_end(self._keep(rows, result))

    @property
    def _opened(self) -> StoredRowsFile:
        assert self._file is not None  # noqa: S101 - chunks come only to an open ledger
        return self._file

    async def _keep(self, rows: list[SentRow], result: ChunkResult) -> None:
        stored = stored_among(rows, result)
        if stored:
            await self._compute(lambda: self._opened.keep(stored))

    async def _compute(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
