"""Records into bytes: JSONL and CSV; Parquet has a module of its own."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from typing import Any, BinaryIO

from planhat_async._convert import decode_json, encode_plain, excerpt, fields_of, printable
from planhat_async.errors import DecodeError
from planhat_async.records import Record


class ExportWriter(ABC):
    """Writes records, one at a time, as the bytes that Planhat sent."""

    @property
    def is_full(self) -> bool:
        """Whether so much was collected that `flush` should write it before more comes."""
        return False

    @abstractmethod
    def write(self, row: bytes) -> None:
        """Write one record, or collect it."""

    def flush(self) -> None:  # noqa: B027 - most writers collect nothing
        """Write what was collected. It may take long, so it may run in a thread while nothing else is called."""

    def close(self) -> None:  # noqa: B027 - nor do they end with anything
        """End what is complete now; not called where the export breaks off. As `flush`, it may run in a thread."""


class JsonlWriter(ExportWriter):
    """One JSON object a line, exactly as Planhat sent it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, row: bytes) -> None:
        """Write one record."""
        # Planhat's JSON may be laid out over lines; line breaks within texts are escaped in any JSON.
        self._out.write((row if b"\n" not in row else encode_plain(decode_json(row))) + b"\n")


class CsvWriter(ExportWriter):
    """One column a field, by Planhat's names, the same for all records; nested values as JSON.

    Fields that the model lacks go to the last column, `extra`, as a JSON object. A field that Planhat did not
    send and one that is empty look the same.
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
