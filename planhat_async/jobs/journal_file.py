"""A journal's file: SQLite in write-ahead mode, one process that writes and any number that read.

Every write is one transaction, and on the disk before it returns (`synchronous=FULL`): a process that is killed at any
instant leaves the content of before or of after. One process writes at a time (`process_lock.py`); others read what was
committed last, and are not waited for, except by the checkpoint of a chunk that is about to be sent.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

from planhat_async.jobs.entries import Entry, Run
from planhat_async.jobs.files.private_files import make_private
from planhat_async.jobs.process_lock import LockedError, ProcessLock, holder_of
from planhat_async.jobs.schema import APPLICATION_ID, SCHEMA_VERSION, create_tables, dicts, entry_of, is_empty

T = TypeVar("T")

_RESERVED_PAGES = 64
_BUSY_SECONDS = 30.0
"""How long to wait for a reader, which takes milliseconds."""
_PRIMARY_CODE = 0xFF
_FOLDER_UNUSABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_MEANINGS = {
    sqlite3.SQLITE_BUSY: "another program has locked the journal",
    sqlite3.SQLITE_NOTADB: "this is not a journal",
    sqlite3.SQLITE_CORRUPT: "the journal is damaged",
    sqlite3.SQLITE_READONLY: "the journal cannot be written here",
    sqlite3.SQLITE_CANTOPEN: "the journal cannot be written here",
    sqlite3.SQLITE_FULL: "the disk is full: nothing more is sent until the journal can be written; "
    "make room, and run the same command again",
}


class JournalError(ValueError):
    """A journal that cannot be used, or does not fit the job; the message says which and why."""


class Content(NamedTuple):
    """The content of a journal."""

    job: dict[str, Any]
    runs: list[Run]
    entries: dict[int, Entry]


class JournalFile:
    """A journal's file, open for writing by this process alone; for one thread at a time.

    It is created unless it `must_exist`; then it is refused if it is missing or empty.

    Raises:
        JournalError, sqlite3.Error: It cannot be used; see `Journal.open`.
    """

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        _refuse_unusable(path, must_exist=must_exist)
        for one, name in ((path, "it"), (path.parent, "its folder")):
            if one.exists() and not os.access(one, os.W_OK):  # SQLite would only report an I/O error
                raise JournalError(f"{path}: the journal cannot be written here: {name} is read-only")
        make_private(path)  # SQLite gives the files beside it the same mode
        self.path = path
        self._identity = _identity_of(path)
        self._has_room = False
        self._lock: ProcessLock | None = None
        self.connection: sqlite3.Connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._open(must_exist=must_exist)
        except BaseException:
            self.close()
            raise

    def _open(self, *, must_exist: bool) -> None:
        _refuse_foreign_database(self.path, self.connection, must_exist=must_exist)
        try:
            self._lock = ProcessLock(_lock_beside(self.path), like=self.path)
        except LockedError as error:
            raise JournalError(f"{self.path}: process {error.holder} is using this journal") from None
        if is_empty(self.connection):
            create_tables(self.connection)
        (mode,) = self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError(f"{self.path}: the journal cannot be kept here: choose a folder on a local disk")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("DELETE FROM room")  # left by a kill

    def close(self) -> None:
        """Close the file and release its lock."""
        self.connection.close()
        if self._lock is not None:
            self._lock.release()

    def write(self, statements: Sequence[tuple[str, Any]], *, precedes_send: bool = False) -> None:
        """Execute statements, each with its values, in one transaction.

        If it `precedes_send` of a chunk, room for its outcomes is reserved first, and the main file holds its entry
        when this returns: a copy without the log sends no chunk twice. This costs two more syncs.

        Raises:
            JournalError: The file was moved, removed or replaced, or a reader blocks the checkpoint.
        """
        if precedes_send:
            self._reserve_room()
        self._refuse_lost_file()
        with self.connection:
            if len(statements) > 1:  # one is a transaction by itself
                self.connection.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                self.connection.execute(statement, values)
        if precedes_send and not self.checkpoint():
            raise JournalError(f"{self.path}: another program has been reading the journal for {_BUSY_SECONDS:.0f} s")

    def checkpoint(self, *, frees_log: bool = False) -> bool:
        """Copy the log into the main file, and on request free the log's room; return whether all of it was copied."""
        statement = f"PRAGMA wal_checkpoint({'TRUNCATE' if frees_log else 'FULL'})"
        (is_busy, *_) = self.connection.execute(statement).fetchone()
        return not is_busy

    def _refuse_lost_file(self) -> None:
        """Refuse to go on if the path no longer names the file that was opened."""
        found = _identity_of(self.path)
        if found != self._identity:
            what = "was moved or removed" if found is None else "was replaced by another file"
            raise JournalError(
                f"{self.path}: the journal {what} while its job ran, so nothing more is sent. Put it back before you "
                "run the job again: without it, or with an earlier copy, rows are sent again, and those without a key "
                "are stored twice"
            )

    def _reserve_room(self) -> None:
        """Reserve room on the disk, in the file and in the log, for the outcomes of chunks.

        If this fails, the chunk is not sent. If it succeeds, its outcomes can be written even if the disk fills up.
        """
        (n_free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        if self._has_room and n_free >= _RESERVED_PAGES // 2:
            return
        (page_bytes,) = self.connection.execute("PRAGMA page_size").fetchone()
        # In two transactions: pages that the same transaction writes and deletes take no room on the disk.
        self.connection.execute("INSERT INTO room VALUES (zeroblob(?))", (_RESERVED_PAGES * page_bytes,))
        self.checkpoint()
        self.connection.execute("DELETE FROM room")
        self._has_room = True


def content_of(path: Path, *, must_exist: bool = True) -> Content:
    """The content of a journal at this instant; see `read_journal`."""
    content = read_journal(path, partial(content_in, path), must_exist=must_exist)
    return Content({}, [], {}) if content is None else content


def read_journal(path: Path, read: Callable[[sqlite3.Connection], T], *, must_exist: bool = True) -> T | None:
    """Read a journal as it is at this instant, also while another process writes to it; `None` if it is empty.

    The main file and its log are not changed.

    Raises:
        JournalError, sqlite3.Error, OSError: It cannot be used; see `Journal.load`.
    """
    _refuse_unusable(path, must_exist=must_exist)
    if not path.exists():
        return None
    log, memory = Path(f"{path}-wal"), Path(f"{path}-shm")
    if memory.exists() or not log.exists():
        try:
            return _read_file(path, path, read, must_exist=must_exist)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE not in _FOLDER_UNUSABLE:
                raise
    # All readers of a log share memory in a file. If it cannot be created, or would stay behind, no process writes:
    # read a copy instead. `immutable=1` would leave out the log.
    with TemporaryDirectory(prefix="planhat-") as folder:
        copy = Path(folder) / "copy.db"
        for ending in ("", "-wal", "-journal"):
            if (original := Path(f"{path}{ending}")).exists():
                shutil.copyfile(original, f"{copy}{ending}")
        return _read_file(path, copy, read, must_exist=must_exist)


def _read_file(path: Path, file: Path, read: Callable[[sqlite3.Connection], T], *, must_exist: bool) -> T | None:
    """Read a file; messages name the journal at `path`."""
    # The last to close a file copies its log into it and removes the log, unless opened read-only: then a log that it
    # has created stays.
    mode = "ro" if Path(f"{file}-wal").exists() else "rw"
    uri = f"{file.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")  # one instant for all tables
        _refuse_foreign_database(path, connection, must_exist=must_exist)
        return None if is_empty(connection) else read(connection)


def content_in(path: Path, connection: sqlite3.Connection) -> Content:
    """The content of an open file; raises `JournalError` if it is damaged."""
    try:
        entries = [entry_of(row) for row in dicts(connection, "SELECT * FROM chunks ORDER BY number")]
        return Content(
            {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM job")},
            [Run(**row) for row in dicts(connection, "SELECT * FROM runs ORDER BY number")],
            {entry.number: entry for entry in entries},
        )
    except (ValueError, TypeError, KeyError) as error:
        raise JournalError(f"{path} is damaged: {error}") from None


def link_target(path: Path) -> Path:
    """The target of a link; any other path as it is."""
    return path.resolve() if path.is_symlink() else path


def files_of(path: Path) -> tuple[Path, ...]:
    """A journal's file and the files beside it; for a link, those of its target."""
    return tuple(
        Path(f"{link_target(path)}{ending}") for ending in ("", "-wal", "-shm", "-journal", "-lock", "-lock-journal")
    )


def process_using(path: Path) -> int | None:
    """The id of the process that has a journal open for writing; `None` if no process has.

    Raises:
        sqlite3.Error: That cannot be known.
    """
    return holder_of(_lock_beside(link_target(path)))


def _lock_beside(path: Path) -> Path:
    return Path(f"{path}-lock")


def error_in_words(error: sqlite3.Error) -> str:
    """What an error of SQLite's means for a journal, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    meaning = _MEANINGS.get(code, "the journal cannot be used")
    return meaning if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FULL} else f"{meaning}: {error}"


def _refuse_unusable(path: Path, *, must_exist: bool) -> None:
    """Refuse a path that is not a journal's, before SQLite opens it."""
    if must_exist and not path.exists():
        raise JournalError(f"{path}: there is no such journal")
    if not path.parent.is_dir():
        raise JournalError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise JournalError(f"{path} is a directory: name a file for the journal")
    if path.exists() and not path.is_file():
        raise JournalError(f"{path} is not a regular file")
    if path.exists() and path.stat().st_size:
        return
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:  # SQLite would delete it
        raise JournalError(f"{path} is damaged: it is empty or missing, and {log.name} beside it is not")
    if must_exist:
        raise JournalError(f"{path} is empty, not a journal")


def _refuse_foreign_database(path: Path, connection: sqlite3.Connection, *, must_exist: bool) -> None:
    """Refuse a database that is not a journal of this version, or is damaged; an empty one if a journal must exist."""
    if is_empty(connection):
        if must_exist:
            raise JournalError(f"{path} is empty, not a journal")
        return
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise JournalError(f"{path} is a SQLite file of another program, not a journal")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by another version of planhat-async: its schema is {version}, this one reads "
            f"{SCHEMA_VERSION}. End the job with that version, or begin another with another journal"
        )
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise JournalError(f"{path} is damaged: {found}")


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Distinguishes a file from another that has its name later; `None` if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
