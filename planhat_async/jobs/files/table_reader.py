"""What a format's reader does: rows of a table in, and a copy of some rows of a file out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, ClassVar, NamedTuple, TypeAlias

from planhat_async.jobs.files.cell_block import CellBlock

INDEX_LEFT_OUT = "1 column left out, the index of a data frame: {}"
"""A remark about a first column that has no name, and whole numbers only."""


class RawRow(NamedTuple):
    """A row of a file, not yet fitted to a model."""

    where: str
    """Its place in the file, for messages."""
    read: Callable[[], Mapping[str, Any]]
    """Returns the values by their columns; raises `ValueError` with the reason if the row cannot be read."""


CopyRow: TypeAlias = Callable[[str], object]
"""Copies the row that the reader has yielded last, given the reason why it is to be corrected."""


class TableReader(ABC):
    """Reads the rows of a table in one format.

    A row that cannot be read does not end the file, unless it is uncertain where the next one begins.
    """

    holds_text: ClassVar[bool] = False
    """Whether all values are texts that have to be parsed, and an empty one is a missing value."""
    columns: list[str] | None = None
    """The columns that a header or a schema names; `None` if each row names its own."""
    encoding: str = "utf-8"
    """That of the file's texts."""
    n_bytes_taken: int = 0
    """Size of the rows so far, where each row names its own columns."""
    share_read: float | None = None
    """How far the reader is, between 0 and 1; `None` if the position in the file says so."""

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the rows read so far, a line each."""
        return []

    @property
    def misfit(self) -> str | None:
        """What to do if the columns do not fit, where the reader knows it."""
        return None

    def description(self) -> dict[str, Any]:
        """Facts about how the file is read that must be the same in a rerun, where they are not the usual ones."""
        return {}

    @abstractmethod
    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each row in its order.

        Args:
            columns: The columns that are used, if `columns` of the reader are known; others may be left out.

        Raises:
            SourceError: The file is damaged, or has changed since it was opened.
        """

    def rows_and_blocks(self, columns: Sequence[str] | None) -> Iterator[RawRow | CellBlock]:
        """As `rows`, but rows of texts that follow each other may come as a block."""
        return self.rows(columns)


class FileReader(TableReader):
    """Reads the rows of a file, and copies those that are to be corrected."""

    types_lost: Mapping[str, str] = {}
    """The columns with values that are not text, and their types, that were copied as text."""

    @abstractmethod
    def copying(self, out: BinaryIO) -> AbstractContextManager[CopyRow]:
        """A function that copies rows to a file in the same format, with their reasons, while `rows` is iterated.

        What cannot be read as a row is copied unchanged, as far as the format allows it.
        """

    def close(self) -> None:
        """Close what the reader has opened itself."""
