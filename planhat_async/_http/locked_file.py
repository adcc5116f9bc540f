"""A small file that processes of one user change in turns. Only for systems with `fcntl`, so not for Windows."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

import attrs


class ForeignFileError(Exception):
    """The file may be another user's; the message names it."""


@attrs.define(eq=False)
class LockedFile:
    """An open file, and its lock. The system releases the lock of a process that ends, however it ends."""

    _descriptor: int

    @classmethod
    def open(cls, path: Path, *, creates: bool) -> LockedFile:
        """Open a file for its owner alone, never through a link, never another user's.

        Raises:
            ForeignFileError: It is another user's, has a second name, or is not a regular file.
            OSError: It cannot be opened.
        """
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if creates else 0)
        opened = cls(os.open(path, flags, 0o600))
        found = os.fstat(opened._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or found.st_nlink > 1:
            opened.close()
            raise ForeignFileError(f"{path} is not a file of yours alone: remove it")
        if found.st_mode & 0o077:
            os.fchmod(opened._descriptor, 0o600)
        return opened

    @property
    def is_removed(self) -> bool:
        """Whether it has no name any more: others may have made a new one."""
        return os.fstat(self._descriptor).st_nlink == 0

    def try_lock(self) -> bool:
        """Lock it, unless another process has; never waits."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Let others lock it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def read(self, max_bytes: int) -> bytes:
        """Its content, up to so many bytes."""
        return os.pread(self._descriptor, max_bytes, 0)

    def write(self, content: bytes) -> None:
        """Replace its beginning."""
        if os.pwrite(self._descriptor, content, 0) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close it, which releases the lock."""
        with suppress(OSError):
            os.close(self._descriptor)
