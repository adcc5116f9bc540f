"""A lock that one process holds at a time.

The lock is SQLite's own, on a small file beside the journal: it works wherever the journal does, Windows included, and
the operating system releases it when the process ends, also after `kill -9`. A library that locks files would truncate
the file, and so lose who holds the lock.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs

from planhat_async.jobs.files.private_files import make_private

_BUSY_SECONDS = 0.2
"""Longer than another process takes to store its id."""


@attrs.define
class LockedError(Exception):
    """Another holder has the lock."""

    holder: int
    """The id of its process."""


class ProcessLock:
    """Acquired when it is created, held until `release`.

    The file at `path` is created with the mode of the file `like`, and stays after the release: removing it would let
    two processes in.

    Raises:
        LockedError: The lock is held, by another process or by this one.
        sqlite3.Error: The file cannot be used.
    """

    def __init__(self, path: Path, *, like: Path | None = None) -> None:
        make_private(path, like=like)
        self._file = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._acquire()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let others acquire the lock."""
        self._file.close()

    def _acquire(self) -> None:
        # Synced, although what it says matters only while its holder lives: a power failure would leave half a file,
        # and SQLite refuses that.
        self._file.execute("PRAGMA synchronous = FULL")
        try:
            while not self._file.in_transaction:
                self._file.execute(f"PRAGMA user_version = {os.getpid()}")
                self._file.execute("BEGIN IMMEDIATE")  # the lock: others can still read the file
                if self._holder() != os.getpid():  # another process has stored its id between the two
                    self._file.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            raise LockedError(self._holder()) from None

    def _holder(self) -> int:
        return _id_in(self._file)


def holder_of(path: Path) -> int | None:
    """The id of the process that holds the lock at `path`; `None` if no process does. The file is not changed.

    Raises:
        sqlite3.Error: That cannot be known, such as of a file that is read-only.
    """
    if not path.exists():
        return None
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            return _id_in(file)
        file.execute("ROLLBACK")
    return None


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _id_in(file: sqlite3.Connection) -> int:
    return int(file.execute("PRAGMA user_version").fetchone()[0])
