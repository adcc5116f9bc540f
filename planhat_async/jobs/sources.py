"""Rows from files, one at a time.

A row that cannot be read does not end the file: it is handed on as `Unreadable`, is accounted for as invalid,
and the rows after it go on.
"""

from __future__ import annotations

import csv
import io
import itertools
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from planhat_async._convert import decode_json, encode_plain
from planhat_async.errors import DecodeError
from planhat_async.jobs.csv_records import Lines, csv_reader, csv_records
from planhat_async.jobs.inputs import SteadyFile, unpacked
from planhat_async.jobs.mapping import REASON_COLUMN, FieldMapping, SourceError
from planhat_async.jobs.row_groups import RowGroups
from planhat_async.results import Unreadable

Format = Literal["csv", "jsonl", "parquet"]

_ENDINGS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
STANDARD_INPUT = Path("-")
T = TypeVar("T")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class FileSource:
    """The rows of a CSV, JSONL or Parquet file, as mappings of fields; one that ends in `.gz` is unpacked.

    Args:
        path: The file; `-` is standard input, which can be read once, and not be Parquet.
        mapping: Which column goes to which field.
        format: By default what the file's ending says.
        encoding: Of CSV; a byte order mark is understood. JSONL is UTF-8.

    Raises:
        SourceError: The file is missing, or its name does not end in a format.
    """

    def __init__(
        self,
        path: Path,
        mapping: FieldMapping,
        *,
        format: Format | None = None,  # noqa: A002 - its usual name
        encoding: str = "utf-8",
    ) -> None:
        self.path = path
        _refuse_directory(path)
        self.format: Format = format or _format_of(path)
        _refuse_parquet_from_its_beginning(self.format, path)
        self._mapping = mapping
        self._encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        self._raw: SteadyFile | None = None
        self._share = 0.0
        self.rows_read: int = 0
        """How many rows were read, also by an iteration before this one."""
        self._begun: Iterator[dict[str, Any] | Unreadable] | None = None
        self.is_standard_input: bool = path == STANDARD_INPUT
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

    def __iter__(self) -> Iterator[dict[str, Any] | Unreadable]:
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        return self._parquet_rows() if self.format == "parquet" else self._rows()

    def _rows(self) -> Iterator[dict[str, Any] | Unreadable]:
        with self._opened() as file:
            yield from (self._csv_rows(file) if self.format == "csv" else self._jsonl_rows(file))

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

    def _parquet_rows(self) -> Iterator[dict[str, Any] | Unreadable]:
        with closing(RowGroups(self.path)) as file:
            try:
                self._mapping.check_columns(file.columns)
            except SourceError as error:
                raise SourceError(f"{self.path}: {error}") from None
            columns = self._mapping.columns_to_read(file.columns)
            for number, row in enumerate(file.rows(columns), 1):
                self._share = number / file.n_rows
                self.rows_read += 1
                yield _attempt(f"row {number}", partial(self._mapping.apply, row))

    def description(self) -> dict[str, Any]:
        """What a rerun must find unchanged; the rows themselves are compared chunk by chunk."""
        return {"format": self.format, "bytes": self.total_bytes, **self._mapping.description()}

    def check_beginning(self) -> None:
        """Read the file's beginning, and refuse a file that does not fit before anything is sent.

        Raises:
            SourceError: The file cannot be read, or its columns do not fit the mapping.
        """
        rows = iter(self)
        first = next(rows, None)
        if self.is_standard_input:
            # What was read is not to be had a second time.
            self._begun = itertools.chain([] if first is None else [first], rows)

    def _csv_rows(self, file: BinaryIO) -> Iterator[dict[str, Any] | Unreadable]:
        if self._encoding == "utf-8-sig" and file.peek(2)[:2] in _UTF16_MARKS:  # type: ignore[attr-defined]
            raise SourceError(f"{self.path} is not UTF-8 but UTF-16: read it with --encoding utf-16")
        with io.TextIOWrapper(file, encoding=self._encoding, errors="surrogateescape", newline="") as text:
            yield from self._csv_rows_of(text)

    def _csv_rows_of(self, text: io.TextIOWrapper) -> Iterator[dict[str, Any] | Unreadable]:
        reader = csv_reader(text)
        header = self._header(reader)
        for where, cells in csv_records(reader):
            self.rows_read += 1
            if isinstance(cells, str):
                yield Unreadable(f"{where}: {cells}")
            else:
                yield _attempt(where, partial(self._from_cells, header, cells))

    def _header(self, reader: Any) -> list[str]:
        try:
            header: list[str] = next(reader, [])
        except (csv.Error, UnicodeError) as error:
            raise SourceError(f"{self.path}: the header cannot be read: {error}") from None
        if any("\udc80" <= character <= "\udcff" for name in header for character in name):
            raise SourceError(f"{self.path}: the header is in another encoding: see --encoding")
        try:
            self._mapping.check_columns(header)
        except SourceError as error:
            raise SourceError(f"{self.path}: {error}") from None
        return header

    def copy(self, reasons: Iterable[tuple[int, str]], out: BinaryIO) -> None:
        """Copy rows, by their positions in ascending order, each with a reason, in this source's own format.

        A line that cannot be read as a row is copied as it is, into one cell.
        """
        if self.format == "parquet":
            with closing(RowGroups(self.path)) as file:
                file.copy(reasons, out, REASON_COLUMN)
            return
        with self._opened() as file:
            if self.format == "csv":
                self._copy_csv(file, iter(reasons), out)
            else:
                self._copy_jsonl(file, iter(reasons), out)

    def _copy_csv(self, file: BinaryIO, reasons: Iterator[tuple[int, str]], out: BinaryIO) -> None:
        options: Any = {"encoding": self._encoding, "errors": "surrogateescape", "newline": ""}
        with io.TextIOWrapper(file, **options) as text:
            lines = Lines(text)
            reader = csv_reader(lines)
            header = self._header(reader)
            copy = io.TextIOWrapper(out, **options | {"encoding": self._encoding.removesuffix("-sig")})
            writer = csv.writer(copy)
            writer.writerow([REASON_COLUMN, *_without_reason(header, header)])
            for (_, cells), reason in _chosen(csv_records(reader, lines.clear), reasons):
                shown = [lines.text()] if isinstance(cells, str) else _without_reason(header, cells)
                writer.writerow([reason, *shown])
            copy.flush()
            copy.detach()

    def _copy_jsonl(self, file: BinaryIO, reasons: Iterator[tuple[int, str]], out: BinaryIO) -> None:
        out.writelines(_with_reason(reason, line) + b"\n" for (_, line), reason in _chosen(_jsonl_lines(file), reasons))

    def _from_cells(self, header: list[str], cells: list[str]) -> dict[str, Any]:
        if len(cells) != len(header):
            raise ValueError(f"{len(cells)} cell{'s'[: len(cells) != 1]}, but the header has {len(header)}")
        return self._mapping.apply_to_text(dict(zip(header, cells, strict=True)))

    def _jsonl_rows(self, file: BinaryIO) -> Iterator[dict[str, Any] | Unreadable]:
        for number, content in _jsonl_lines(file):
            self.rows_read += 1
            yield _attempt(f"line {number}", partial(self._from_line, content))

    def _from_line(self, line: bytes) -> dict[str, Any]:
        try:
            value = decode_json(line, is_input=True)
        except DecodeError:
            # Inside of a text JSON writes it as \u0000.
            raise ValueError("not JSON in UTF-8" + (": it holds a NUL" if b"\0" in line else "")) from None
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - the line is wrong, not a type of ours
        return self._mapping.apply(value)


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    """Standard input, by a reader of its own: the interpreter's cannot be closed while a thread waits for it."""
    try:
        number = sys.stdin.fileno()
    except (OSError, ValueError):
        yield sys.stdin.buffer  # replaced by something without a descriptor
        return
    with open(number, "rb", closefd=False) as file:
        yield file


def _jsonl_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that holds something, by its number."""
    for number, line in enumerate(file, 1):
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip():
            yield number, content


def _chosen(records: Iterable[T], reasons: Iterator[tuple[int, str]]) -> Iterator[tuple[T, str]]:
    """The records at these positions, each with its reason."""
    position, reason = next(reasons, (-1, ""))
    for number, record in enumerate(records):
        if number == position:
            yield record, reason
            position, reason = next(reasons, (-1, ""))


def _with_reason(reason: str, line: bytes) -> bytes:
    """A row of JSONL with a reason in front; anything else is copied as text."""
    try:
        row = decode_json(line, is_input=True)
        held = row if isinstance(row, dict) else {"line": row}
        return encode_plain({REASON_COLUMN: reason, **{n: v for n, v in held.items() if n != REASON_COLUMN}})
    except (DecodeError, ValueError):
        return encode_plain({REASON_COLUMN: reason, "line": line.decode("utf-8", "backslashreplace")})


def _without_reason(header: list[str], cells: list[str]) -> list[str]:
    """Cells without those of an earlier reason."""
    if REASON_COLUMN not in header or len(cells) != len(header):
        return cells
    return [cell for name, cell in zip(header, cells, strict=True) if name != REASON_COLUMN]


def _attempt(where: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any] | Unreadable:
    try:
        return read()
    except ValueError as error:
        return Unreadable(f"{where}: {error}")


def _refuse_directory(path: Path) -> None:
    with suppress(OSError):  # said of the file a little later
        if path.is_dir():
            raise SourceError(f"{path} is a directory: name a file in it")


def _refuse_parquet_from_its_beginning(format: Format, path: Path) -> None:  # noqa: A002 - as above
    if format != "parquet":
        return
    if path == STANDARD_INPUT:
        raise SourceError("Parquet is read from its end, which standard input does not allow: name a file")
    if path.suffix.lower() == ".gz":
        raise SourceError(f"{path}: Parquet is read from its end, which gzip does not allow: unpack it first")


def _format_of(path: Path) -> Format:
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    found = _ENDINGS.get(name.suffix.lower())
    if found is None and path == STANDARD_INPUT:
        raise SourceError("say how standard input is written, with --format csv or --format jsonl")
    if found is None:
        raise SourceError(f"{path}: the name must end in {', '.join(_ENDINGS)}, or the format be given")
    return found
