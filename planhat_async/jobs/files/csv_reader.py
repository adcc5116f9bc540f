"""Rows of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, ClassVar, cast

import attrs

from planhat_async.jobs.files.cell_block import MAX_COLUMNS, CellBlock, PlainRows
from planhat_async.jobs.files.csv_dialect import (
    SEPARATORS,
    cause_of,
    declared_delimiter,
    has_blanks_before_quotes,
    is_blank,
    recognised,
    unseparated,
)
from planhat_async.jobs.files.record_lines import RecordLines, RecordTooLongError, TextLines, count_lines
from planhat_async.jobs.files.table_reader import INDEX_LEFT_OUT, CopyRow, FileReader, RawRow
from planhat_async.jobs.files.text_encoding import ALWAYS_DECODED, MARK_BYTES, encoding_of
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_MAX_HEADER = 1 << 20
_MAX_CELL = 2**31 - 1
"""No limit: that of records is lower."""
_BLOCK_CHARS = 2**15
_LARGE_BLOCK = 16
"""Rows of a block that takes less time than so many rows one by one."""
_MAX_SINGLY = 2**12
"""Rows that are read one by one where blocks are small: first one, then twice as many each time."""
_MARK = "\ufeff"
"""A byte order mark, which a file that was appended to another begins with."""


class CsvReader(FileReader):
    """Reads CSV.

    Behind an error of quotes it is uncertain where the next row begins: text within a cell may look like a row. So
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
        self.encoding: str = encoding_of(file.peek(MARK_BYTES)[:MARK_BYTES], encoding)  # type: ignore[attr-defined]
        self._text = io.TextIOWrapper(file, encoding=self.encoding, errors="surrogateescape", newline="")
        self._cells: list[str] | None = []
        """The cells of the last row; `None` for the unread rest of the file."""
        self._is_copying = False
        self._must_be_blank: list[int] = []
        """The positions of columns without a name whose cells are not ignored."""
        self._has_index = False
        """Whether the first column has no name, and numbers of rows, as the index of a data frame is written."""
        self._n_headers = 0
        self._unread = ""
        """What is said about the rest of the file that was not read."""
        self._rest: Iterator[str] = iter(())
        """Its text, as far as it can be decoded."""
        try:
            self._read_header(delimiter, escape, knows)
        except UnicodeError as error:
            self.close()
            raise SourceError(f"the header cannot be read: it is not {self.encoding} ({error})") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the text, and the file with it."""
        self._text.close()

    def _read_header(self, delimiter: str | None, escape: str | None, knows: Callable[[str], bool]) -> None:
        self._text_lines = TextLines(self._text)
        ahead, self._n_skipped, declaration = _beginning(iter(self._text_lines), delimiter)
        delimiter = delimiter or declared_delimiter(declaration)
        self._dialect = recognised(ahead, delimiter=delimiter, escape=escape, knows=knows)
        self._text_lines.put_back("".join(ahead))
        self._lines = RecordLines((), iter(self._text_lines))
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
        self._reader = self._dialect.reader(self._lines)
        self._null = None if escape is None else f"{escape}N"
        """The cell without a value of a program that escapes."""
        self._hides_quotes = partial(has_blanks_before_quotes, self._dialect.delimiter)
        self.columns = self._checked_header()  # pyright: ignore[reportIncompatibleVariableOverride]
        self._n_named = max((n for n, name in enumerate(self.columns, 1) if name.strip()), default=0)
        """The least cells of a row: columns without a name at the end may be left out."""
        self._heads = [self.columns, *self._dialect.reader([declaration])]
        """Headers, which come again where a file was appended to another."""
        names = [head[0] for head in self._heads if head]
        self._first_cells = {one for name in names for one in (name, _MARK + name, f'{_MARK}"{name}"')}

    def _checked_header(self) -> list[str]:
        where = f"line {self._n_skipped + 1}: the header"
        try:
            header: list[str] = next(self._reader)
        except (csv.Error, RecordTooLongError) as error:
            raise SourceError(f"{where} cannot be read: {self._cause(error)}") from None
        text = "".join(header)
        if text.count("\0") * 3 > len(text):
            order = "be" if text.startswith("\0") else "le"
            raise SourceError(f"{where} is probably UTF-16: say --encoding utf-16-{order}")
        if any("\udc80" <= character <= "\udcff" for character in text):
            raise SourceError(f"{where} is not {self.encoding}: say --encoding, such as cp1252")
        return header

    @property
    def misfit(self) -> str | None:
        """What to do if the columns do not fit, because they were not separated."""
        return unseparated(self.columns, self._dialect)

    @property
    def remarks(self) -> list[str]:
        """What was left out, and what was not read."""
        said = [INDEX_LEFT_OUT.format("column 1")] if self._has_index else []
        if self._n_headers:
            said.append(f"{self._n_headers:,} repeated header {'row' if self._n_headers == 1 else 'rows'} left out")
        if self._unread:
            said.append(self._unread)
        if self._cells == []:
            said.append("the file has a header and no rows")
        return said

    def description(self) -> dict[str, Any]:
        """The dialect and the encoding, where they are not the usual ones."""
        dialect, encoding = self._dialect, self.encoding.removesuffix("-sig")
        facts = {"delimiter": dialect.delimiter, "escape": dialect.escape, "encoding": encoding}
        usual = {"delimiter": ",", "escape": None, "encoding": "utf-8"}
        return {name: fact for name, fact in facts.items() if fact != usual[name]}

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each record after the header; repeated headers are left out."""
        self._begin_rows(columns)
        return cast("Iterator[RawRow]", self._rows_and_blocks(None))

    def rows_and_blocks(self, columns: Sequence[str] | None) -> Iterator[RawRow | CellBlock]:
        """As `rows`, but plain rows come in blocks."""
        self._begin_rows(columns)
        return self._rows_and_blocks(self._plain_rows())

    def _begin_rows(self, columns: Sequence[str] | None) -> None:
        used = self.columns if columns is None else columns
        self._must_be_blank = [n for n, name in enumerate(self.columns) if not name.strip() and name in used]
        self._n_columns = len(self.columns)
        self._has_more_to_check = bool(self._must_be_blank) or self._null is not None

    def _plain_rows(self) -> PlainRows | None:
        """Finds plain rows; `None` if there may be none, or if each row must be read by itself."""
        is_usual = self.encoding in ALWAYS_DECODED and not self._dialect.skips_blanks
        if not is_usual or self._has_more_to_check or self._is_copying or not 1 < self._n_columns <= MAX_COLUMNS:
            return None
        return PlainRows(self._dialect.delimiter, self._n_columns, self._first_cells)

    def _rows_and_blocks(self, plain: PlainRows | None) -> Iterator[RawRow | CellBlock]:
        by_column = self._by_column
        reader, record, first_cells = self._reader, self._lines.record, self._first_cells
        n_before, n_singly, n_next_singly = self._n_skipped + 1, 0, 1
        while True:
            if plain is not None and not n_singly:
                block = self._next_block(plain, n_before + reader.line_num)
                if block is not None:
                    n_before += block.n_lines
                    yield block
                is_large = block is not None and len(block.cells) >= _LARGE_BLOCK
                n_singly = n_next_singly = 1 if is_large else min(2 * n_next_singly, _MAX_SINGLY)
            n_singly -= 1
            first = n_before + reader.line_num
            record.clear()
            try:
                cells = next(reader)
                if len(record) != 1 or ' "' in record[0]:
                    cells = self._past_blanks(cells)
            except StopIteration:
                return
            except (csv.Error, RecordTooLongError, UnicodeError) as error:
                yield self._unread_rest(first, error)
                return
            if cells and not (cells[0] in first_cells and self._is_header(cells)):
                self._cells = cells
                yield RawRow(f"line {first}", partial(by_column, cells))

    def _next_block(self, plain: PlainRows, first_line: int) -> CellBlock | None:
        """The plain rows that come next, if there are any."""
        text = self._text_lines.take(_BLOCK_CHARS)
        block = plain.block(text, first_line)
        self._text_lines.put_back(text if block is None else text[block.n_chars :])
        if block is not None:
            self._cells = [*block.cells[-1][:-1]]
        return block

    def _past_blanks(self, cells: list[str]) -> list[str]:
        """The cells of a record in which quotes may stand behind blanks: they are quotes, and no such blank counts.

        Raises:
            csv.Error: Then the record does not end where it seems to end.
        """
        record = self._lines.record
        if not self._hides_quotes("".join(record)) or self._dialect.skips_blanks or self._dialect.delimiter == " ":
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
            return f"it is not {self.encoding} ({error})"
        return cause_of(error, self._lines.record, self._dialect)

    def _unread_rest(self, first: int, error: Exception) -> RawRow:
        """The rest of the file, from a line on, as one row that cannot be read."""
        cause = self._cause(error)
        self._cells = None
        self._unread = f"nothing was read from line {first} on"
        where = f"line {first} and all after it"
        # The text behind an error of decoding is not known to follow at once.
        if not isinstance(error, UnicodeError):
            self._rest = self._lines.rest()
        if not (self._is_copying or isinstance(error, UnicodeError)):
            with suppress(UnicodeError):
                n_lines = count_lines(self._rest)
                is_one, last = n_lines == 1, first + n_lines - 1
                where = f"line {first}, the last" if is_one else f"lines {first} to {last}, the last"
                lines = "1 line was" if is_one else f"{n_lines:,} lines were"
                self._unread = f"{lines} not read, from line {first} on, and counted as one invalid row"
        return RawRow(where, partial(_refuse, cause))

    def _by_column(self, cells: list[str]) -> Mapping[str, str]:
        if len(cells) != self._n_columns or self._has_more_to_check:
            cells = self._checked(cells)
        return dict(zip(self.columns, cells))  # noqa: B905 - as many of each; to say so takes a third of the time

    def _checked(self, cells: list[str]) -> list[str]:
        """The cells of a row of any length, one a column."""
        n_cells, n_columns = len(cells), self._n_columns
        if not self._fits(cells):
            raise ValueError(f"{n_cells} cell{'s'[: n_cells != 1]}, but the header has {n_columns}")
        null = self._null
        filled = [*("" if cell == null else cell for cell in cells[:n_columns]), *[""] * (n_columns - n_cells)]
        for position in self._must_be_blank:
            cell = filled[position].strip()
            if cell.isdecimal() and not position:
                self._has_index = True
            elif cell:
                held = f"column {position + 1} has no name, but holds {filled[position][:40]!r}"
                raise ValueError(f"{held}: name it in the header, or choose columns with --map")
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
        copy = io.TextIOWrapper(out, encoding=self.encoding, errors="surrogateescape", newline="")
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
            with suppress(UnicodeError):  # no more can be copied: the reason says that nothing was read
                for part in self._rest:
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


def _beginning(lines: Iterator[str], delimiter: str | None) -> tuple[list[str], int, str]:
    """The lines of a header and perhaps more, how many were skipped before it, and the one that declares a separator.

    Raises:
        SourceError: There is no header.
    """
    declaration = ""
    for n_skipped, line in enumerate(line.lstrip(_MARK) for line in lines):
        if not declaration and declared_delimiter(line) is not None:
            declaration = line
        elif not is_blank(line, delimiter or declared_delimiter(declaration)):
            return [line, *_quoted_lines(line, lines)], n_skipped, declaration
    raise SourceError("the file is empty: it has no header")


def _quoted_lines(first: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines after the first of a header that end a quote, if it is closed at all."""
    n_quotes, size = first.count('"'), len(first)
    while n_quotes % 2 and size < _MAX_HEADER and (line := next(lines, "")):
        yield line
        n_quotes, size = n_quotes + line.count('"'), size + len(line)
