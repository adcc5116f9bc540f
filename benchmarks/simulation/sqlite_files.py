"""`sqlite3` on the simulated disk: SQLite through `apsw`, with a file system that reports every change of a file.

The journal is written by the code under test, through the few methods of `sqlite3` that it uses.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Self

import apsw
import attrs

from benchmarks.simulation.disk import Disk
from benchmarks.simulation.processes import PROCESS, Process

_numbers = itertools.count()


class SimulatedSqlite:
    """Takes the place of the module `sqlite3`: its connections write to a simulated disk."""

    def __init__(self, disk: Disk) -> None:
        self._files = _Files(f"simulated-{next(_numbers)}", disk)
        self._connections: list[tuple[Process | None, _Connection]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, path: Any, *, timeout: float = 5.0, uri: bool = False, **_: Any) -> Any:
        """A connection; of the options only the path and the timeout count."""
        if str(path) == "":
            return sqlite3.connect("", check_same_thread=False)
        made = _Connection(str(path), self._files.name, timeout=timeout, is_uri=uri)
        self._connections.append((PROCESS.get(), made))
        return made

    def release(self, process: Process) -> None:
        """Close what a dead process has left open, which releases its locks and changes nothing."""
        for owner, connection in self._connections:
            if owner is process:
                connection.abandon()
        self._connections = [pair for pair in self._connections if pair[0] is not process]

    def open_paths(self, process: Process) -> list[str]:
        """The files that a process has open."""
        return [one.path for owner, one in self._connections if owner is process and not one.is_closed]

    def close(self) -> None:
        """Forget the file system."""
        for _, connection in self._connections:
            connection.abandon()
        self._connections.clear()
        self._files.unregister()
        self._files.forget()


class _Files(apsw.VFS):
    """The file system: the operating system's, each change of a file noted before it is made."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.name, self._disk = name, disk
        super().__init__(name, "unix")

    def forget(self) -> None:
        """Let go of the disk: SQLite's own references are not seen by Python's garbage collection."""
        del self._disk

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
        return _File(name, flags, self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name and arguments
        process = PROCESS.get()
        if process is not None and self._disk.begin_change(process, "delete", filename):
            super().xDelete(filename, syncdir)
            self._disk.delete(filename)


class _File(apsw.VFSFile):
    """A file of the process that opened it."""

    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        self._path = str(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        self._disk, self._process = disk, PROCESS.get()
        super().__init__("unix", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        if self._begin("write"):
            if self._disk.is_full and offset + len(data) > self.xFileSize():
                raise apsw.FullError
            super().xWrite(data, offset)
            self._disk.write(self._path, offset, data)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self._begin("truncate"):
            super().xTruncate(newsize)
            self._disk.truncate(self._path, newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802
        if self._begin("sync"):
            self._disk.sync(self._path)  # the real disk need not wait

    def _begin(self, what: str) -> bool:
        if not self._disk.begin_change(self._process, what, self._path):
            raise apsw.IOError  # its process is dead
        return True


@attrs.define
class _Rows:
    """The rows of a statement."""

    _rows: Iterator[Any]
    description: Sequence[Any]

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


class _Connection:
    """A connection in autocommit mode, like `sqlite3.connect(…, isolation_level=None)`."""

    def __init__(self, path: str, files: str, *, timeout: float, is_uri: bool) -> None:
        self.path, self.is_closed = path, False
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | (apsw.SQLITE_OPEN_URI if is_uri else 0)
        try:
            self._connection = apsw.Connection(path, flags=flags, vfs=files)
        except apsw.Error as error:
            raise _translated(error) from None
        self._timeout = timeout

    def execute(self, statement: str, values: Sequence[Any] = ()) -> _Rows:
        try:
            cursor = self._connection.execute(statement, tuple(values) or None)
            row = cursor.fetchone()
            columns = () if row is None else cursor.get_description()  # it has none behind its last row
            return _Rows(iter([] if row is None else [row, *cursor]), columns)
        except apsw.Error as error:
            raise _translated(error) from None

    executescript = execute

    def executemany(self, statement: str, rows: Any) -> None:
        for values in rows:
            self.execute(statement, values)

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.in_transaction:
            self.execute("COMMIT" if kind is None else "ROLLBACK")

    def close(self) -> None:
        self.is_closed = True
        with suppress(apsw.Error):  # SQLite closes a file even if its last checkpoint fails, and does not say so
            self._connection.close()

    def abandon(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            with suppress(apsw.Error):
                self._connection.close(True)


def _translated(error: apsw.Error) -> sqlite3.Error:
    raised = {apsw.FullError: sqlite3.SQLITE_FULL, apsw.IOError: sqlite3.SQLITE_IOERR}.get(type(error), 1)
    code = getattr(error, "extendedresult", raised)
    kind = sqlite3.DatabaseError if code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} else None
    made = (kind or sqlite3.OperationalError)(str(error) or type(error).__name__)
    made.sqlite_errorcode = code
    return made
