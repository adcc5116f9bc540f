"""Writers of records as JSONL and CSV; Parquet has its own module."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from typing import Any, BinaryIO

from planhat_async._convert import decode_json, encode_plain, excerpt, fields_of, printable
from planhat_async.errors import DecodeError
from planhat_async.records import Record


class ExportWriter(ABC):
    """Writes records one at a time, given as the bytes that Planhat sent."""

    @property
    def is_full(self) -> bool:
        """Whether `flush` should be called before the next record."""
        return False

    @abstractmethod
    def write(self, row: bytes) -> None:
        """Write one record, or collect it."""

    def flush(self) -> None:  # noqa: B027 - most writers collect nothing
        """Write the collected records. May be slow, so it may run in a thread while no other method is called."""

    def close(self) -> None:  # noqa: B027 - nor write an ending
        """Complete the output; not called after an interrupted export. Like `flush`, it may run in a thread."""


class JsonlWriter(ExportWriter):
    """One JSON object per line, exactly as Planhat sent it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, row: bytes) -> None:
        """Write one record."""
        # Planhat's JSON may be laid out over lines; line breaks within texts are escaped in any JSON.
        self._out.write((row if b"\n" not in row else encode_plain(decode_json(row))) + b"\n")


class CsvWriter(ExportWriter):
    """One column per field, with Planhat's names, the same for all records; nested values as JSON.

    Fields that the model lacks go to the last column, `extra`, as a JSON object. A field that Planhat did not
    send and an empty one look the same.
    """

    def __init__(self, out: BinaryIO, record: type[Record]) -> None:
        self._out = out
        self._columns = [field.wire for field in fields_of(record).values()]
        self._write([*self._columns, "extra"])

    def write(self, row: bytes) -> None:
        """Write one record."""
        held = object_in(row)
        cells = [_cell(held.pop(column, None)) for column in self._columns]
        self._write([*cells, _cell(held or None)])

    def _write(self, cells: list[str]) -> None:
        line = io.StringIO()
        csv.writer(line).writerow(cells)
        self._out.write(line.getvalue().encode())


def object_in(row: bytes) -> dict[str, Any]:
    """A record's fields, by Planhat's names.

    Raises:
        DecodeError: It is not an object.
    """
    held = decode_json(row)
    if not isinstance(held, dict):
        raise DecodeError(f"the list holds something that is not a record: {printable(excerpt(row, 20))}")
    return held


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode_plain(value).decode()
