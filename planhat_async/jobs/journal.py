"""A job's journal: a SQLite file that knows which chunks were begun and how each has ended.

Every write is on the disk before it returns (`synchronous=FULL`), and each is one transaction, so a process that is
killed at any instant leaves the entry of before or of after. The file is locked for as long as it is open: a second
process is refused, and the lock goes with the process. SQLite waits for the disk, so it has a thread of its own.

Others read it from a copy (`snapshots.py`).

It holds counts, positions, digests and reasons; no row, and no token.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs

from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.entries import Entry
from planhat_async.jobs.journal_file import (
    error_in_words,
    loss_in_words,
    objection_to,
    place_of,
    read_only_part_of,
)
from planhat_async.jobs.private_files import make_private
from planhat_async.jobs.schema import APPLICATION_ID, SCHEMA_VERSION, dicts, entry_of, is_empty, make, row_of, saving
from planhat_async.jobs.snapshots import take_snapshot

T = TypeVar("T")
_RESERVED_PAGES = 64


class JournalError(ValueError):
    """A journal that cannot be used, or does not fit the job; the message says which and why."""


@attrs.frozen(kw_only=True)
class Run:
    """One run of a job."""

    number: int
    started: float
    """Seconds since 1970."""
    seen: float
    """When it last wrote something."""
    ended: float | None = None
    """`None` while it runs, and where it was killed."""
    ended_by: str | None = None
    """What ended it before its time."""
    calls: int = 0
    attempts: int = 0
    per_minute: int | None = None
    """The pace it kept to."""

    @property
    def seconds(self) -> float:
        """How long it took, as far as is known; a clock that was set back does not make it less than nothing."""
        return max(0.0, (self.ended or self.seen) - self.started)


class Journal:
    """An open journal.

    Attributes:
        path: The file.
        job: What the job is: its model, its input, how rows are cut. Empty in a journal that is new.
        runs: Its runs, in order.
        entries: Its chunks by number.
        is_closed: Whether another process may have it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve() if path.is_symlink() else path
        self.job: dict[str, Any] = {}
        self.runs: list[Run] = []
        self.entries: dict[int, Entry] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._file: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None
        self._has_room = False
        self.is_closed = False

    @classmethod
    async def open(cls, path: Path | str, *, must_exist: bool = False) -> Self:
        """Open a journal, or make one.

        Raises:
            JournalError: Another process uses it, it is no journal, another version has written it, or it is
                damaged; there is none, although it must exist; or its folder cannot be written to.
        """
        journal = cls(Path(path))
        try:
            await journal._do(partial(journal._open, must_exist=must_exist))
        except BaseException:
            await journal.close()
            raise
        return journal

    @classmethod
    async def load(cls, path: Path | str, *, must_exist: bool = True) -> Self:
        """What a journal holds at this instant, also while another process uses it; its file is left as it is.

        Raises:
            JournalError: There is none, although it must exist, it is no journal, another version has written it, it
                is damaged, or this very process has it open.
            OSError: It cannot be read, or is written to too fast.
        """
        journal = cls(Path(path))
        try:
            await journal._do(partial(journal._read, must_exist=must_exist))
        finally:
            await journal.close()
        return journal

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close it, once what was asked of it is done; another process may have it then.

        A cancellation meanwhile waits for that.
        """
        if self.is_closed:
            return
        self.is_closed = True
        # In the journal's thread, behind whatever is under way there, also where its opening was cancelled.
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        with self._explained():
            await wait_to_end(closed)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            _open_here.discard(self)

    async def describe(self, job: Mapping[str, Any]) -> None:
        """Keep what the job is."""
        await self._write(
            [("INSERT OR REPLACE INTO job VALUES (?, ?)", (name, json.dumps(value))) for name, value in job.items()]
        )
        self.job.update(job)

    async def save(
        self, entry: Entry | Callable[[], Entry], run: Run | None = None, *, is_leaving: bool = False
    ) -> None:
        """Write a chunk's entry, and how far the run has come.

        Args:
            entry: The entry; one that takes long to make is handed in as a function, and made in the journal's thread.
            run: The run.
            is_leaving: Whether the chunk is about to leave: then the file itself says so, whatever becomes of the log
                beside it, so that nobody who copies the file alone sends a chunk twice. It costs two more syncs.
        """
        saved = await self._do(partial(self._save, entry, run, is_leaving=is_leaving))
        self.entries[saved.number] = saved

    async def remove(self, number: int) -> None:
        """Forget a chunk that has not left after all."""
        await self._write([("DELETE FROM chunks WHERE number = ?", (number,))])
        self.entries.pop(number, None)

    async def save_run(self, run: Run) -> None:
        """Write what is known of a run."""
        await self._write([saving("runs", attrs.asdict(run))])
        self.runs = [*(one for one in self.runs if one.number != run.number), run]

    async def checkpoint(self, *, frees_log: bool = False) -> None:
        """Bring what was written into the file itself, out of the log beside it; on request the log's room is freed."""
        await self._do(partial(self._checkpoint, frees_log=frees_log))

    async def compute(self, work: Callable[[], T]) -> T:
        """Do something in the journal's thread, in the order in which it is asked."""
        return await self._do(work)

    async def _write(self, statements: list[tuple[str, Any]]) -> None:
        await self._do(partial(self._execute, statements))

    def _save(self, entry: Entry | Callable[[], Entry], run: Run | None, *, is_leaving: bool) -> Entry:
        if is_leaving:
            self._reserve_room()
        made = entry if isinstance(entry, Entry) else entry()
        runs = [] if run is None else [saving("runs", attrs.asdict(run))]
        self._execute([saving("chunks", row_of(made)), *runs])
        if is_leaving:
            self._checkpoint()
        return made

    def _checkpoint(self, *, frees_log: bool = False) -> None:
        assert self._file is not None  # noqa: S101 - writing to a closed journal is a fault of ours
        self._file.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if frees_log else 'PASSIVE'})").fetchall()

    def _reserve_room(self) -> None:
        """Make room on the disk, in the file and in the log, for what chunks are going to end with.

        Where that fails the chunk does not leave; else a disk that fills up meanwhile does not keep its end out.
        """
        assert self._file is not None  # noqa: S101 - writing to a closed journal is a fault of ours
        (n_free,) = self._file.execute("PRAGMA freelist_count").fetchone()
        if self._has_room and n_free >= _RESERVED_PAGES // 2:
            return
        (page_bytes,) = self._file.execute("PRAGMA page_size").fetchone()
        # In two transactions: what is deleted by the one that has written it takes no room on the disk.
        self._file.execute("INSERT INTO room VALUES (zeroblob(?))", (_RESERVED_PAGES * page_bytes,))
        self._checkpoint()
        self._file.execute("DELETE FROM room")
        self._has_room = True

    def _execute(self, statements: list[tuple[str, Any]]) -> None:
        assert self._file is not None  # noqa: S101 - writing to a closed journal is a fault of ours
        if loss := loss_in_words(self.path, self._place):
            raise JournalError(loss)
        with self._file:
            if len(statements) > 1:  # one is a transaction by itself
                self._file.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                self._file.execute(statement, values)

    async def _do(self, work: Callable[[], T]) -> T:
        with self._explained():
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say of SQLite's errors which file they are about, and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: {error_in_words(error)}") from None

    def _open(self, *, must_exist: bool) -> None:
        self._refuse_what_is_no_journal(must_exist=must_exist)
        if what := read_only_part_of(self.path):  # of which SQLite would say that there is an I/O error
            raise JournalError(f"{self.path}: the journal cannot be written here: {what} is read-only")
        make_private(self.path)  # SQLite gives the files beside it the same mode
        file = self._file = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        # Held from the first access on. It also keeps SQLite from needing shared memory, and so any second file
        # that others must be able to map.
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        if not is_empty(file):
            self._check(file)
        elif must_exist:
            raise JournalError(f"{self.path} is empty, no journal")
        else:
            make(file)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        file.execute("BEGIN IMMEDIATE")
        file.execute("COMMIT")
        file.execute("DELETE FROM room")  # left by a kill
        self._place = place_of(self.path)
        _open_here.add(self)
        self._load(file)

    def _read(self, *, must_exist: bool) -> None:
        self._refuse_what_is_no_journal(must_exist=must_exist)
        if not self.path.exists():
            return
        if any(self.path.samefile(one.path) for one in _open_here):
            raise JournalError(f"{self.path}: this process is using this journal")
        with TemporaryDirectory(prefix="planhat-") as folder:
            copy = Path(folder) / "copy.db"
            take_snapshot(self.path, copy)
            with closing(sqlite3.connect(copy)) as file:
                if not is_empty(file):
                    self._check(file)
                    self._load(file)
                elif must_exist:
                    raise JournalError(f"{self.path} is empty, no journal")

    def _refuse_what_is_no_journal(self, *, must_exist: bool) -> None:
        if objection := objection_to(self.path, must_exist=must_exist):
            raise JournalError(objection)

    def _check(self, file: sqlite3.Connection) -> None:
        """Refuse a file that is not ours, before anything in it is changed."""
        (application_id,) = file.execute("PRAGMA application_id").fetchone()
        if application_id != APPLICATION_ID:
            raise JournalError(f"{self.path} is a SQLite file of another program, not a journal")
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.path} was written by another version of planhat-async: its schema is {version}, "
                f"this one reads {SCHEMA_VERSION}. End the job with that version, or begin another with another journal"
            )
        (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise JournalError(f"{self.path} is damaged: {found}")

    def _load(self, file: sqlite3.Connection) -> None:
        try:
            self.job = {name: json.loads(value) for name, value in file.execute("SELECT name, value FROM job")}
            self.runs = [Run(**row) for row in dicts(file, "SELECT * FROM runs ORDER BY number")]
            entries = [entry_of(row) for row in dicts(file, "SELECT * FROM chunks ORDER BY number")]
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(f"{self.path} is damaged: {error}") from None
        self.entries = {entry.number: entry for entry in entries}


class JournalCopy(Journal):
    """A journal that was read: what is written to it is in no file."""

    async def _do(self, work: Callable[[], T]) -> T:
        with self._explained():
            return await asyncio.to_thread(work)

    def _execute(self, statements: list[tuple[str, Any]]) -> None:
        """There is no file."""

    def _reserve_room(self) -> None:
        """There is no file."""

    def _checkpoint(self, *, frees_log: bool = False) -> None:
        """There is no file."""


_open_here: set[Journal] = set()
"""Those that this process has open: who opens such a file once more, and closes it, loses the lock on it."""


def next_run(journal: Journal, *, per_minute: int | None) -> Run:
    """The run that begins now."""
    now = time.time()
    number = journal.runs[-1].number + 1 if journal.runs else 1
    return Run(number=number, started=now, seen=now, per_minute=per_minute)
