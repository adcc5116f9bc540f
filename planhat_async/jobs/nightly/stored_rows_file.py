"""The file that remembers which rows were stored: digests by key, in SQLite.

It has two tables. `stored` is what jobs before the last one have stored: the last job reads it, in all of its runs, so
each run skips the same rows and cuts the same chunks. `fresh` is a log of what the last job has sent and stored, and
becomes part of `stored` when the next job begins: of each key the last entry counts. One without a digest belongs to a
row that was sent and may be stored. A log is written at its end; to put each key into its place at once takes ten times
as long.

Every write is one transaction, and on the disk before it returns. The file has no log beside it, so a copy of it alone
is complete.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from planhat_async.jobs.files.private_files import make_private
from planhat_async.jobs.nightly.state_owner import StateError
from planhat_async.jobs.nightly.stored_rows import SentRow, StoredRows
from planhat_async.jobs.process_lock import LockedError, ProcessLock

_APPLICATION_ID = 0x504C5352
_VERSION = 1
_BUSY_SECONDS = 30.0
_SCHEMA = f"""
BEGIN EXCLUSIVE; PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION};
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE stored (key INTEGER PRIMARY KEY, digest INTEGER NOT NULL);
CREATE TABLE fresh (number INTEGER PRIMARY KEY, key INTEGER NOT NULL, digest INTEGER);
COMMIT;
"""
_LAST = "SELECT key, digest, max(number) FROM fresh GROUP BY key"
"""SQLite takes the digest from the row with the greatest number."""
_MERGE = (
    "DELETE FROM stored WHERE key IN (SELECT key FROM fresh)",
    f"INSERT INTO stored SELECT key, digest FROM ({_LAST}) WHERE digest IS NOT NULL",  # noqa: S608 - our own text
    "DELETE FROM fresh",
)
_ADD = "INSERT INTO fresh (key, digest) VALUES (?1, ?2)"
_RESUME = (
    "CREATE TEMP TABLE doubted (key INTEGER PRIMARY KEY)",
    f"INSERT INTO doubted SELECT key FROM ({_LAST}) WHERE digest IS NULL",  # noqa: S608 - our own text
    "CREATE TEMP TABLE kept (key INTEGER, digest INTEGER, PRIMARY KEY (key, digest)) WITHOUT ROWID",
    "INSERT INTO kept SELECT DISTINCT key, digest FROM fresh JOIN doubted USING (key) WHERE digest IS NOT NULL",
)
_KEEP_AGAIN = (
    "INSERT INTO fresh (key, digest) SELECT ?1, ?2 WHERE ?1 IN (SELECT key FROM doubted)"
    " AND NOT EXISTS (SELECT 1 FROM kept WHERE key = ?1 AND digest = ?2)"
)
_STORED = "SELECT key, digest FROM stored ORDER BY key"
_OTHERS = "SELECT key, digest FROM stored WHERE key NOT IN (SELECT key FROM fresh)"
_BOTH = f"{_OTHERS} UNION ALL SELECT key, digest FROM ({_LAST}) WHERE digest IS NOT NULL ORDER BY key"  # noqa: S608


class StoredRowsFile:
    """The file, for one thread at a time and one process; it is created if it is missing.

    Raises:
        StateError: Another process uses it, it is damaged or no such file, or its folder cannot be written to.
        OSError: It cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _refuse_unusable(path)
        self.is_new: bool = not path.exists()
        """Whether it was missing."""
        try:
            self._lock = ProcessLock(path.with_name(path.name + "-lock"))
        except LockedError as error:
            raise StateError(f"{path}: process {error.holder} is using this state") from None
        try:
            make_private(path)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            with _explained(path):
                self._connection.execute("PRAGMA synchronous = FULL")
                _refuse_foreign(path, self._connection)
                if _is_empty(self._connection):
                    self._connection.executescript(_SCHEMA)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; then another process may open it."""
        if hasattr(self, "_connection"):
            self._connection.close()
        self._lock.release()

    @property
    def owner(self) -> dict[str, Any] | None:
        """What it belongs to; `None` before the first job."""
        return _owner_in(self._connection)

    @property
    def mark(self) -> str:
        """What tells the last job's share of this file from any other."""
        return _mark_in(self._connection)

    def begin_job(self, owner: Mapping[str, Any]) -> None:
        """Begin a job: from here on, the rows that the one before has stored are skipped."""
        job = int(_values_in(self._connection).get("job", "0")) + 1
        name = _values_in(self._connection).get("id") or secrets.token_hex(4)
        values = {"owner": json.dumps(owner), "id": name, "job": str(job)}
        with _explained(self.path), self._transaction():
            for statement in _MERGE:
                self._connection.execute(statement)
            self._connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values.items())
        with _explained(self.path):
            self._free_room()

    def resume_job(self) -> None:
        """Resume the last job: from here on, `keep_again` knows what its earlier runs have noted."""
        with _explained(self.path):
            for statement in _RESUME:
                self._connection.execute(statement)

    def stored_rows(self) -> StoredRows:
        """The rows that the last job skips."""
        with _explained(self.path):
            return _rows_in(self._connection, _STORED)

    def doubt(self, rows: Iterable[SentRow]) -> None:
        """Note that rows are about to be sent: until it is known that they are stored, their keys have no digest."""
        self._write((key, None) for row in rows for key in row.keys)

    def keep(self, rows: Iterable[SentRow]) -> None:
        """Note that rows are stored."""
        self._write((key, row.digest) for row in rows for key in row.keys)

    def keep_again(self, rows: Iterable[SentRow]) -> None:
        """Note that rows are stored, according to an earlier run of the job, unless that run has noted it itself.

        Then the last entry of a key is of a later row with it, and must stay the last one.
        """
        self._write(((key, row.digest) for row in rows for key in row.keys), _KEEP_AGAIN)

    def _write(self, rows: Iterable[tuple[int, int | None]], statement: str = _ADD) -> None:
        with _explained(self.path), self._transaction():
            self._connection.executemany(statement, rows)

    def _free_room(self) -> None:
        """Make the file smaller if most of it is room that the log has left."""
        (n_free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (n_pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        if 2 * n_free > n_pages:
            self._connection.execute("VACUUM")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield


def read_stored_rows(path: Path, *, resumes: str | None) -> tuple[dict[str, Any] | None, StoredRows]:
    """What a file belongs to, and the rows that a job would skip; the file is not changed.

    Args:
        path: The file; without one, there is no owner, and nothing is skipped.
        resumes: The mark of the job that would be resumed; `None` if a new one would begin.

    Raises:
        StateError: It is damaged or no such file, or another job has begun with it since.
    """
    _refuse_unusable(path)
    if not path.exists():
        if resumes is not None:
            raise StateError(_has_moved_on(path))
        return None, StoredRows()
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connected = closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None))
    with _explained(path), connected as connection:
        connection.execute("PRAGMA query_only = ON")
        _refuse_foreign(path, connection)
        if _is_empty(connection):
            return None, StoredRows()
        refuse_another_job(path, _mark_in(connection), resumes=resumes)
        query = _BOTH if resumes is None else _STORED
        return _owner_in(connection), _rows_in(connection, query)


def refuse_another_job(path: Path, mark: str, *, resumes: str | None) -> None:
    """Refuse to resume a job if another one has begun with the file since: it would skip other rows.

    Raises:
        StateError: The mark of the file is not that of the job.
    """
    if resumes is not None and resumes != mark:
        raise StateError(_has_moved_on(path))


def _has_moved_on(path: Path) -> str:
    return (
        f"{path} is not as it was when the job of this journal began: another job has begun with it, or it is another "
        "file. Put it back, or begin another job with another journal"
    )


def _values_in(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM state").fetchall())


def _owner_in(connection: sqlite3.Connection) -> dict[str, Any] | None:
    text = _values_in(connection).get("owner")
    return None if text is None else dict(json.loads(text))


def _mark_in(connection: sqlite3.Connection) -> str:
    values = _values_in(connection)
    return f"{values.get('id', 'none')} job {values.get('job', '0')}"


def _rows_in(connection: sqlite3.Connection, query: str) -> StoredRows:
    keys, digests = array("q"), array("q")
    for key, digest in connection.execute(query):
        keys.append(key)
        digests.append(digest)
    return StoredRows(keys, digests)


def _is_empty(connection: sqlite3.Connection) -> bool:
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not n_tables and connection.execute("PRAGMA application_id").fetchone() == (0,)


def _refuse_unusable(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise StateError(f"{path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        raise StateError(f"{path} is not a regular file")


def _refuse_foreign(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database that is no such file of this version, or is damaged."""
    if _is_empty(connection):
        return
    if connection.execute("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
        raise StateError(f"{path} is a SQLite file of another kind, not the state of upserts")
    if connection.execute("PRAGMA user_version").fetchone() != (_VERSION,):
        raise StateError(f"{path} was written by another version of planhat-async: {_HOW_TO_BEGIN_AGAIN}")
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StateError(f"{path} is damaged: {_HOW_TO_BEGIN_AGAIN}")


_HOW_TO_BEGIN_AGAIN = "move it away to begin again with all rows"


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Name the file in SQLite's errors, and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        is_damaged = code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
        reason = f"is damaged, or not the state of upserts: {_HOW_TO_BEGIN_AGAIN}" if is_damaged else f"fails: {error}"
        raise StateError(f"{path} {reason}") from None
    except (ValueError, TypeError) as error:
        if isinstance(error, StateError):
            raise
        raise StateError(f"{path} is damaged: {_HOW_TO_BEGIN_AGAIN}") from None
