"""Looks into the journal that a killed process has left, without the package's own code."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

_FILES = ("job.db", "job.db-wal", "job.db-journal")


def contradictions(folder: Path, *, has_clock_jumped: bool) -> list[str]:
    """Sentences about rows of the journal that contradict each other; reads a copy."""
    if not (folder / "job.db").exists():
        return []
    copy = folder / "copy"
    copy.mkdir(exist_ok=True)
    for name in _FILES:
        (copy / name).unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copyfile(folder / name, copy / name)
    try:
        with closing(sqlite3.connect(copy / "job.db")) as file:
            return [f"chunk {number} ended, but not in its run" for number in _ended_outside(file, has_clock_jumped)]
    except sqlite3.Error as error:
        return [f"after a kill: {error}"]


def _ended_outside(file: sqlite3.Connection, has_clock_jumped: bool) -> list[int]:
    """Chunks whose end is in the journal without the progress that the run had made by then."""
    if file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'chunks'").fetchone() == (0,):
        return []
    query = """
        SELECT chunks.number FROM chunks JOIN runs ON runs.number = chunks.run
        WHERE chunks.ended IS NOT NULL AND (chunks.n_attempts > runs.attempts OR (? AND chunks.ended > runs.seen))
    """
    return [number for (number,) in file.execute(query, (not has_clock_jumped,))]
