"""Rows of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, ClassVar

import attrs

from planhat_async.jobs.files.csv_dialect import (
    SEPARATORS,
    blanks_before_quotes,
    cause_of,
    declared_delimiter,
    is_blank,
    recognised,
    unseparated,
)
from planhat_async.jobs.files.record_lines import RecordLines, RecordTooLongError, lines_of_text
from planhat_async.jobs.files.row_reader import CopyRow, RawRow, RowReader
from planhat_async.jobs.files.text_encoding import MARK_BYTES, encoding_of
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_MAX_HEADER = 1 << 20
_MAX_CELL = 2**31 - 1
"""No limit: that of records is lower."""
_MARK = "\ufeff"
"""A byte order mark, which a file that was appended to another begins with."""


class CsvReader(RowReader):
    """Reads CSV.

    Behind an error of quotes nobody can know where the next row begins: text within a cell may look like a row. So
    nothing behind it is read, and the rest of the file is one row that cannot be read.

    Args:
        file: A buffered file.
        encoding: That of its text, if it has no byte order mark.
        delimiter: What separates cells, if its header is not to show it.
        escape: The character before quotes within quoted cells; without one, they are doubled.
        knows: Whether the mapping or the model knows a column; it chooses among separators.

    Raises:
        SourceError: The file is empty, or its header cannot be read.
    """

    holds_text: ClassVar[bool] = True
    columns: list[str]

    def __init__(
        self,
        file: BinaryIO,
        *,
        encoding: str = "utf-8",
        delimiter: str | None = None,
        escape: str | None = None,
        knows: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._encoding = encoding_of(file.peek(MARK_BYTES)[:MARK_BYTES], encoding)  # type: ignore[attr-defined]
        self._text = io.TextIOWrapper(file, encoding=self._encoding, errors="surrogateescape", newline="")
        self._cells: list[str] | None = []
        """The cells of the last row; `None` for the unread rest of the file."""
        self._is_copying = False
        self._must_be_blank: list[int] = []
        """The positions of columns without a name whose cells are not ignored."""
        self._n_headers = self._n_unread = 0
        try:
            self._read_header(delimiter, escape, knows)
        except UnicodeError as error:
            self.close()
            raise SourceError(f"the header cannot be read: it is not {self._encoding} ({error})") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the text, and the file with it."""
        self._text.close()

    def _read_header(self, delimiter: str | None, escape: str | None, knows: Callable[[str], bool]) -> None:
        lines = lines_of_text(self._text)
        ahead, self._n_skipped, declared = _beginning(lines, delimiter)
        self._dialect = recognised(ahead, delimiter=delimiter or declared, escape=escape, knows=knows)
        self._lines = RecordLines(ahead, lines)
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
        self._reader = self._dialect.reader(self._lines)
        self._null = None if escape is None else f"{escape}N"
        """The cell without a value of a program that escapes."""
        self._hides_quotes = blanks_before_quotes(self._dialect.delimiter).search
        self.columns = self._checked_header()
        self._n_named = max((n for n, name in enumerate(self.columns, 1) if name.strip()), default=0)
        """The least cells of a row: columns without a name at the end may be left out."""
        self._heads = [self.columns, *([] if declared is None else [["sep=", ""], [f"sep={declared}"]])]
        """Rows that are no rows: a file that was appended to another begins with them."""
        names = [head[0] for head in self._heads]
        self._first_cells = {one for name in names for one in (name, _MARK + name, f'{_MARK}"{name}"')}

    def _checked_header(self) -> list[str]:
        where = f"line {self._n_skipped + 1}: the header"
        try:
            header: list[str] = next(self._reader)
        except (csv.Error, RecordTooLongError) as error:
            raise SourceError(f"{where} cannot be read: {self._cause(error)}") from None
        if "\0" in "".join(header):
            raise SourceError(f"{where} holds NUL characters: if it is UTF-16, say --encoding utf-16-le")
        if any("\udc80" <= character <= "\udcff" for name in header for character in name):
            raise SourceError(f"{where} is not {self._encoding}: say --encoding, such as cp1252")
        return header

    @property
    def misfit(self) -> str | None:
        """What to do if the columns do not fit, because they were not separated."""
        return unseparated(self.columns, self._dialect)

    @property
    def remarks(self) -> list[str]:
        """What was left out, and what was not read."""
        said = []
        if self._n_headers:
            said.append(f"{self._n_headers:,} repeated header {'row' if self._n_headers == 1 else 'rows'} left out")
        if self._n_unread:
            lines = "line was" if self._n_unread == 1 else "lines were"
            said.append(f"{self._n_unread:,} {lines} not read, up to the end of the file")
        if self._cells == []:
            said.append("the file has a header and no rows")
        return said

    def description(self) -> dict[str, Any]:
        """The dialect and the encoding, where they are not the usual ones."""
        dialect, encoding = self._dialect, self._encoding.removesuffix("-sig")
        facts = {"delimiter": dialect.delimiter, "escape": dialect.escape, "encoding": encoding}
        usual = {"delimiter": ",", "escape": None, "encoding": "utf-8"}
        return {name: fact for name, fact in facts.items() if fact != usual[name]}

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each record after the header; repeated headers are left out."""
        used = self.columns if columns is None else columns
        self._must_be_blank = [n for n, name in enumerate(self.columns) if not name.strip() and name in used]
        self._n_columns = len(self.columns)
        self._has_more_to_check = bool(self._must_be_blank) or self._null is not None
        by_column = self._by_column
        reader, record, n_skipped, first_cells = self._reader, self._lines.record, self._n_skipped, self._first_cells
        while True:
            first = n_skipped + reader.line_num + 1
            record.clear()
            try:
                cells = next(reader)
                if len(record) != 1 or ' "' in record[0]:
                    cells = self._past_blanks(cells)
            except StopIteration:
                return
            except (csv.Error, RecordTooLongError, UnicodeError) as error:
                yield self._unread(first, error)
                return
            if cells and not (cells[0] in first_cells and self._is_header(cells)):
                self._cells = cells
                yield RawRow(f"line {first}", partial(by_column, cells))

    def _past_blanks(self, cells: list[str]) -> list[str]:
        """The cells of a record in which quotes may stand behind blanks: they are quotes all the same.

        Raises:
            csv.Error: Then the record does not end where it seems to end.
        """
        record = self._lines.record
        if self._hides_quotes("".join(record)) is None or self._dialect.skips_blanks or self._dialect.delimiter == " ":
            return cells
        again = list(attrs.evolve(self._dialect, skips_blanks=True).reader(record))
        if len(again) != 1:
            raise csv.Error("a quote behind a blank is not closed in its row")
        is_same = [cell.lstrip(" ") for cell in again[0]] == [cell.lstrip(" ") for cell in cells]
        return cells if is_same else again[0]

    def _is_header(self, cells: list[str]) -> bool:
        """Whether a row is the header again; it is then counted."""
        name = cells[0].removeprefix(_MARK)
        names = (name, name[1:-1]) if name != cells[0] else (name,)
        is_header = any([one, *cells[1:]] in self._heads for one in names)
        self._n_headers += is_header
        return is_header

    def _cause(self, error: Exception) -> str:
        if isinstance(error, UnicodeError):
            return f"it is not {self._encoding} ({error})"
        return cause_of(error, self._lines.record, self._dialect)

    def _unread(self, first: int, error: Exception) -> RawRow:
        """The rest of the file, from a line on, as one row that cannot be read."""
        cause = self._cause(error)
        self._cells = None
        if self._is_copying:  # which reads the rest
            return RawRow(f"line {first}", partial(_refuse, cause))
        self._n_unread, is_whole = self._lines.skip_rest()
        last = first + self._n_unread - 1
        where = f"line {first}" if last <= first else f"lines {first} to {last}"
        return RawRow(f"{where}{', the last' if is_whole else ' and all after'}", partial(_refuse, cause))

    def _by_column(self, cells: list[str]) -> Mapping[str, str]:
        if len(cells) != self._n_columns or self._has_more_to_check:
            cells = self._checked(cells)
        return dict(zip(self.columns, cells, strict=True))

    def _checked(self, cells: list[str]) -> list[str]:
        """The cells of a row of any length, one a column."""
        n_cells, n_columns = len(cells), self._n_columns
        if not self._fits(cells):
            raise ValueError(f"{n_cells} cell{'s'[: n_cells != 1]}, but the header has {n_columns}")
        null = self._null
        filled = [*("" if cell == null else cell for cell in cells[:n_columns]), *[""] * (n_columns - n_cells)]
        for position in self._must_be_blank:
            if filled[position].strip():
                raise ValueError(
                    f"column {position + 1} has no name, but the cell {filled[position][:40]!r}: name the column in "
                    "the header, or choose columns with --map"
                )
        return filled

    def _fits(self, cells: list[str]) -> bool:
        """Whether a row lacks no cell of a named column, and has no more than blank ones beyond the header."""
        has_enough = len(cells) >= self._n_named or not any(map(str.strip, cells))
        return has_enough and not any(map(str.strip, cells[len(self.columns) :]))

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy as CSV in the same encoding and dialect.

        The unread rest is copied unchanged, as one cell beyond the columns, so that it never becomes a row.
        """
        self._is_copying = True
        copy = io.TextIOWrapper(out, encoding=self._encoding, errors="surrogateescape", newline="")
        writer = self._dialect.writer(copy)
        if self._dialect.delimiter not in SEPARATORS:
            copy.write(f"sep={self._dialect.delimiter}\r\n")
        writer.writerow([REASON_COLUMN, *self._without_reason(self.columns)])

        def copy_row(reason: str) -> None:
            if self._cells is not None:
                writer.writerow([reason, *self._without_reason(self._cells)])
                return
            beginning = io.StringIO(newline="")
            self._dialect.writer(beginning).writerow([reason, *[""] * len(self.columns), ""])
            copy.write(beginning.getvalue().rstrip("\r\n") + '"')
            with suppress(UnicodeError):  # no more can be copied: the reason says so
                for part in self._lines.rest():
                    copy.write(self._dialect.quoted(part))
            copy.write('"\r\n')

        yield copy_row
        copy.flush()
        copy.detach()

    def _without_reason(self, cells: list[str]) -> list[str]:
        """The cells, except for that of an earlier reason."""
        if REASON_COLUMN not in self.columns or not self._fits(cells):
            return cells
        position = self.columns.index(REASON_COLUMN)
        return [*cells[:position], *cells[position + 1 :]]


def _refuse(cause: str) -> Mapping[str, str]:
    raise ValueError(f"not read, because {cause}")


def _beginning(lines: Iterator[str], delimiter: str | None) -> tuple[list[str], int, str | None]:
    """The lines of a header and perhaps more, how many were skipped before it, and the separator that they declare."""
    declared = None
    for n_skipped, line in enumerate(lines):
        if declared is None and (found := declared_delimiter(line)) is not None:
            declared = found
        elif not is_blank(line, delimiter or declared):
            return [line, *_quoted_lines(line, lines)], n_skipped, declared
    raise SourceError("the file is empty: it has no header")


def _quoted_lines(first: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines after the first of a header that end a quote, if it is closed at all."""
    n_quotes, size = first.count('"'), len(first)
    while n_quotes % 2 and size < _MAX_HEADER and (line := next(lines, "")):
        yield line
        n_quotes, size = n_quotes + line.count('"'), size + len(line)
