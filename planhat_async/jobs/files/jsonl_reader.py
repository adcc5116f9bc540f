"""Rows of JSONL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

from planhat_async._convert import decode_json, encode_plain
from planhat_async.errors import DecodeError
from planhat_async.jobs.files.row_reader import CopyRow, RawRow, RowReader
from planhat_async.jobs.reason_column import REASON_COLUMN


class JsonlReader(RowReader):
    """Reads JSONL in UTF-8: one object per line; blank lines are ignored.

    Args:
        file: A buffered file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._line = b""

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:  # noqa: ARG002 - each row names its own
        """Each line that is not blank."""
        for number, line in lines_of(self._file):
            self._line = line
            yield RawRow(f"line {number}", partial(_object_in, line))

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy rows with a reason in front; a line that is not JSON becomes text."""
        yield lambda reason: out.write(_with_reason(reason, self._line) + b"\n")


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number."""
    for number, line in enumerate(file, 1):
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip():
            yield number, content


def _object_in(line: bytes) -> Mapping[str, Any]:
    try:
        value = decode_json(line, is_input=True)
    except DecodeError:
        # Within a text JSON writes it as \u0000.
        raise ValueError("not JSON in UTF-8" + (": it holds a NUL" if b"\0" in line else "")) from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the line is wrong, not a type of ours
    return value


def _with_reason(reason: str, line: bytes) -> bytes:
    try:
        row = decode_json(line, is_input=True)
        held = row if isinstance(row, dict) else {"line": row}
        return encode_plain({REASON_COLUMN: reason, **{n: v for n, v in held.items() if n != REASON_COLUMN}})
    except (DecodeError, ValueError):
        return encode_plain({REASON_COLUMN: reason, "line": line.decode("utf-8", "backslashreplace")})
