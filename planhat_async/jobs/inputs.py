"""A source's bytes: from a file that must not change meanwhile, from gzip, from standard input."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from planhat_async.jobs.mapping import SourceError

_READ_BYTES = 1 << 17
"""How far a file is read ahead; twice as many are no cheaper."""


class SteadyFile(io.FileIO):
    """A file's bytes, as many as there were when it was opened; one that is written to meanwhile is refused.

    That is found out before its last bytes are handed on, so that no row that is half written is taken for a whole
    one.
    """

    # By way of `readinto`, which the methods of `io.FileIO` do not call.
    def read(self, size: int | None = -1, /) -> bytes | Any:
        """As of any raw file, by `readinto`: what `FileIO` has would go past it."""
        return io.RawIOBase.read(self, -1 if size is None else size)

    def readall(self) -> bytes:
        """Likewise."""
        return io.RawIOBase.readall(self)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        self._opened_as = identity_of(os.fstat(self.fileno()))

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; at the end of the file verify that the file has not changed.

        Raises:
            SourceError: The end is reached, and the file is not what it was at the beginning.
        """
        n_bytes = super().readinto(buffer) or 0
        is_end = not n_bytes and len(buffer) > 0  # before its time, where the file was cut short
        if is_end or self.tell() >= self._opened_as[2]:
            refuse_change(self._path, self._opened_as)
        return n_bytes


class _ReadAhead(io.BufferedReader):
    """Reads whole buffers, also for an `io.TextIOWrapper`, which takes 8 KiB at a time past an empty buffer.

    Each read releases Python's lock, and wakes a thread that waits for it, mostly in vain: a journal's would be woken
    hundreds of times a chunk, and the CPU time of that is several percent of the job's.
    """

    def read1(self, size: int = -1, /) -> bytes:
        """Read what is in the buffer, which is filled first where it is empty."""
        self.peek()
        return super().read1(size)


_WHAT_NOW = ": its last rows were not read; run this again when the file no longer changes"


@contextmanager
def unpacked(path: Path, raw: io.RawIOBase) -> Iterator[BinaryIO]:
    """The bytes of a file whose name ends in `.gz`, and any other file as it is.

    Raises:
        SourceError: It is not a gzip file, or it is damaged.
    """
    if path.suffix.lower() != ".gz":
        yield _ReadAhead(raw, _READ_BYTES)
        return
    try:
        yield _ReadAhead(gzip.GzipFile(fileobj=io.BufferedReader(raw)), _READ_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{path} is not a complete gzip file: {error}") from None


def identity_of(found: os.stat_result) -> tuple[int, int, int, int]:
    """What a file is, and when it was written to last."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def refuse_change(path: Path, opened_as: tuple[int, ...]) -> None:
    """Look whether a file is still what it was when it was opened.

    Raises:
        SourceError: It is not.
    """
    try:
        found = identity_of(path.stat())
    except OSError:
        raise SourceError(f"{path} was removed while it was read{_WHAT_NOW}") from None
    if found[:2] != opened_as[:2]:
        raise SourceError(f"{path} was replaced by another file while it was read{_WHAT_NOW}")
    if found != opened_as:
        raise SourceError(f"{path} was written to while it was read{_WHAT_NOW}")
