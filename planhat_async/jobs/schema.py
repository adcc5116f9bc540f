"""A journal's tables and their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.jobs.entries import ChunkState, Entry, Group
from planhat_async.results import Outcome, merged

SCHEMA_VERSION = 5
"""1 had other digests and no positions; 2 had no floors and no room; 3 had other digests; 4 had no runs of rows."""
APPLICATION_ID = 0x504C4A4F
"""Distinguishes a journal from other SQLite files."""
_SCHEMA = """
CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, ended_by TEXT, seen REAL NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, per_minute INTEGER
);
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, n_rows INTEGER NOT NULL, digest TEXT NOT NULL, is_keyed INTEGER NOT NULL,
    state TEXT NOT NULL, positions TEXT NOT NULL, pending TEXT NOT NULL, counts TEXT NOT NULL, problems TEXT NOT NULL,
    isolation_calls INTEGER NOT NULL, run INTEGER NOT NULL, begun REAL NOT NULL, sent REAL NOT NULL, ended REAL,
    n_attempts INTEGER NOT NULL, floor TEXT, earlier TEXT NOT NULL
);
CREATE TABLE room (bytes BLOB NOT NULL);
"""


def _pair_of(one: range) -> list[int]:
    return [one.start, one.stop]


_COLUMNS = tuple(name for name in attrs.fields_dict(Entry) if name != "groups")
_encode = json.JSONEncoder(default=_pair_of).encode
"""Made once: that takes longer than to encode."""


def is_empty(file: sqlite3.Connection) -> bool:
    """Whether the file has no tables and no application id."""
    (n_tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not n_tables and file.execute("PRAGMA application_id").fetchone() == (0,)


def create_tables(file: sqlite3.Connection) -> None:
    """Create the tables: all of them or, if the process is killed, none.

    They are written to the file itself, not to a log beside it, so that the file alone is recognised as a journal.
    """
    file.executescript(
        f"BEGIN EXCLUSIVE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        f"{_SCHEMA} COMMIT;"
    )


def dicts(file: sqlite3.Connection, query: str) -> Iterator[dict[str, Any]]:
    """The rows of a query, as mappings of columns."""
    cursor = file.execute(query)
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)


def insert_statement(table: str, row: Mapping[str, Any]) -> tuple[str, Any]:
    """A statement that writes a row, and its values.

    The values are bound by position: for named ones Python asks SQLite for each name, and releases its global lock
    every time, which a busy event loop takes for 5 ms.
    """
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    return f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", tuple(row.values())  # noqa: S608 - our own names


def row_of(entry: Entry) -> dict[str, Any]:
    """The row of a chunk's entry in its table."""
    row = {name: getattr(entry, name) for name in _COLUMNS}
    return row | {
        "state": entry.state.value,
        "positions": _encode(entry.positions),
        "pending": _encode(entry.pending),
        "counts": _encode(dict(entry.counts)),
        "earlier": _encode(dict(entry.earlier)),
        "problems": _encode([attrs.astuple(group, recurse=False) for group in entry.groups]),
    }


def entry_of(row: dict[str, Any]) -> Entry:
    """The entry in a row of its table.

    Raises:
        ValueError, TypeError, KeyError: It is damaged.
    """
    groups = json.loads(row.pop("problems"))
    return Entry(
        **row
        | {
            "is_keyed": bool(row["is_keyed"]),
            "state": ChunkState(row["state"]),
            "positions": _ranges_of(json.loads(row["positions"])),
            "pending": _ranges_of(json.loads(row["pending"])),
            "counts": _counts_of(json.loads(row["counts"])),
            "earlier": {int(run): _ranges_of(pairs) for run, pairs in dict(json.loads(row["earlier"])).items()},
        },
        groups=tuple(
            Group(Outcome(outcome), reason, _ranges_of(pairs), n_nameless, key)
            for outcome, reason, pairs, n_nameless, key in groups
        ),
    )


def _ranges_of(pairs: Iterable[Sequence[int]]) -> tuple[range, ...]:
    return merged(range(start, stop) for start, stop in pairs)


def _counts_of(held: Any) -> dict[str, int]:
    if not isinstance(held, dict):
        raise TypeError(f"counts are not an object but {held!r}")
    for name, n_rows in held.items():
        if type(n_rows) is not int or n_rows < 0:
            raise TypeError(f"{name} is not a number of rows but {n_rows!r}")
    return {Outcome(name).value: n_rows for name, n_rows in held.items()}
