"""A job's journal: the chunks that were begun, and their outcomes.

It holds counts, positions, digests and reasons, and the ids that were looked up; no row, and no token. SQLite waits
for the disk, so an open journal has a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs

from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.entries import Entry, Run
from planhat_async.jobs.journal_file import (
    JournalError,
    JournalFile,
    content_in,
    content_of,
    error_in_words,
    link_target,
)
from planhat_async.jobs.schema import insert_statement, row_of

T = TypeVar("T")


@attrs.define(eq=False)
class Journal:
    """A journal, open for writing, or loaded: then what is saved is kept in memory only."""

    path: Path = attrs.field(converter=link_target)
    """The file; a link is resolved."""
    job: dict[str, Any] = attrs.field(factory=dict)
    """The job's model, input, and how rows are cut. Empty in a new journal."""
    runs: list[Run] = attrs.field(factory=list)
    """Its runs, in order."""
    entries: dict[int, Entry] = attrs.field(factory=dict)
    """Its chunks by number."""
    is_closed: bool = attrs.field(default=False, init=False)
    """Whether another process may open it."""
    _thread: ThreadPoolExecutor | None = attrs.field(default=None, init=False)
    _file: JournalFile | None = attrs.field(default=None, init=False)

    @classmethod
    async def open(cls, path: Path | str, *, must_exist: bool = False) -> Self:
        """Open a journal, or create one.

        Raises:
            JournalError: Another process uses it, it is not a journal, another version has written it, or it is
                damaged; it is missing, although it must exist; or its folder cannot be written to.
        """
        journal = cls(Path(path))
        journal._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

        def open_file() -> None:
            journal._file = JournalFile(journal.path, must_exist=must_exist)
            journal.job, journal.runs, journal.entries = content_in(journal.path, journal._file.connection)

        try:
            await journal.compute(open_file)
        except BaseException:
            await journal.close()
            raise
        return journal

    @classmethod
    async def load(cls, path: Path | str, *, must_exist: bool = True) -> Self:
        """The content of a journal at this instant, also while a process writes to it; its file is not changed.

        Raises:
            JournalError: It is missing, although it must exist, it is not a journal, another version has written it, or
                it is damaged.
            OSError: It cannot be read.
        """
        journal = cls(Path(path))
        content = await journal.compute(partial(content_of, journal.path, must_exist=must_exist))
        journal.job, journal.runs, journal.entries = content
        return journal

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the file after all earlier work, even on a cancellation; then another process may open it."""
        if self.is_closed or self._thread is None:
            return
        self.is_closed = True
        # In the journal's thread, behind the work there, also where `open` was cancelled.
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._close_file)
        self._thread.shutdown(wait=False)
        with self._sqlite_errors_explained():
            await wait_to_end(closed)

    async def save_job(self, job: Mapping[str, Any]) -> None:
        """Write the job's description, or more of it."""

        def save_values() -> None:
            statement = "INSERT OR REPLACE INTO job VALUES (?, ?)"
            self._execute(*((statement, (name, json.dumps(value))) for name, value in job.items()))

        await self.compute(save_values)  # ids that were looked up may be megabytes
        self.job.update(job)

    async def save(self, entry: Entry, run: Run | None = None, *, precedes_send: bool = False) -> None:
        """Write a chunk's entry, and the progress of the run, in one transaction; see `JournalFile.write`."""

        def save_entry() -> None:
            runs = [] if run is None else [insert_statement("runs", attrs.asdict(run))]
            self._execute(insert_statement("chunks", row_of(entry)), *runs, precedes_send=precedes_send)

        await self.compute(save_entry)
        self.entries[entry.number] = entry

    async def remove(self, number: int) -> None:
        """Remove the entry of a chunk that was not sent after all."""
        await self.write(("DELETE FROM chunks WHERE number = ?", (number,)))
        self.entries.pop(number, None)

    async def save_run(self, run: Run) -> None:
        """Write a run, in place of an earlier state of it."""
        await self.write(insert_statement("runs", attrs.asdict(run)))
        self.runs = [*(one for one in self.runs if one.number != run.number), run]

    async def free_log(self) -> None:
        """Copy the log into the main file, and free the log's room on the disk."""
        if self._file is not None:
            await self.compute(partial(self._file.checkpoint, frees_log=True))

    async def compute(self, work: Callable[[], T]) -> T:
        """Call a function in the journal's thread, in the order of the calls of this method."""
        with self._sqlite_errors_explained():
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def write(self, *statements: tuple[str, Any]) -> None:
        """Execute statements, each with its values, in one transaction that is on the disk when this returns."""
        await self.compute(partial(self._execute, *statements))

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read from the open file, in the journal's thread."""
        file = self._file
        if file is None:
            raise ValueError(f"{self.path} was loaded, not opened")
        return await self.compute(lambda: read(file.connection))

    def _execute(self, *statements: tuple[str, Any], precedes_send: bool = False) -> None:
        if self._file is not None:
            self._file.write(statements, precedes_send=precedes_send)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    @contextmanager
    def _sqlite_errors_explained(self) -> Iterator[None]:
        """Add the file's path, and advice, to SQLite's errors."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: {error_in_words(error)}") from None


def next_run(journal: Journal, *, per_minute: int | None) -> Run:
    """The run that begins now."""
    now = time.time()
    number = journal.runs[-1].number + 1 if journal.runs else 1
    return Run(number=number, started=now, seen=now, per_minute=per_minute)
