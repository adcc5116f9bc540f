"""Rows of a text with an `_id` on each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

from planhat_async.jobs.files.table_reader import CopyRow, FileReader, RawRow


class IdReader(FileReader):
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


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number."""
    for number, line in enumerate(file, 1):
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip():
            yield number, content
