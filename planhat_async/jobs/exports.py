"""Records into files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from planhat_async._convert import decode_json, encode_json, excerpt, fields_of
from planhat_async.errors import DecodeError
from planhat_async.models import Record


class Writer(Protocol):
    """Writes records, one at a time, as the bytes that Planhat sent."""

    def write(self, row: bytes) -> None:
        """Write one record."""
        ...


class JsonlWriter:
    """One JSON object a line, exactly as Planhat sent it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, row: bytes) -> None:
        """Write one record."""
        # Planhat's JSON may be laid out over lines; line breaks within texts are escaped in any JSON.
        self._out.write((row if b"\n" not in row else encode_json(decode_json(row))) + b"\n")


class CsvWriter:
    """One column a field, by Planhat's names, whatever the records hold; nested values as JSON.

    What no field has a place for goes to the last column, `extra`, as a JSON object. A field that Planhat did not
    send and one that is empty look the same.
    """

    def __init__(self, out: BinaryIO, record: type[Record]) -> None:
        self._out = out
        self._columns = [field.wire for field in fields_of(record).values()]
        self._write([*self._columns, "extra"])

    def write(self, row: bytes) -> None:
        """Write one record."""
        held = decode_json(row)
        if not isinstance(held, dict):
            raise DecodeError(f"the list holds something that is no record: {excerpt(row, 20)}")
        cells = [_cell(held.pop(column, None)) for column in self._columns]
        self._write([*cells, _cell(held or None)])

    def _write(self, cells: list[str]) -> None:
        line = io.StringIO()
        csv.writer(line).writerow(cells)
        self._out.write(line.getvalue().encode())


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name only once it is complete; until then, or after a failure, it is `NAME.part`.

    What is there already and is no regular file, such as a device or a pipe, is written to as it is.

    Raises:
        OSError: It is a directory, or cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    path = path.resolve() if path.is_symlink() else path  # a link stays one
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode_json(value).decode()
