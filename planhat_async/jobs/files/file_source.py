"""Rows from files, one at a time.

A row that cannot be read does not end the file: it becomes an `Unreadable`, which counts as invalid, and the rows
after it are read.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from planhat_async.jobs.files.compression import compression_named
from planhat_async.jobs.files.csv_reader import CsvReader
from planhat_async.jobs.files.excel_reader import ExcelReader
from planhat_async.jobs.files.formats import SourceFormat, implied_format
from planhat_async.jobs.files.id_reader import IdReader
from planhat_async.jobs.files.json_reader import JsonReader
from planhat_async.jobs.files.location import LocalFile, Location, located
from planhat_async.jobs.files.parquet_reader import ParquetReader
from planhat_async.jobs.files.row_fitter import FileMapping, FittedRow, RowFitter
from planhat_async.jobs.files.source_format import (
    BINARY,
    COPIED_AS,
    checked_format,
    dialect_options,
    refuse_packed,
)
from planhat_async.jobs.files.steady_file import ReadAhead
from planhat_async.jobs.files.table_reader import FileReader
from planhat_async.jobs.files.text_encoding import normalised
from planhat_async.jobs.files.unpacked_file import READ_BYTES, UnpackLimit, unpacked
from planhat_async.jobs.input_report import InputReport
from planhat_async.jobs.mapping.column_spelling import folded
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.source_error import SourceError

STANDARD_INPUT = Path("-")
_MAX_ROWS_AHEAD, _MAX_BYTES_AHEAD = 1000, 2**20
"""How far a file is read before anything is sent, to find the columns that its rows name."""


class FileSource:
    """The rows of a CSV, JSON, JSONL, Parquet or Excel file, as mappings of fields.

    A text that is compressed (gzip, bzip2, xz, zstd, a zip archive of one file) is recognised by its first bytes. With
    the format `ids`, each line is a row with an `id`; blank lines, and lines that begin with #, are ignored. The file
    must not change while it is read.

    Args:
        path: The file. A text may be a URL that fsspec knows (`s3://…`); `-` is standard input, which can be read once,
            and be neither Parquet nor Excel.
        mapping: Which column goes to which field, or has the keys of records; or what collects the columns.
        format: By default as the file's suffix says.
        encoding: Of CSV and JSON; a byte order mark takes precedence.
        delimiter: What separates the columns of CSV: one character, or `tab`. By default the header shows it, or the
            suffix `.tsv`.
        escape: The character before quotes within the quoted cells of CSV, or `backslash`. By default such quotes are
            doubled.
        sheet: Of Excel, the name of the sheet; by default the first one.

    Raises:
        SourceError: The file is missing, or its suffix implies no format; or an option does not fit.
    """

    def __init__(
        self,
        path: Path | str,
        mapping: FileMapping,
        *,
        format: SourceFormat | None = None,  # noqa: A002 - its usual name
        encoding: str = "utf-8",
        delimiter: str | None = None,
        escape: str | None = None,
        sheet: str | None = None,
    ) -> None:
        self.location: Location = located(path)
        self.path: Path = self.location.path
        self.is_standard_input: bool = self.location.is_read_once
        self.format: SourceFormat = checked_format(self.location, format)
        if sheet is not None and self.format != "excel":
            raise SourceError(f"{self.location.name}: only Excel has sheets: leave out --sheet")
        self._mapping = mapping
        self._encoding = encoding
        self._delimiter, self._escape = dialect_options(self.format, self.location, delimiter, escape)
        self._sheet = sheet
        self._limit = UnpackLimit()
        self._types_lost: Mapping[str, str] = {}
        self._raw: Any = None
        self._reader: FileReader | None = None
        self.rows_read: int = 0
        """Number of rows read, also by earlier iterations."""
        self.has_report: bool = False
        """Whether to collect what a dry run reports; see `report`."""
        self._fitter = RowFitter(mapping)
        self._begun: Iterator[FittedRow] | None = None
        self.total_bytes: int | None = None
        try:
            normalised(encoding)
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

    def __iter__(self) -> Iterator[FittedRow]:
        begun, self._begun = self._begun, None
        return self._rows() if begun is None else begun

    @property
    def n_blank(self) -> int:
        """Number of rows left out by the last iteration, because no column that the mapping uses has a value."""
        return self._fitter.n_blank

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the rows read so far, a line each: what was left out or not found."""
        return [*(self._reader.remarks if self._reader is not None else ()), *self._fitter.remarks]

    @property
    def report(self) -> InputReport | None:
        """What the rows of the last iteration hold, if `has_report` was set before it, and a mapping makes them."""
        return self._fitter.report

    @property
    def name(self) -> str:
        """The name of the file, without its folder and without secrets; `-` for standard input."""
        return self.location.name.rstrip("/").rpartition("/")[2] or self.location.name

    def description(self) -> dict[str, Any]:
        """Facts that must be the same in a rerun; the rows themselves are compared chunk by chunk."""
        if self._reader is None and self.format == "csv" and not self.is_standard_input:
            self.check_beginning()  # its header shows the dialect
        facts: dict[str, Any] = {"format": self.format, "bytes": self.total_bytes, **self.location.description()}
        if self.format == "excel":
            facts["sheet"] = self._sheet
        how = {} if self._reader is None else self._reader.description()
        return {**facts, **how, **self._mapping.description()}

    def check_beginning(self) -> None:
        """Read the file's beginning, and refuse a file that does not fit before anything is sent.

        Raises:
            SourceError: The file cannot be read, or its columns do not fit the mapping.
        """
        n_read_before, rows = self.rows_read, self._rows()
        ahead: list[FittedRow] = []
        with self._naming_file():
            for row in rows:
                ahead.append(row)
                if self._is_known_so_far(ahead):
                    break
            else:
                self._refuse_whole()
        if self.is_standard_input or self.format == "excel":
            # The one cannot be read a second time, and the other is loaded whole each time.
            self._begun = itertools.chain(ahead, rows)
        else:
            rows.close()
            self.rows_read = n_read_before

    def _is_known_so_far(self, ahead: Sequence[FittedRow]) -> bool:
        """Whether no more rows need to be read before the first is sent."""
        n_bytes = 0 if self._reader is None else self._reader.n_bytes_taken
        is_far = len(ahead) >= _MAX_ROWS_AHEAD or n_bytes >= _MAX_BYTES_AHEAD
        return self._fitter.usage.is_settled or (is_far and len(ahead) > 1)

    def _refuse_whole(self) -> None:
        """Refuse a file, all of whose rows are known, if it lacks a column."""
        if objection := self._fitter.usage.objection():
            raise SourceError(objection)

    def refuse_copy(self, path: Path) -> None:
        """Refuse a name for a copy of some rows, if the copy is not in the format that the name implies.

        Raises:
            SourceError: It implies another format, or a compression that is not written.
        """
        implied, copied = implied_format(path), COPIED_AS[self.format]
        if self.format == "excel" and implied != "csv":
            raise SourceError(f"{path}: rows of a workbook are copied as CSV: let the name end in .csv")
        if implied is not None and (copied is None or implied not in copied):
            words = "lines of ids: let the name end in .txt" if copied is None else f"{copied[0]}: let the name say so"
            raise SourceError(f"{path}: rows of this file are copied as {words}")
        compression = compression_named(path)
        if compression is not None and (compression.name == "zip" or self.format == "parquet"):
            raise SourceError(f"{path}: a copy of rows is not compressed like this: leave out {compression.suffix}")

    def copy(self, reasons: Iterable[tuple[int, str]], out: BinaryIO) -> None:
        """Copy rows, by their positions in ascending order, each with a reason, in the source's own format.

        A line that cannot be read as a row is copied unchanged, as far as the format allows it.

        Raises:
            SourceError: There is no row at a position, because it is another file than it was; or the file is damaged.
        """
        with self._opened() as reader, reader.copying(out) as copy_row:
            rows = enumerate(RowFitter(self._mapping).rows(reader, on_row=self._limit.reset))
            for position, reason in reasons:
                # Not read further than needed: a damaged file has rows that can be copied.
                if not any(number == position for number, _ in rows):
                    raise SourceError(f"it has no row {position + 1:,} any more, so it has changed")
                copy_row(reason)
            self._types_lost = reader.types_lost

    @property
    def copy_remark(self) -> str | None:
        """How to read the last copy, if its format holds only text: a custom field has the type of its value."""
        if not self._types_lost or not isinstance(self._mapping, FieldMapping):
            return None
        lost, readers = {folded(column): kind for column, kind in self._types_lost.items()}, self._mapping.readers
        columns = self._mapping.columns or {column.strip(): column for column in self._types_lost}
        custom = [
            f"--type {shlex.quote(f'{name}={lost[folded(column)]}')}"
            for name, column in columns.items()
            if name.startswith("custom.") and folded(column) in lost and name not in {*readers.types, *readers.dates}
        ]
        return f"it holds only texts: to send it, add {' '.join(custom)}" if custom else None

    def _rows(self) -> Generator[FittedRow, None, None]:
        with self._opened() as reader:
            self._fitter = RowFitter(self._mapping, has_report=self.has_report)
            for rows in self._fitter.lists(reader, on_row=self._limit.reset):
                self.rows_read += len(rows)
                yield from rows

    @contextmanager
    def _opened(self) -> Iterator[FileReader]:
        """The open file."""
        with self._naming_file(), self._reader_opened() as reader:
            self._reader = reader
            yield reader

    @contextmanager
    def _naming_file(self) -> Iterator[None]:
        """Errors about the file name it."""
        try:
            yield
        except SourceError as error:
            name = self.location.name
            raise error if name in str(error) else type(error)(f"{name}: {error}") from None

    @contextmanager
    def _reader_opened(self) -> Iterator[FileReader]:
        self._limit.reset()
        with self._bytes() as file, closing(self._reader_of(file)) as reader:
            yield reader

    def _reader_of(self, file: BinaryIO) -> FileReader:
        if self.format == "csv":
            return CsvReader(
                file,
                encoding=self._encoding,
                delimiter=self._delimiter,
                escape=self._escape,
                knows=self._mapping.knows,
            )
        if self.format == "parquet":
            if isinstance(self.location, LocalFile):
                return ParquetReader(self.path)  # faster than through a file of Python's
            return ParquetReader(self.path, file=file, refuse_change=self._raw.refuse_change)
        if self.format == "excel":
            return ExcelReader(file, sheet=self._sheet)
        return IdReader(file) if self.format == "ids" else JsonReader(file, encoding=self._encoding)

    @contextmanager
    def _bytes(self) -> Iterator[BinaryIO]:
        """The bytes of the rows: those of a text are unpacked, if they are compressed."""
        name = self.location.name
        with self.location.opened() as self._raw:
            if self.format in BINARY:
                with closing(ReadAhead(self._raw, READ_BYTES)) as binary:
                    refuse_packed(name, binary, self.format)
                    yield binary
                return
            with unpacked(name, self.path, self._raw, self._limit) as file:
                yield file
