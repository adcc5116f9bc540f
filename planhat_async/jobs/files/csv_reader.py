"""Rows of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, ClassVar

from planhat_async.jobs.files.row_reader import CopyRow, RawRow, RowReader
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_MAX_CELL = 2**31 - 1
_MEANINGS = {
    "unexpected end of data": "a quote is opened there and never closed",
    "',' expected after '\"'": "a quote is closed in the middle of a cell",
}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class CsvReader(RowReader):
    """Reads CSV.

    Args:
        file: A buffered file.
        encoding: That of its text; of UTF-8 a byte order mark is skipped.

    Raises:
        SourceError: The header cannot be read.
    """

    holds_text: ClassVar[bool] = True
    columns: list[str]

    def __init__(self, file: BinaryIO, *, encoding: str = "utf-8") -> None:
        self._encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        if self._encoding == "utf-8-sig" and file.peek(2)[:2] in _UTF16_MARKS:  # type: ignore[attr-defined]
            raise SourceError("it is not UTF-8 but UTF-16: read it with --encoding utf-16")
        self._text = io.TextIOWrapper(file, encoding=self._encoding, errors="surrogateescape", newline="")
        self._lines: list[str] | None = None
        """The lines of the last row, while rows are copied."""
        self._cells: list[str] | str = []
        self._reader = csv_reader(self._remembered(self._text))
        try:
            self.columns = self._header()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the text, and the file with it."""
        self._text.close()

    def _remembered(self, text: Iterable[str]) -> Iterator[str]:
        for line in text:
            if self._lines is not None:
                self._lines.append(line)
            yield line

    def _header(self) -> list[str]:
        try:
            header: list[str] = next(self._reader, [])
        except (csv.Error, UnicodeError) as error:
            raise SourceError(f"the header cannot be read: {error}") from None
        if any("\udc80" <= character <= "\udcff" for name in header for character in name):
            raise SourceError("the header is in another encoding: see --encoding")
        return header

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:  # noqa: ARG002 - a row has all of its cells
        """Each record after the header."""
        for where, cells in csv_records(self._reader, self._forget_lines):
            self._cells = cells
            yield RawRow(where, partial(self._by_column, cells))

    def _forget_lines(self) -> None:
        if self._lines is not None:
            self._lines.clear()

    def _by_column(self, cells: list[str] | str) -> Mapping[str, str]:
        if isinstance(cells, str):
            raise ValueError(cells)  # noqa: TRY004 - the reason why the row is malformed
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cell{'s'[: len(cells) != 1]}, but the header has {len(self.columns)}")
        return dict(zip(self.columns, cells, strict=True))

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy as CSV in the same encoding; a line that cannot be read as a row is copied into one cell."""
        self._lines = []
        encoding = self._encoding.removesuffix("-sig")
        copy = io.TextIOWrapper(out, encoding=encoding, errors="surrogateescape", newline="")
        writer = csv.writer(copy)
        writer.writerow([REASON_COLUMN, *self._without_reason(self.columns)])

        def copy_row(reason: str) -> None:
            unread = ["".join(self._lines or ()).rstrip("\r\n")]
            writer.writerow([reason, *(unread if isinstance(self._cells, str) else self._without_reason(self._cells))])

        yield copy_row
        copy.flush()
        copy.detach()

    def _without_reason(self, cells: list[str]) -> list[str]:
        """The cells, except for that of an earlier reason."""
        if REASON_COLUMN not in self.columns or len(cells) != len(self.columns):
            return cells
        return [cell for name, cell in zip(self.columns, cells, strict=True) if name != REASON_COLUMN]


def csv_reader(text: Iterable[str]) -> Any:
    """A strict reader of CSV: it raises on malformed input."""
    csv.field_size_limit(_MAX_CELL)
    # Without strict, an unclosed quote would silently turn the rest of the file into one cell.
    return csv.reader(text, strict=True)


def csv_records(reader: Any, before: Callable[[], None] = lambda: None) -> Iterator[tuple[str, list[str] | str]]:
    """Each record after the header, with its place in the file: its cells, or why it could not be read.

    `before` is called before each record is read.
    """
    while True:
        first = reader.line_num + 1
        before()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num
            where = f"line {first}" if last <= first else f"lines {first} to {last}, none of which was read"
            yield where, _MEANINGS.get(str(error), str(error))
            continue
        except UnicodeError as error:
            yield f"line {first}, and all after it", str(error)
            return
        if cells:
            yield f"line {first}", cells
