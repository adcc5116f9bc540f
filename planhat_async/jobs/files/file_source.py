"""Rows from files, one at a time.

A row that cannot be read does not end the file: it becomes an `Unreadable`, which counts as invalid, and the rows
after it are read.
"""

from __future__ import annotations

import itertools
import stat
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from planhat_async.jobs.files.csv_dialect import named_delimiter, named_escape
from planhat_async.jobs.files.csv_reader import CsvReader
from planhat_async.jobs.files.formats import SOURCE_SUFFIXES, SourceFormat, implied_delimiter, implied_format
from planhat_async.jobs.files.id_reader import IdReader
from planhat_async.jobs.files.json_reader import JsonReader
from planhat_async.jobs.files.parquet_reader import ParquetReader
from planhat_async.jobs.files.row_fitter import FileMapping, FittedRow, RowFitter
from planhat_async.jobs.files.row_reader import RowReader
from planhat_async.jobs.files.steady_file import SteadyFile, unpacked
from planhat_async.jobs.files.text_encoding import normalised
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.source_error import SourceError

STANDARD_INPUT = Path("-")
_MAX_ROWS_AHEAD, _MAX_BYTES_AHEAD = 1000, 2**20
"""How far a file is read before anything is sent, to find the columns that its rows name."""


class FileSource:
    """The rows of a CSV, JSON, JSONL or Parquet file, as mappings of fields; one that ends in `.gz` is unpacked.

    With the format `ids`, each line is a row with an `id`; blank lines, and lines that begin with #, are ignored. The
    file must not change while it is read.

    Args:
        path: The file; `-` is standard input, which can be read once, and not be Parquet.
        mapping: Which column goes to which field, or has the keys of records; or what collects the columns.
        format: By default as the file's suffix says.
        encoding: Of CSV and JSON; a byte order mark takes precedence.
        delimiter: What separates the columns of CSV: one character, or `tab`. By default the header shows it, or the
            suffix `.tsv`.
        escape: The character before quotes within the quoted cells of CSV, or `backslash`. By default such quotes are
            doubled.

    Raises:
        SourceError: The file is missing, or its suffix implies no format; or an option does not fit.
    """

    def __init__(
        self,
        path: Path,
        mapping: FileMapping,
        *,
        format: SourceFormat | None = None,  # noqa: A002 - its usual name
        encoding: str = "utf-8",
        delimiter: str | None = None,
        escape: str | None = None,
    ) -> None:
        self.path = path
        self.is_standard_input: bool = path == STANDARD_INPUT
        with suppress(OSError):  # reported below
            if path.is_dir():
                raise SourceError(f"{path} is a directory: name a file in it")
        self.format: SourceFormat = _checked_format(path, format)
        self._mapping = mapping
        self._encoding = encoding
        self._delimiter, self._escape = _dialect_options(self.format, path, delimiter, escape)
        self._raw: SteadyFile | None = None
        self._reader: RowReader | None = None
        self.rows_read: int = 0
        """Number of rows read, also by earlier iterations."""
        self._fitter = RowFitter(mapping)
        self._begun: Iterator[FittedRow] | None = None
        self.total_bytes: int | None = None
        try:
            normalised(encoding)
            if self.is_standard_input:
                return
            found = path.stat()
        except LookupError:
            raise SourceError(f"unknown encoding {encoding!r}") from None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from None
        if not stat.S_ISREG(found.st_mode):
            # It is read twice: once to refuse what does not fit, before anything is sent.
            raise SourceError(f"{path} is not a regular file: a pipe's rows must be in a file first")
        self.total_bytes = found.st_size

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

    def description(self) -> dict[str, Any]:
        """Facts that must be the same in a rerun; the rows themselves are compared chunk by chunk."""
        if self._reader is None and self.format == "csv" and not self.is_standard_input:
            self.check_beginning()  # its header shows the dialect
        how = {} if self._reader is None else self._reader.description()
        return {"format": self.format, "bytes": self.total_bytes, **how, **self._mapping.description()}

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
        if self.is_standard_input:
            # It cannot be read a second time.
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

    def copy(self, reasons: Iterable[tuple[int, str]], out: BinaryIO) -> None:
        """Copy rows, by their positions in ascending order, each with a reason, in the source's own format.

        A line that cannot be read as a row is copied unchanged, as far as the format allows it.
        """
        with self._opened() as reader, reader.copying(out) as copy_row:
            rows = enumerate(RowFitter(self._mapping).rows(reader))
            for position, reason in reasons:
                # Not read further than needed: a damaged file has rows that can be copied.
                if any(number == position for number, _ in rows):
                    copy_row(reason)

    def _rows(self) -> Generator[FittedRow, None, None]:
        with self._opened() as reader:
            self._fitter = RowFitter(self._mapping)
            for row in self._fitter.rows(reader):
                self.rows_read += 1
                yield row

    @contextmanager
    def _opened(self) -> Iterator[RowReader]:
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
            name = str(self.path)
            raise error if name in str(error) else SourceError(f"{name}: {error}") from None

    @contextmanager
    def _reader_opened(self) -> Iterator[RowReader]:
        if self.format == "parquet":
            with closing(ParquetReader(self.path)) as parquet:
                yield parquet
            return
        with self._bytes() as file, closing(self._reader_of(file)) as reader:
            yield reader

    def _reader_of(self, file: BinaryIO) -> RowReader:
        if self.format == "csv":
            return CsvReader(
                file,
                encoding=self._encoding,
                delimiter=self._delimiter,
                escape=self._escape,
                knows=self._mapping.knows,
            )
        return IdReader(file) if self.format == "ids" else JsonReader(file, encoding=self._encoding)

    @contextmanager
    def _bytes(self) -> Iterator[BinaryIO]:
        if self.is_standard_input:
            with _standard_input() as file:
                yield file
            return
        try:
            self._raw = SteadyFile(self.path)
        except OSError as error:
            raise SourceError(error.strerror) from None
        with self._raw as raw, unpacked(self.path, raw) as file:
            yield file


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    """Standard input, through a new reader: the interpreter's cannot be closed while a thread waits for it."""
    try:
        number = sys.stdin.fileno()
    except (OSError, ValueError):
        yield sys.stdin.buffer  # replaced by something without a descriptor
        return
    with open(number, "rb", closefd=False) as file:
        yield file


def _checked_format(path: Path, given: SourceFormat | None) -> SourceFormat:
    """The format that is given, or implied by the path.

    Raises:
        SourceError: The path implies none, or the format cannot be read from it.
    """
    is_packed = path.suffix.lower() == ".gz"
    found = given or implied_format(path)
    if found is None and path == STANDARD_INPUT:
        raise SourceError("say how standard input is written, with --format csv or --format json")
    if found is None:
        raise SourceError(f"{path}: the name must end in {', '.join(SOURCE_SUFFIXES)}, or the format be given")
    if found == "parquet" and path == STANDARD_INPUT:
        raise SourceError("Parquet is read from its end, which standard input does not allow: name a file")
    if found == "parquet" and is_packed:
        raise SourceError(f"{path}: Parquet is read from its end, which gzip does not allow: unpack it first")
    return found


def _dialect_options(
    format_: SourceFormat, path: Path, delimiter: str | None, escape: str | None
) -> tuple[str | None, str | None]:
    """The separator and the escape character of CSV, as given or implied by the path.

    Raises:
        SourceError: They are no characters for that, are the same, or the format is another one.
    """
    given = [name for name, one in (("--delimiter", delimiter), ("--escape", escape)) if one is not None]
    if format_ != "csv":
        if given:
            raise SourceError(f"{given[0]} is for CSV, and {path} is read as {format_}")
        return None, None
    try:
        separator = implied_delimiter(path) if delimiter is None else named_delimiter(delimiter)
        escaping = None if escape is None else named_escape(escape)
    except ValueError as error:
        raise SourceError(str(error)) from None
    if separator is not None and separator == escaping:
        raise SourceError("--delimiter and --escape are the same character")
    return separator, escaping
