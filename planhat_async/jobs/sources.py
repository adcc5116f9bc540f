"""Rows from files, one at a time.

A row that cannot be read does not end the file: it becomes an `Unreadable`, which counts as invalid, and the rows
after it are read.
"""

from __future__ import annotations

import csv
import io
import itertools
import stat
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar

from planhat_async._convert import decode_json, encode_plain
from planhat_async.errors import DecodeError
from planhat_async.jobs.column_names import ColumnNames
from planhat_async.jobs.csv_records import csv_reader, csv_records, remember
from planhat_async.jobs.file_formats import SUFFIXES, SourceFormat, implied_format
from planhat_async.jobs.inputs import SteadyFile, unpacked
from planhat_async.jobs.key_column import KeyColumn
from planhat_async.jobs.lookups import Lookup
from planhat_async.jobs.mapping import REASON_COLUMN, FieldMapping, SourceError
from planhat_async.jobs.row_groups import RowGroups
from planhat_async.results import Unreadable

STANDARD_INPUT = Path("-")
T = TypeVar("T")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_Parser: TypeAlias = Callable[[], dict[str, Any]]
"""Parses a row, or raises `ValueError`."""


class FileSource:
    """The rows of a CSV, JSONL or Parquet file, as mappings of fields; one that ends in `.gz` is unpacked.

    With the format `ids`, each line is a row with an `id`; blank lines, and lines that begin with #, are ignored. The
    class is long because the formats share their checks of the file: it must not change while it is read.

    Args:
        path: The file; `-` is standard input, which can be read once, and not be Parquet.
        mapping: Which column goes to which field, or has the keys of records; or what collects the columns.
        format: By default as the file's suffix says.
        encoding: Of CSV; a byte order mark is understood. JSONL is UTF-8.

    Raises:
        SourceError: The file is missing, or its suffix implies no format.
    """

    def __init__(
        self,
        path: Path,
        mapping: FieldMapping | KeyColumn | ColumnNames,
        *,
        format: SourceFormat | None = None,  # noqa: A002 - its usual name
        encoding: str = "utf-8",
    ) -> None:
        self.path = path
        self.is_standard_input: bool = path == STANDARD_INPUT
        with suppress(OSError):  # reported below
            if path.is_dir():
                raise SourceError(f"{path} is a directory: name a file in it")
        self.format: SourceFormat = _checked_format(path, format)
        self._mapping = mapping
        self._encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        self._raw: SteadyFile | None = None
        self._share = 0.0
        self.rows_read: int = 0
        """Number of rows read, also by earlier iterations."""
        self._begun: Iterator[dict[str, Any] | Unreadable] | None = None
        self.total_bytes: int | None = None
        try:
            "".encode(self._encoding)
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
        if self.format == "parquet":
            return round(self._share * (self.total_bytes or 0))
        if self._raw is None or self.is_standard_input:
            return 0
        return (self.total_bytes or 0) if self._raw.closed else self._raw.tell()

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        """The lookups of the mapping, by field: a job finds the ids; the rows here hold a `LookupValue` each."""
        return self._mapping.lookups

    def __iter__(self) -> Iterator[dict[str, Any] | Unreadable]:
        begun, self._begun = self._begun, None
        return self._rows() if begun is None else begun

    def description(self) -> dict[str, Any]:
        """Facts that must be the same in a rerun; the rows themselves are compared chunk by chunk."""
        return {"format": self.format, "bytes": self.total_bytes, **self._mapping.description()}

    def check_beginning(self) -> None:
        """Read the file's beginning, and refuse a file that does not fit before anything is sent.

        Raises:
            SourceError: The file cannot be read, or its columns do not fit the mapping.
        """
        rows = iter(self)
        first = next(rows, None)
        if self.is_standard_input:
            # It cannot be read a second time.
            self._begun = itertools.chain([] if first is None else [first], rows)

    def copy(self, reasons: Iterable[tuple[int, str]], out: BinaryIO) -> None:
        """Copy rows, by their positions in ascending order, each with a reason, in the source's own format.

        A line that cannot be read as a row is copied unchanged, into one cell.
        """
        if self.format == "parquet":
            with closing(RowGroups(self.path)) as file:
                file.copy(reasons, out, REASON_COLUMN)
            return
        with self._opened() as file:
            if self.format == "csv":
                self._copy_csv(file, iter(reasons), out)
                return
            lines, with_reason = (_id_lines, _id_with_reason) if self.format == "ids" else (_jsonl_lines, _with_reason)
            rows = _select(lines(file), iter(reasons))
            out.writelines(with_reason(reason, line) + b"\n" for (_, line), reason in rows)

    def _rows(self) -> Iterator[dict[str, Any] | Unreadable]:
        with closing(self._parsers()) as parsers:
            for where, parse in parsers:
                self.rows_read += 1
                try:
                    row: dict[str, Any] | Unreadable = parse()
                except ValueError as error:
                    row = Unreadable(f"{where}: {error}")
                yield row

    def _parsers(self) -> Generator[tuple[str, _Parser], None, None]:
        """For each row its place in the file, and what parses it."""
        if self.format == "parquet":
            yield from self._parquet_rows()
            return
        read = {"csv": self._csv_rows, "jsonl": self._jsonl_rows, "ids": self._id_rows}[self.format]
        with self._opened() as file:
            yield from read(file)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self.is_standard_input:
            with _standard_input() as file:
                yield file
            return
        try:
            self._raw = SteadyFile(self.path)
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from None
        with self._raw as raw, unpacked(self.path, raw) as file:
            yield file

    def _check_columns(self, columns: list[str]) -> None:
        try:
            self._mapping.check_columns(columns)
        except SourceError as error:
            raise SourceError(f"{self.path}: {error}") from None

    def _parquet_rows(self) -> Iterator[tuple[str, _Parser]]:
        with closing(RowGroups(self.path)) as file:
            self._check_columns(file.columns)
            for number, row in enumerate(file.rows(self._mapping.columns_to_read(file.columns)), 1):
                self._share = number / file.n_rows
                yield f"row {number}", partial(self._mapping.apply, row)

    def _csv_rows(self, file: BinaryIO) -> Iterator[tuple[str, _Parser]]:
        if self._encoding == "utf-8-sig" and file.peek(2)[:2] in _UTF16_MARKS:  # type: ignore[attr-defined]
            raise SourceError(f"{self.path} is not UTF-8 but UTF-16: read it with --encoding utf-16")
        with io.TextIOWrapper(file, encoding=self._encoding, errors="surrogateescape", newline="") as text:
            reader = csv_reader(text)
            header = self._header(reader)
            for where, cells in csv_records(reader):
                yield where, partial(self._from_cells, header, cells)

    def _header(self, reader: Any) -> list[str]:
        try:
            header: list[str] = next(reader, [])
        except (csv.Error, UnicodeError) as error:
            raise SourceError(f"{self.path}: the header cannot be read: {error}") from None
        if any("\udc80" <= character <= "\udcff" for name in header for character in name):
            raise SourceError(f"{self.path}: the header is in another encoding: see --encoding")
        self._check_columns(header)
        return header

    def _from_cells(self, header: list[str], cells: list[str] | str) -> dict[str, Any]:
        if isinstance(cells, str):
            raise ValueError(cells)  # noqa: TRY004 - the reason why the row is malformed
        if len(cells) != len(header):
            raise ValueError(f"{len(cells)} cell{'s'[: len(cells) != 1]}, but the header has {len(header)}")
        return self._mapping.apply_to_text(dict(zip(header, cells, strict=True)))

    def _copy_csv(self, file: BinaryIO, reasons: Iterator[tuple[int, str]], out: BinaryIO) -> None:
        options: Any = {"encoding": self._encoding, "errors": "surrogateescape", "newline": ""}
        with io.TextIOWrapper(file, **options) as text:
            lines: list[str] = []
            reader = csv_reader(remember(text, lines))
            header = self._header(reader)
            copy = io.TextIOWrapper(out, **options | {"encoding": self._encoding.removesuffix("-sig")})
            writer = csv.writer(copy)
            writer.writerow([REASON_COLUMN, *_without_reason(header, header)])
            for (_, cells), reason in _select(csv_records(reader, lines.clear), reasons):
                row = ["".join(lines).rstrip("\r\n")] if isinstance(cells, str) else _without_reason(header, cells)
                writer.writerow([reason, *row])
            copy.flush()
            copy.detach()

    def _jsonl_rows(self, file: BinaryIO) -> Iterator[tuple[str, _Parser]]:
        for number, content in _jsonl_lines(file):
            yield f"line {number}", partial(self._from_line, content)

    def _id_rows(self, file: BinaryIO) -> Iterator[tuple[str, _Parser]]:
        for number, line in _id_lines(file):
            row = {"id": line.decode("utf-8", "backslashreplace").strip()}
            yield f"line {number}", partial(dict[str, Any], row)

    def _from_line(self, line: bytes) -> dict[str, Any]:
        try:
            value = decode_json(line, is_input=True)
        except DecodeError:
            # Within a text JSON writes it as \u0000.
            raise ValueError("not JSON in UTF-8" + (": it holds a NUL" if b"\0" in line else "")) from None
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - the line is wrong, not a type of ours
        return self._mapping.apply(value)


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


def _jsonl_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number."""
    for number, line in enumerate(file, 1):
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip():
            yield number, content


def _id_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line with an `_id`, with its number: lines that begin with # give the reasons of rejected ones."""
    return ((number, line) for number, line in _jsonl_lines(file) if not line.lstrip().startswith(b"#"))


def _select(records: Iterable[T], reasons: Iterator[tuple[int, str]]) -> Iterator[tuple[T, str]]:
    """The records at these positions, each with its reason."""
    position, reason = next(reasons, (-1, ""))
    for number, record in enumerate(records):
        if number == position:
            yield record, reason
            position, reason = next(reasons, (-1, ""))


def _with_reason(reason: str, line: bytes) -> bytes:
    """A row of JSONL with a reason in front; a line that is not JSON becomes text."""
    try:
        row = decode_json(line, is_input=True)
        held = row if isinstance(row, dict) else {"line": row}
        return encode_plain({REASON_COLUMN: reason, **{n: v for n, v in held.items() if n != REASON_COLUMN}})
    except (DecodeError, ValueError):
        return encode_plain({REASON_COLUMN: reason, "line": line.decode("utf-8", "backslashreplace")})


def _id_with_reason(reason: str, line: bytes) -> bytes:
    return f"# {reason}\n".encode() + line.strip()


def _without_reason(header: list[str], cells: list[str]) -> list[str]:
    """The cells, except for that of an earlier reason."""
    if REASON_COLUMN not in header or len(cells) != len(header):
        return cells
    return [cell for name, cell in zip(header, cells, strict=True) if name != REASON_COLUMN]


def _checked_format(path: Path, given: SourceFormat | None) -> SourceFormat:
    """The format that is given, or implied by the path.

    Raises:
        SourceError: The path implies none, or the format cannot be read from it.
    """
    is_packed = path.suffix.lower() == ".gz"
    found = given or implied_format(path)
    if found is None and path == STANDARD_INPUT:
        raise SourceError("say how standard input is written, with --format csv or --format jsonl")
    if found is None:
        raise SourceError(f"{path}: the name must end in {', '.join(SUFFIXES)}, or the format be given")
    if found == "parquet" and path == STANDARD_INPUT:
        raise SourceError("Parquet is read from its end, which standard input does not allow: name a file")
    if found == "parquet" and is_packed:
        raise SourceError(f"{path}: Parquet is read from its end, which gzip does not allow: unpack it first")
    return found
