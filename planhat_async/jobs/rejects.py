"""A file of the rows that were not stored, in the input's format, to be corrected and sent again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from planhat_async._convert import printable
from planhat_async.batching.request_failures import refuses_everything
from planhat_async.jobs.entries import ChunkState, Entry
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.steady_file import identity_of
from planhat_async.jobs.files.whole_file import refuse_to_overwrite, whole_file
from planhat_async.jobs.source_error import SourceError
from planhat_async.results import ChunkResult, Outcome, Problem

REJECTED = (Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)
"""Rows to be corrected; an unknown row may be stored, and an unsent one can be sent unchanged."""


class Rejects:
    """Collects which rows were not stored and why; then reads the input once more, and copies them.

    Positions and reasons move from memory to a temporary file once they are large.

    Args:
        source: The input.
        path: The file for the rows.
        others: Other files in use.

    Raises:
        ValueError: The input cannot be read again, a file would be overwritten, or the folder cannot be written to.
    """

    def __init__(self, source: FileSource, path: Path, *others: Path) -> None:
        if source.is_standard_input:
            raise SourceError("--rejects reads the input once more, which standard input does not allow: use a file")
        refuse_to_overwrite(path, source.path, *others)
        _check_output(path)
        self.path = path
        self._source = source
        self._identity = identity_of(source.path.stat())
        # A temporary file without a name, used by one thread at a time.
        self._found = sqlite3.connect("", check_same_thread=False)
        self._found.execute("CREATE TABLE found (position INTEGER PRIMARY KEY, reason TEXT)")

    @property
    def n_rows(self) -> int:
        """The number of rows to be copied."""
        return int(self._found.execute("SELECT count(*) FROM found").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._found.close()

    def add(self, chunk: ChunkResult) -> None:
        """Note a chunk's rows that have to be corrected.

        Rows that were refused together with the whole chunk are left out: the next run sends them unchanged.
        """
        self._note(chunk.problems, is_refused=chunk.error is not None and refuses_everything(chunk.error))

    def add_problem(self, problem: Problem) -> None:
        """Note a single row, if it has to be corrected."""
        self._note([problem], is_refused=False)

    def add_earlier(self, entry: Entry) -> None:
        """The same for a chunk of an earlier run, with the reasons in its journal."""
        self._note(entry.result.problems, is_refused=entry.state is ChunkState.UNSENT)

    def _note(self, problems: Iterable[Problem], *, is_refused: bool) -> None:
        rows = [
            (problem.position, f"{problem.outcome}: {printable(problem.reason)}")
            for problem in problems
            if problem.outcome in REJECTED
            and problem.position is not None
            and not (is_refused and problem.outcome is Outcome.REJECTED)
        ]
        # An earlier reason of the same row stays: those of this run are unabridged.
        self._found.executemany("INSERT OR IGNORE INTO found VALUES (?, ?)", rows)

    def write(self) -> None:
        """Write the file, if any row is to be copied.

        Raises:
            SourceError: The input has changed, and may have other rows at these positions; or it is damaged.
        """
        if self.n_rows:
            self._refuse_change()
            with whole_file(self.path) as out:
                self._source.copy(self._reasons(), out)
                self._refuse_change()

    @property
    def has_input(self) -> bool:
        """Whether the input is still there as it was."""
        path = self._source.path
        return path.exists() and identity_of(path.stat()) == self._identity

    def _refuse_change(self) -> None:
        if not self.has_input:
            raise SourceError(f"{self._source.path} has changed: rows to be corrected cannot be copied from it")

    def _reasons(self) -> Iterator[tuple[int, str]]:
        return iter(self._found.execute("SELECT position, reason FROM found ORDER BY position"))


def _check_output(path: Path) -> None:
    if not path.parent.is_dir():
        raise SourceError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise SourceError(f"{path} is a folder: name a file for the rows that are not stored")
    if not os.access(path.parent, os.W_OK):
        raise SourceError(f"{path}: its folder is read-only")
    if path.exists():
        raise SourceError(f"{path} is there already: move it away, it may hold rows that you have corrected")
