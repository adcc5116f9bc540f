"""A job's journal: which chunks were begun, and how each has ended.

It holds counts, positions, digests and reasons; no row, and no token. SQLite waits for the disk, so an open journal has
a thread of its own.
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
from planhat_async.jobs.journal_file import Content, JournalError, JournalFile, content_of, error_in_words
from planhat_async.jobs.schema import insert_statement, row_of

T = TypeVar("T")


class Journal:
    """A journal, open for writing, or loaded: then what is saved is kept in memory only."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path.resolve() if path.is_symlink() else path
        """The file; a link is resolved."""
        self.is_closed: bool = False
        """Whether another process may open it."""
        self._thread: ThreadPoolExecutor | None = None
        self._file: JournalFile | None = None
        self._hold(Content())

    def _hold(self, content: Content) -> None:
        self.job: dict[str, Any] = content.job
        """What the job is: its model, its input, how rows are cut. Empty in a new journal."""
        self.runs: list[Run] = content.runs
        """Its runs, in order."""
        self.entries: dict[int, Entry] = content.entries
        """Its chunks by number."""

    @classmethod
    async def open(cls, path: Path | str, *, must_exist: bool = False) -> Self:
        """Open a journal, or create one.

        Raises:
            JournalError: Another process uses it, it is not a journal, another version has written it, or it is
                damaged; it is missing, although it must exist; or its folder cannot be written to.
        """
        journal = cls(Path(path))
        journal._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        try:
            await journal.compute(partial(journal._open, must_exist=must_exist))
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
        journal._hold(await journal.compute(partial(content_of, journal.path, must_exist=must_exist)))
        return journal

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the file, after what was asked before; another process may open it then.

        A cancellation waits for that.
        """
        if self.is_closed or self._thread is None:
            return
        self.is_closed = True
        # In the journal's thread, behind the work there, also where `open` was cancelled.
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        with self._explained():
            await wait_to_end(closed)

    async def describe(self, job: Mapping[str, Any]) -> None:
        """Keep what the job is."""
        statement = "INSERT OR REPLACE INTO job VALUES (?, ?)"
        await self._write([(statement, (name, json.dumps(value))) for name, value in job.items()])
        self.job.update(job)

    async def save(
        self, entry: Entry | Callable[[], Entry], run: Run | None = None, *, is_leaving: bool = False
    ) -> None:
        """Write a chunk's entry, and how far the run has come.

        Args:
            entry: The entry, or a function that takes long to make it and is called in the journal's thread.
            run: The run.
            is_leaving: Whether the chunk is sent next; see `JournalFile.write`.
        """
        saved = await self.compute(partial(self._save, entry, run, is_leaving=is_leaving))
        self.entries[saved.number] = saved

    async def remove(self, number: int) -> None:
        """Remove the entry of a chunk that was not sent after all."""
        await self._write([("DELETE FROM chunks WHERE number = ?", (number,))])
        self.entries.pop(number, None)

    async def save_run(self, run: Run) -> None:
        """Write what is known of a run."""
        await self._write([insert_statement("runs", attrs.asdict(run))])
        self.runs = [*(one for one in self.runs if one.number != run.number), run]

    async def checkpoint(self, *, frees_log: bool = False) -> None:
        """Copy the log into the main file, and on request free the log's room."""
        if self._file is not None:
            await self.compute(partial(self._file.checkpoint, frees_log=frees_log))

    async def compute(self, work: Callable[[], T]) -> T:
        """Do something in the journal's thread, in the order in which it is asked."""
        with self._explained():
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _write(self, statements: list[tuple[str, Any]]) -> None:
        await self.compute(partial(self._execute, statements))

    def _execute(self, statements: list[tuple[str, Any]], *, is_leaving: bool = False) -> None:
        if self._file is not None:
            self._file.write(statements, is_leaving=is_leaving)

    def _save(self, entry: Entry | Callable[[], Entry], run: Run | None, *, is_leaving: bool) -> Entry:
        made = entry if isinstance(entry, Entry) else entry()
        runs = [] if run is None else [insert_statement("runs", attrs.asdict(run))]
        self._execute([insert_statement("chunks", row_of(made)), *runs], is_leaving=is_leaving)
        return made

    def _open(self, *, must_exist: bool) -> None:
        self._file = JournalFile(self.path, must_exist=must_exist)
        self._hold(self._file.content())

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say of SQLite's errors which file they are about, and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: {error_in_words(error)}") from None


def next_run(journal: Journal, *, per_minute: int | None) -> Run:
    """The run that begins now."""
    now = time.time()
    number = journal.runs[-1].number + 1 if journal.runs else 1
    return Run(number=number, started=now, seen=now, per_minute=per_minute)
