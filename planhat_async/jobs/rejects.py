"""A file of the rows that were not stored, in the input's format, to be corrected and sent again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from planhat_async._convert import printable
from planhat_async.batching.answers import INCOMPLETE
from planhat_async.batching.request_failures import refuses_everything
from planhat_async.jobs.entries import ChunkState, Entry
from planhat_async.jobs.files.compression import compression_named
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.packed_file import packed
from planhat_async.jobs.files.whole_file import part_of, refuse_to_overwrite, whole_file
from planhat_async.jobs.rejects_record import digest_of, note_digest, noted_digest
from planhat_async.jobs.source_error import SourceError
from planhat_async.results import ChunkResult, Outcome, Problem

_REJECTED = (Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)


class Rejects:
    """Collects which rows were not stored and why; then reads the input once more, and copies them.

    Positions and reasons move from memory to a temporary file once they are large.

    Args:
        source: The input.
        path: The file for the rows.
        others: Other files in use.
        journal: The journal of the job: a file that an earlier run of it has written is replaced if it is unchanged.

    Raises:
        ValueError: The input cannot be read again, a file would be overwritten, or the folder cannot be written to.
    """

    def __init__(self, source: FileSource, path: Path, *others: Path, journal: Path | None = None) -> None:
        if source.is_standard_input:
            raise SourceError("--rejects reads the input once more, which standard input does not allow: use a file")
        source.refuse_copy(path)
        refuse_to_overwrite(path, *source.location.files, *others)
        _check_folder(path)
        self.path = path
        self._journal = journal
        self._refuse_foreign_output()
        self._written: str | None = None
        self._source = source
        self._identity = source.location.identity()
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
            if _is_to_be_corrected(problem)
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
                with packed(out, compression_named(self.path)) as copy:
                    self._source.copy(self._reasons(), copy)
                self._refuse_change()
                self._refuse_foreign_output()
                out.flush()
                part = part_of(self.path)
                self._written = digest_of(part) if part.is_file() else None

    def note(self) -> None:
        """Note in the journal that this run has written the file, so that the next one may replace it.

        Raises:
            JournalError: The journal cannot be written; then the next run keeps the file, and names it.
        """
        if self._journal is not None and self._written is not None:
            note_digest(self._journal, self._written)

    @property
    def remark(self) -> str | None:
        """What the user should know to send the written file."""
        return self._source.copy_remark

    @property
    def has_input(self) -> bool:
        """Whether the input is still there as it was."""
        try:
            return bool(self._source.location.identity() == self._identity)
        except SourceError:
            return False

    def _refuse_change(self) -> None:
        if not self.has_input:
            name = self._source.location.name
            raise SourceError(f"{name} has changed: rows to be corrected cannot be copied from it")

    def _refuse_foreign_output(self) -> None:
        """Refuse to replace a file, unless the job has written it, and it is unchanged."""
        if not self.path.exists():
            return
        noted = None if self._journal is None else noted_digest(self._journal)
        if noted is None:
            raise SourceError(f"{self.path} is there already: move it away, it may hold rows that you have corrected")
        if not self.path.is_file() or noted != digest_of(self.path):
            raise SourceError(
                f"{self.path} was changed since this job wrote it, or is another file: move it away, "
                "it may hold rows that you have corrected"
            )

    def _reasons(self) -> Iterator[tuple[int, str]]:
        return iter(self._found.execute("SELECT position, reason FROM found ORDER BY position"))


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise SourceError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise SourceError(f"{path} is a folder: name a file for the rows that are not stored")
    if not os.access(path.parent, os.W_OK):
        raise SourceError(f"{path}: its folder is read-only")


def _is_to_be_corrected(problem: Problem) -> bool:
    """Whether a row has to be changed; other unknown rows may be stored, and unsent ones can be sent unchanged."""
    return problem.outcome in _REJECTED or problem.reason == INCOMPLETE
