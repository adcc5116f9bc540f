"""The bytes of a local file that must not change while it is read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from planhat_async.jobs.source_error import SourceError


class SteadyFile(io.FileIO):
    """A file that raises an error if it changes after it was opened.

    The change is detected before the last bytes are returned, so that half a row is never read as a whole one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        self._opened_as = identity_of(os.fstat(self.fileno()))

    # The methods of `io.FileIO` do not call `readinto`, those of `io.RawIOBase` do.
    def read(self, size: int | None = -1, /) -> bytes | Any:
        """Read up to `size` bytes."""
        return io.RawIOBase.read(self, -1 if size is None else size)

    def readall(self) -> bytes:
        """Read all remaining bytes."""
        return io.RawIOBase.readall(self)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; at the end of the file verify that the file has not changed.

        Raises:
            SourceError: The end is reached, and the file has changed since it was opened.
        """
        n_bytes = super().readinto(buffer) or 0
        is_end = not n_bytes and len(buffer) > 0  # too early if the file was truncated
        if is_end or self.tell() >= self._opened_as[2]:
            self.refuse_change()
        return n_bytes

    def refuse_change(self) -> None:
        """Refuse the file if it has changed since it was opened.

        Raises:
            SourceError: It was removed, replaced or written to.
        """
        refuse_change(self._path, self._opened_as)


class ReadAhead(io.BufferedReader):
    """Reads whole buffers, also for an `io.TextIOWrapper`, which reads 8 KiB at a time past an empty buffer.

    Each read releases Python's global lock and wakes a thread that waits for it: a journal's thread would wake hundreds
    of times per chunk, which costs several percent of the job's CPU time.
    """

    def read1(self, size: int = -1, /) -> bytes:
        """Read from the buffer, which is filled first if it is empty."""
        self.peek()
        return super().read1(size)


_ADVICE = ": its last rows were not read; run this again when the file no longer changes"


def identity_of(found: os.stat_result) -> tuple[int, int, int, int]:
    """The file's device, inode, size and time of its last change."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def refuse_change(path: Path, opened_as: tuple[int, ...]) -> None:
    """Refuse a file whose identity is no longer `opened_as`.

    Raises:
        SourceError: The file was removed, replaced or written to.
    """
    try:
        found = identity_of(path.stat())
    except OSError:
        raise SourceError(f"{path} was removed while it was read{_ADVICE}") from None
    if found[:2] != opened_as[:2]:
        raise SourceError(f"{path} was replaced by another file while it was read{_ADVICE}")
    if found != opened_as:
        raise SourceError(f"{path} was written to while it was read{_ADVICE}")


def unchanged(path: Path) -> Callable[[], None]:
    """A function that refuses the file if it has changed since now.

    Raises:
        OSError: It does not exist.
    """
    return partial(refuse_change, path, identity_of(path.stat()))
