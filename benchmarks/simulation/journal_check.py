"""Looks into the journal that a killed process has left, without the package's own code."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

_FILES = ("job.db", "job.db-wal", "job.db-journal")


def contradictions(folder: Path, sent: Collection[int], *, has_clock_jumped: bool) -> list[str]:
    """Sentences about rows of the journal that contradict each other, or what was sent; reads copies.

    Args:
        folder: Where the journal is.
        sent: The positions of rows that have left, and that the main file alone must hold.
        has_clock_jumped: Whether times mean nothing.
    """
    if not (folder / "job.db").exists():
        return []
    missing = _sent_without_entry(folder, sent) if sent else []
    copy = folder / "copy"
    copy.mkdir(exist_ok=True)
    for name in _FILES:
        (copy / name).unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copyfile(folder / name, copy / name)
    try:
        with closing(sqlite3.connect(copy / "job.db")) as file:
            return missing + [
                f"chunk {number} ended, but not in its run" for number in _ended_outside(file, has_clock_jumped)
            ]
    except sqlite3.Error as error:
        return [f"after a kill: {error}"]


def _sent_without_entry(folder: Path, sent: Collection[int]) -> list[str]:
    """Rows that have left, and that a copy of the journal without its log does not hold."""
    alone = folder / "alone.db"
    shutil.copyfile(folder / "job.db", alone)
    known: set[int] = set()
    try:
        with closing(sqlite3.connect(alone)) as file:
            for (positions,) in file.execute("SELECT positions FROM chunks"):
                known.update(n for start, stop in json.loads(positions) for n in range(start, stop))
    except sqlite3.Error as error:
        return [f"the main file alone: {error}"]
    finally:
        for path in folder.glob("alone.db*"):
            path.unlink()
    return [f"row {n} has left, and is not in the main file" for n in sorted({*sent} - known)]


def _ended_outside(file: sqlite3.Connection, has_clock_jumped: bool) -> list[int]:
    """Chunks whose end is in the journal without the progress that the run had made by then."""
    if file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'chunks'").fetchone() == (0,):
        return []
    query = """
        SELECT chunks.number FROM chunks JOIN runs ON runs.number = chunks.run
        WHERE chunks.ended IS NOT NULL AND (chunks.n_attempts > runs.attempts OR (? AND chunks.ended > runs.seen))
    """
    return [number for (number,) in file.execute(query, (not has_clock_jumped,))]
