"""The disk of the simulated machine: which writes survive a power failure.

Files are real, in a folder of their own. Beside them stands what was synced: after a power failure a file has its
synced content and any of the later writes, each whole, torn or not at all. A killed process loses nothing that it has
written, but what it does after its death changes nothing.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import attrs

from benchmarks.simulation.processes import PROCESS, Process


@attrs.frozen
class _Write:
    offset: int
    data: bytes


@attrs.frozen
class _Truncation:
    n_bytes: int


@attrs.define
class _Durable:
    """The content that a power failure leaves of a database's file."""

    synced: bytearray = attrs.field(factory=bytearray)
    later: list[_Write | _Truncation] = attrs.field(factory=list)

    def sync(self) -> None:
        for change in self.later:
            _apply(self.synced, change)
        self.later.clear()

    def after_power_failure(self, draw: random.Random) -> bytes:
        content = bytearray(self.synced)
        share = draw.choice((0.0, 0.5, 0.9, 1.0))
        for change in self.later:
            if draw.random() < share:
                torn = change
                if isinstance(change, _Write) and draw.random() < 0.2:
                    torn = _Write(change.offset, change.data[: draw.randrange(len(change.data) + 1)])
                _apply(content, torn)
        return bytes(content)


@attrs.define
class Disk:
    """Counts the changes of files, and knows which of them a power failure undoes."""

    folder: Path
    on_change: Callable[[Process, str, str], None]
    """Called before each change with the process, what changes and the file's path; it may kill the process, or raise
    an error of SQLite's."""
    is_full: bool = False
    """Whether no file can grow."""
    keeps_durable: bool = True
    """Whether the power may fail."""
    _durable: dict[str, _Durable] = attrs.field(factory=dict)
    _synced_files: dict[int, bytes] = attrs.field(factory=dict)
    """By inode, the content of other files when they were synced last."""

    def begin_change(self, process: Process | None, what: str, path: str) -> bool:
        """Whether a change takes place."""
        if process is None or process.is_dead:
            return False
        self.on_change(process, what, path)
        return not process.is_dead

    def write(self, path: str, offset: int, data: bytes) -> None:
        """Note a write to a database's file."""
        if self.keeps_durable:
            self._of(path).later.append(_Write(offset, bytes(data)))

    def truncate(self, path: str, n_bytes: int) -> None:
        """Note a truncation of a database's file."""
        if self.keeps_durable:
            self._of(path).later.append(_Truncation(n_bytes))

    def sync(self, path: str) -> None:
        """Note a sync of a database's file."""
        if self.keeps_durable:
            self._of(path).sync()

    def delete(self, path: str) -> None:
        """Note the removal of a database's file."""
        self._durable.pop(path, None)

    def fsync(self, descriptor: int) -> None:
        """In place of `os.fsync`: note the content of a file that is no database."""
        process = PROCESS.get()
        if process is None or self.begin_change(process, "sync", "output"):
            found = os.fstat(descriptor)
            self._synced_files[found.st_ino] = os.pread(descriptor, found.st_size, 0)

    def fail_power(self, draw: random.Random, *, kept: frozenset[str]) -> None:
        """Leave of each file what survives a power failure; of those whose names are `kept`, everything."""
        for path in sorted(self.folder.iterdir()):
            if path.name in kept or not path.is_file():
                continue
            if path.name.endswith("-shm"):
                path.unlink()  # memory that processes share
            elif str(path) in self._durable:
                durable = self._durable[str(path)]
                content = durable.after_power_failure(draw)
                path.write_bytes(content)
                durable.synced, durable.later = bytearray(content), []
            else:
                self._lose_tail(path, draw)

    def _lose_tail(self, path: Path, draw: random.Random) -> None:
        content = path.read_bytes()
        synced = self._synced_files.get(path.stat().st_ino, b"")
        if not content.startswith(synced):
            synced = b""
        n_bytes = draw.randint(len(synced), max(len(synced), len(content)))
        if n_bytes != len(content):
            os.truncate(path, n_bytes)

    def _of(self, path: str) -> _Durable:
        if (found := self._durable.get(path)) is None:
            found = self._durable[path] = _Durable()
        return found


def _apply(content: bytearray, change: _Write | _Truncation) -> None:
    if isinstance(change, _Truncation):
        del content[change.n_bytes :]
        return
    if len(content) < change.offset:
        content.extend(bytes(change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data
