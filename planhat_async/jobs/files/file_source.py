"""Rows from files, one at a time.

A row that cannot be read does not end the file: it becomes an `Unreadable`, which counts as invalid, and the rows
after it are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TypeAlias

from planhat_async.jobs.files.compression import HEAD_BYTES, compression_named, compression_of
from planhat_async.jobs.files.csv_reader import CsvReader
from planhat_async.jobs.files.excel_reader import ExcelReader
from planhat_async.jobs.files.formats import EXCEL_SUFFIXES, SUFFIXES, SourceFormat, implied_format
from planhat_async.jobs.files.id_reader import IdReader
from planhat_async.jobs.files.jsonl_reader import JsonlReader
from planhat_async.jobs.files.location import LocalFile, Location, located
from planhat_async.jobs.files.parquet_reader import ParquetReader
from planhat_async.jobs.files.row_reader import RowReader
from planhat_async.jobs.files.steady_file import ReadAhead
from planhat_async.jobs.files.unpacked_file import READ_BYTES, UnpackLimit, name_in_zip, unpacked
from planhat_async.jobs.mapping.column_names import ColumnNames
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.key_column import KeyColumn
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.source_error import SourceError
from planhat_async.results import Unreadable

STANDARD_INPUT = Path("-")
_Row: TypeAlias = dict[str, Any] | Unreadable


class FileSource:
    """The rows of a CSV, JSONL, Parquet or Excel file, as mappings of fields.

    A text that is compressed (gzip, bzip2, xz, zstd, a zip archive of one file) is recognised by its first bytes. With
    the format `ids`, each line is a row with an `id`; blank lines, and lines that begin with #, are ignored. The file
    must not change while it is read.

    Args:
        path: The file. A text may be a URL that fsspec knows (`s3://…`); `-` is standard input, which can be read once,
            and be neither Parquet nor Excel.
        mapping: Which column goes to which field, or has the keys of records; or what collects the columns.
        format: By default as the file's suffix says.
        encoding: Of CSV; a byte order mark is understood. JSONL is UTF-8.
        sheet: Of Excel, the name of the sheet; by default the first one.

    Raises:
        SourceError: The file is missing, or its suffix implies no format.
    """

    def __init__(
        self,
        path: Path | str,
        mapping: FieldMapping | KeyColumn | ColumnNames,
        *,
        format: SourceFormat | None = None,  # noqa: A002 - its usual name
        encoding: str = "utf-8",
        sheet: str | None = None,
    ) -> None:
        self.location: Location = located(path)
        self.path: Path = self.location.path
        self.is_standard_input: bool = self.location.is_read_once
        self.format: SourceFormat = _checked_format(self.location, format)
        if sheet is not None and self.format != "excel":
            raise SourceError(f"{self.location.name}: only Excel has sheets: leave out --sheet")
        self._mapping = mapping
        self._encoding = encoding
        self._sheet = sheet
        self._sheet_remarks: list[str] = []
        self._limit = UnpackLimit()
        self._raw: Any = None
        self._reader: RowReader | None = None
        self.rows_read: int = 0
        """Number of rows read, also by earlier iterations."""
        self.n_blank: int = 0
        """Number of rows left out by the last iteration, because no column that the mapping uses has a value."""
        self._begun: Iterator[_Row] | None = None
        self.total_bytes: int | None = None
        try:
            "".encode(self._encoding)
        except LookupError:
            raise SourceError(f"unknown encoding {encoding!r}") from None
        self.location.look_up()
        self.total_bytes = self.location.size

    @property
    def waits(self) -> bool:
        """Whether reading may take so long that it belongs in a thread: see `ThreadedSource`."""
        return self.is_standard_input or not self.location.is_local or self.format == "excel"

    @property
    def bytes_read(self) -> int:
        """How far into the file the reader is, a buffer ahead."""
        if self._reader is not None and self._reader.share_read is not None:
            return round(self._reader.share_read * (self.total_bytes or 0))
        if self._raw is None or self.is_standard_input:
            return 0
        return (self.total_bytes or 0) if self._raw.closed else self._raw.tell()

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        """The lookups of the mapping, by field: a job finds the ids; the rows here hold a `LookupValue` each."""
        return self._mapping.lookups

    def __iter__(self) -> Iterator[_Row]:
        begun, self._begun = self._begun, None
        return self._rows() if begun is None else begun

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the rows read so far, a line each: what was left out or not found."""
        blank = self.n_blank
        left_out = [f"{blank:,} blank {'row' if blank == 1 else 'rows'} left out"] if blank else []
        return [*left_out, *self._sheet_remarks]

    def description(self) -> dict[str, Any]:
        """Facts that must be the same in a rerun; the rows themselves are compared chunk by chunk."""
        facts: dict[str, Any] = {"format": self.format, "bytes": self.total_bytes, **self.location.description()}
        if self.format == "excel":
            facts["sheet"] = self._sheet
        return facts | self._mapping.description()

    def check_beginning(self) -> None:
        """Read the file's beginning, and refuse a file that does not fit before anything is sent.

        Raises:
            SourceError: The file cannot be read, or its columns do not fit the mapping.
        """
        rows = iter(self)
        first = next(rows, None)
        if self.is_standard_input or self.format == "excel":
            # The one cannot be read a second time, and the other is loaded whole each time.
            self._begun = itertools.chain([] if first is None else [first], rows)

    def refuse_copy(self, path: Path) -> None:
        """Refuse a name for a copy of some rows, if the copy is not in the format that the name implies.

        Raises:
            SourceError: Its compression is not written, or the rows are those of a workbook, and it is no CSV.
        """
        if self.format == "excel" and implied_format(path) != "csv":
            raise SourceError(f"{path}: rows of a workbook are copied as CSV: let the name end in .csv")
        compression = compression_named(path)
        if compression is not None and (compression.name == "zip" or self.format == "parquet"):
            raise SourceError(f"{path}: a copy of rows is not compressed like this: leave out {compression.suffix}")

    def copy(self, reasons: Iterable[tuple[int, str]], out: BinaryIO) -> None:
        """Copy rows, by their positions in ascending order, each with a reason, in the source's own format.

        A line that cannot be read as a row is copied unchanged, as far as the format allows it.
        """
        with self._opened() as reader, reader.copying(out) as copy_row:
            wanted = iter(reasons)
            position, reason = next(wanted, (-1, ""))
            for number, _ in enumerate(self._fitted(reader)):
                if number == position:
                    copy_row(reason)
                    position, reason = next(wanted, (-1, ""))

    def _rows(self) -> Generator[_Row, None, None]:
        with self._opened() as reader:
            for row in self._fitted(reader):
                self.rows_read += 1
                yield row

    def _fitted(self, reader: RowReader) -> Iterator[_Row]:
        """The rows of an open file, fitted to the model."""
        mapping, columns = self._mapping, reader.columns
        self.n_blank = 0
        if columns is not None:
            mapping.check_columns(columns)
        fit = mapping.apply_to_text if reader.holds_text else mapping.apply
        if isinstance(reader, ExcelReader):
            fit, self._sheet_remarks = mapping.apply_to_cells, reader.remarks
        for where, read in reader.rows(None if columns is None else mapping.columns_to_read(columns)):
            self._limit.n_bytes = 0
            try:
                row: _Row | None = fit(read())
            except ValueError as error:
                row = Unreadable(f"{where}: {error}")
            if row is None:
                self.n_blank += 1
            else:
                yield row

    @contextmanager
    def _opened(self) -> Iterator[RowReader]:
        """The open file; errors about it name it."""
        try:
            with self._reader_opened() as reader:
                self._reader = reader
                yield reader
        except SourceError as error:
            name = self.location.name
            raise error if name in str(error) else SourceError(f"{name}: {error}") from None

    @contextmanager
    def _reader_opened(self) -> Iterator[RowReader]:
        self._limit.n_bytes = 0
        with self._bytes() as file, closing(self._reader_of(file)) as reader:
            yield reader

    def _reader_of(self, file: BinaryIO) -> RowReader:
        if self.format == "csv":
            return CsvReader(file, encoding=self._encoding)
        if self.format == "parquet":
            if isinstance(self.location, LocalFile):
                return ParquetReader(self.path)  # faster than through a file of Python's
            return ParquetReader(self.path, file=file, refuse_change=self._raw.refuse_change)
        if self.format == "excel":
            return ExcelReader(file, sheet=self._sheet)
        return JsonlReader(file) if self.format == "jsonl" else IdReader(file)

    @contextmanager
    def _bytes(self) -> Iterator[BinaryIO]:
        """The bytes of the rows: those of a text are unpacked, if they are compressed."""
        name = self.location.name
        with self.location.opened() as self._raw:
            if self.format in _BINARY:
                with closing(ReadAhead(self._raw, READ_BYTES)) as binary:
                    _refuse_packed(name, binary, self.format)
                    yield binary
                return
            with unpacked(name, self.path, self._raw, self._limit) as file:
                yield file


_BINARY = {"parquet": "Parquet", "excel": "Excel"}
"""Formats that are read from their end, so that they cannot be unpacked on the way."""


def _refuse_packed(name: str, file: ReadAhead, format_: SourceFormat) -> None:
    """Refuse a file that is compressed.

    Raises:
        SourceError: It says so.
    """
    found = compression_of(file.peek(HEAD_BYTES)[:HEAD_BYTES])
    if found is not None and not (found.name == "zip" and format_ == "excel"):
        raise SourceError(_unpack_first(name, format_, found.name))


def _unpack_first(name: str, format_: SourceFormat, compression: str) -> str:
    return f"{name}: {_BINARY[format_]} is read from its end, which {compression} does not allow: unpack it first"


def _checked_format(location: Location, given: SourceFormat | None) -> SourceFormat:
    """The format that is given, or implied by the name, or by the name of the only file in a zip archive.

    Raises:
        SourceError: The name implies none, or the format cannot be read from it.
    """
    path, name = location.path, location.name
    found = given or implied_format(path)
    if found is None and location.is_read_once:
        raise SourceError("say how standard input is written, with --format csv or --format jsonl")
    if found is None and path.suffix.lower() == ".zip":
        location.look_up()
        with location.opened() as raw, closing(ReadAhead(raw)) as file:
            found = implied_format(PurePath(name_in_zip(name, file)))
    if found is None:
        suffixes = ", ".join([*SUFFIXES, *EXCEL_SUFFIXES])
        raise SourceError(f"{name}: the name must end in {suffixes}, or the format be given")
    if found in _BINARY and location.is_read_once:
        raise SourceError(f"{_BINARY[found]} is read from its end, which standard input does not allow: name a file")
    if found in _BINARY and path.suffix.lower() == ".zip":
        raise SourceError(_unpack_first(name, found, "zip"))
    return found
