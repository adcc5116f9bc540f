"""Rows of a text with an `_id` on each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

from planhat_async.jobs.files.jsonl_reader import lines_of
from planhat_async.jobs.files.row_reader import CopyRow, RawRow, RowReader


class IdReader(RowReader):
    """Reads a row with an `id` from each line; blank lines, and lines that begin with #, are ignored.

    Args:
        file: A buffered file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._line = b""

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:  # noqa: ARG002 - there is one
        """Each line with an `_id`: lines that begin with # give the reasons of rejected ones."""
        for number, line in lines_of(self._file):
            if not line.lstrip().startswith(b"#"):
                self._line = line
                row = {"id": line.decode("utf-8", "backslashreplace").strip()}
                yield RawRow(f"line {number}", partial(dict[str, Any], row))

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy lines, each below its reason."""
        yield lambda reason: out.write(f"# {reason}\n".encode() + self._line.strip() + b"\n")
