"""Files that hold customers' data: for their owner alone, or with the mode of the file they replace.

They are never written through a link, or into a file, that another user has put where they are to be: what is there
is removed first, or, if it is to be resumed, must be a regular file of our own.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_PRIVATE = 0o600
# Windows has neither links to guard against here nor modes, and opens files as text.
_NEVER_A_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def create_private(path: Path, *, like: Path | None = None) -> BinaryIO:
    """Create a file to write to; what has its name is removed, not written to.

    Args:
        path: The file.
        like: The file that it is to replace, whose mode it gets if there is one.

    Raises:
        OSError: It cannot be created, or what is there cannot be removed.
    """
    path.unlink(missing_ok=True)
    out = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NEVER_A_LINK, _PRIVATE), "w+b")
    _give_mode(out.fileno(), like)
    return out


def reopen_private(path: Path, *, like: Path | None = None) -> BinaryIO:
    """Open a file of our own, to resume it.

    Args:
        path: The file.
        like: As with `create_private`.

    Raises:
        ValueError: It is a link, or another user's file, or has another name besides.
        OSError: It cannot be opened.
    """
    refuse_foreign(path)
    out = os.fdopen(os.open(path, os.O_RDWR | _NEVER_A_LINK), "r+b")
    _give_mode(out.fileno(), like)
    return out


def refuse_foreign(path: Path) -> None:
    """Refuse a file that another user may have put there.

    Raises:
        ValueError: It is one.
        OSError: It is not there.
    """
    found = path.lstat()
    own_id = getattr(os, "getuid", lambda: found.st_uid)()  # Windows has none
    if not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == own_id):
        raise ValueError(f"{path} is a link, or not a file of yours alone: remove it, and begin again")


def make_private(path: Path, *, like: Path | None = None) -> None:
    """Create an empty file, unless there is one.

    Args:
        path: The file.
        like: A file whose mode it gets.

    Raises:
        OSError: It cannot be created.
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NEVER_A_LINK, _PRIVATE)
        _give_mode(descriptor, like)
        os.close(descriptor)


def _give_mode(descriptor: int, like: Path | None) -> None:
    change_mode = getattr(os, "fchmod", None)
    if change_mode is not None and like is not None and like.is_file():
        change_mode(descriptor, stat.S_IMODE(like.stat().st_mode) & 0o777)
