"""Rows of workbooks: Excel's and OpenDocument's; needs the extra `excel`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, BinaryIO
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile

from planhat_async.jobs.files.compression import may_be_text
from planhat_async.jobs.files.formats import EXCEL_IS_MISSING
from planhat_async.jobs.files.sheet_faults import NO_VALUE, cell_name, column_name, faults_in
from planhat_async.jobs.files.table_reader import INDEX_LEFT_OUT, CopyRow, FileReader, RawRow
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_MAX_WHOLE = 2**53
"""Whole numbers below are exact as floats."""
_DURATION = re.compile(r"PT(\d+)H(\d\d)M(\d\d)(?:[.,]\d+)?S")
"""As OpenDocument writes it."""
_TYPE_NAMES: dict[type, str] = {int: "number", float: "number", bool: "boolean", datetime: "time"}
"""The types of values whose texts are read as something else, as `--type` names them."""
_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_IS_LOCKED = "it is protected by a password: save a copy without one"
_CHOOSE = "choose another with --sheet"


class ExcelReader(FileReader):
    """Reads a sheet of a workbook: .xlsx, .xlsm, .xlsb, .xls or .ods. The whole sheet is in memory.

    The first row that is not blank holds the names of the columns. Numbers,
    booleans, dates and times have their types: a whole number is an `int`, a date at midnight a `date`, any other
    has no time zone. A time of day and a duration are texts, `09:30:00` and `26:30:00`. A percentage is what it stands
    for: 25 % is 0.25. Formulas have the values that were saved with them. A row is invalid if a column that is used
    holds an error (`#N/A`) or a formula whose value was not saved; .xls and .xlsb do not tell these from empty cells.

    Args:
        file: A buffered file, which must be seekable.
        sheet: The name of the sheet; by default the first that is not hidden.

    Raises:
        SourceError: It is not a workbook that can be read, there is no such sheet, or python-calamine is not installed.
    """

    columns: list[str]
    share_read: float | None = None
    types_lost: dict[str, str]

    def __init__(self, file: BinaryIO, *, sheet: str | None = None) -> None:
        try:
            import python_calamine as calamine  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise SourceError(EXCEL_IS_MISSING) from None
        self._remarks: list[str] = []
        self._n_headers = 0
        with file:  # nothing else is read from it, and a source that is not read to its end may not be closed
            content = io.BytesIO(file.read())
        book = _loaded(calamine, content)
        try:
            name = sheet if sheet is not None else self._first_of(calamine, book)
            self._sheet = book.get_sheet_by_name(name)
        except calamine.CalamineError as error:
            raise SourceError(_why_no_sheet(book.sheet_names, sheet, error)) from None
        except BaseException as error:  # noqa: BLE001 - a panic of Rust is no Exception
            raise _not_panicked(error) from None
        finally:
            book.close()
        self._name = name
        self._faults = self._faults_of(content)
        self._rows = self._numbered_rows()
        self.columns, self._indexes = self._header()  # pyright: ignore[reportIncompatibleVariableOverride]
        self._remark_merged()
        self._row: tuple[int, list[Any]] = (0, [])

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the sheet, a line each."""
        headers = f"{self._n_headers:,} repeated header {'row' if self._n_headers == 1 else 'rows'} left out"
        return [*self._remarks, *([headers] if self._n_headers else [])]

    def _first_of(self, calamine: Any, book: Any) -> str:
        """The name of the first sheet; others that hold something are remarked."""
        sheets = [one for one in book.sheets_metadata if one.typ == calamine.SheetTypeEnum.WorkSheet]
        visible = [one for one in sheets if one.visible == calamine.SheetVisibleEnum.Visible] or sheets
        if not visible:
            raise SourceError("it has no sheet with cells")
        first: str = visible[0].name
        others = [one.name for one in sheets if one.name != first]
        filled = [name for name in others if book.get_sheet_by_name(name).start is not None]
        if filled:
            self._remarks.append(f"only the sheet {first!r} was read; {_CHOOSE}: {', '.join(map(repr, filled))}")
        return first

    def _faults_of(self, content: BinaryIO) -> dict[int, dict[int, str]]:
        """The cells with faults, as far as the kind of workbook tells."""
        try:
            return faults_in(content, self._name)
        except (KeyError, ValueError, BadZipFile, ExpatError):
            self._remarks.append("errors such as #N/A look like empty cells in this kind of workbook; .xlsx has them")
            return {}

    def _numbered_rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Each row that is not blank, with its number from 0."""
        # Early versions of python-calamine fail to iterate over an empty sheet.
        for number, cells in enumerate(() if self._sheet.start is None else self._sheet.iter_rows()):
            if any(cell != "" for cell in cells) or number in self._faults:  # pyright: ignore[reportGeneralTypeIssues]
                yield number, cells

    def _header(self) -> tuple[list[str], list[int]]:
        """The names of the columns, and their places in a row: those that have a name, or a value in some row."""
        self._left = (self._sheet.start or (0, 0))[1]
        number, cells = next(self._rows, (0, []))
        self._header_row, self._header_cells = number, cells
        texts = [_text_of(cell).strip() and _text_of(cell) for cell in cells]
        nameless = [index for index, text in enumerate(texts) if not text]
        filled: set[int] = set()
        if nameless:
            is_index = not texts[0]
            for _, row in self._rows:
                filled.update(index for index in nameless if row[index] != "")
                is_index = is_index and (row[0] == "" or type(_value_of(row[0])) is int)
            if is_index and filled & {0}:
                filled.remove(0)
                self._remarks.append(INDEX_LEFT_OUT.format(f"column {column_name(self._left)}"))
            self._rows = self._numbered_rows()
            next(self._rows, None)
        indexes = [index for index, text in enumerate(texts) if text or index in filled]
        return [texts[index] or f"column {column_name(self._left + index)}" for index in indexes], indexes

    def _remark_merged(self) -> None:
        ranges = [one for one in self._sheet.merged_cell_ranges or () if one[1][0] > self._header_row]
        if ranges:
            example = ":".join(cell_name(*corner) for corner in ranges[0])
            self._remarks.append(f"of merged cells only the first has the value ({len(ranges)}, such as {example})")

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each row that is not blank; an empty cell is `None`. Repeated headers are left out."""
        used = [
            (name, index)
            for name, index in zip(self.columns, self._indexes, strict=True)
            if columns is None or name in columns
        ]
        height = self._sheet.end[0] + 1 if self._sheet.end else 1
        for number, cells in self._rows:
            if cells == self._header_cells:
                self._n_headers += 1  # a sheet that was appended to another begins with it
                continue
            self._row = number, cells
            self.share_read = (number + 1) / height
            yield RawRow(f"row {number + 1}", partial(self._by_column, number, cells, used))

    def _by_column(self, number: int, cells: list[Any], used: Sequence[tuple[str, int]]) -> Mapping[str, Any]:
        faults = self._faults.get(number, {})
        for _, index in used if faults else ():
            if (fault := faults.get(self._left + index)) is not None:
                raise ValueError(f"{self._name}!{cell_name(number, self._left + index)} holds {fault}")
        return {name: None if cells[index] == "" else _value_of(cells[index]) for name, index in used}

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy as CSV, in UTF-8 with a byte order mark, by which spreadsheets recognise it."""
        copy = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
        writer = csv.writer(copy)
        types: dict[str, str] = {}
        self.types_lost = types  # pyright: ignore[reportIncompatibleVariableOverride]
        kept = [(name, i) for name, i in zip(self.columns, self._indexes, strict=True) if name != REASON_COLUMN]
        writer.writerow([REASON_COLUMN, *(name for name, _ in kept)])

        def copy_row(reason: str) -> None:
            number, cells = self._row
            faults = self._faults.get(number, {})
            writer.writerow([reason, *(_shown(cells[i], faults.get(self._left + i)) for _, i in kept)])
            types.update((name, kind) for name, i in kept if (kind := _TYPE_NAMES.get(type(_value_of(cells[i])))))

        yield copy_row
        copy.flush()
        copy.detach()


def _loaded(calamine: Any, content: io.BytesIO) -> Any:
    """The workbook.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        return calamine.load_workbook(content)
    except calamine.PasswordError:
        raise SourceError(_IS_LOCKED) from None
    except calamine.CalamineError as error:
        raise SourceError(_why_no_workbook(content.getvalue(), error)) from None
    except BaseException as error:  # noqa: BLE001 - as above
        raise _not_panicked(error) from None


def _not_panicked(error: BaseException) -> BaseException:
    """The error; that of a program in Rust, which is no `Exception`, as a `SourceError`."""
    is_panic = type(error).__name__ == "PanicException"
    return SourceError(f"it is not a workbook that can be read: {error}") if is_panic else error


def _why_no_workbook(content: bytes, error: Exception) -> str:
    if content.startswith(_OLE) and _ENCRYPTED in content:
        return _IS_LOCKED
    if not content:
        return "it is empty"
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return "it is HTML or XML, and no workbook: open it in a spreadsheet, and save it as .xlsx"
    if not content.startswith((b"PK", _OLE)) and may_be_text(content[:1000]):
        return "it is a text, and no workbook: name it .csv, or say --format csv"
    return f"it is not a workbook that can be read: {error}"


def _why_no_sheet(names: Sequence[str], sheet: str | None, error: Exception) -> str:
    if sheet is not None and sheet not in names:
        return f"it has no sheet {sheet!r}; it has {', '.join(map(repr, names))}"
    return f"the sheet cannot be read: {error}"


def _value_of(cell: Any) -> Any:
    """The value of a cell that is not empty."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < _MAX_WHOLE else cell
    if isinstance(cell, str):
        found = _DURATION.fullmatch(cell)
        return f"{int(found[1])}:{found[2]}:{found[3]}" if found else cell
    return _text_of(cell) if isinstance(cell, time | timedelta) else cell


def _text_of(cell: Any) -> str:
    """The value of a cell as text, in a form that CSV is read in."""
    value = _value_of(cell) if isinstance(cell, float) else cell
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)


def _shown(cell: Any, fault: str | None) -> str:
    """A cell in a copy: an error is kept; a value that is missing stays so."""
    return _text_of(cell) if fault in (None, NO_VALUE) else str(fault)
