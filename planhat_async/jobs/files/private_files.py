"""Files of customers' data: for their owner alone, or with the mode of the file they replace.

They are never written through a link, or into a file, that another user has put in their place: it is removed first
or, if the file is to be resumed, must be a regular file of our own. A file gets the mode of `like`, if that exists.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

# Windows has neither links to guard against here nor modes, and opens files as text.
_NEVER_A_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def create_private(path: Path, *, like: Path | None = None) -> BinaryIO:
    """Create a file to write to, and remove an existing one of its name.

    Raises:
        OSError: It cannot be created, or the existing file cannot be removed.
    """
    path.unlink(missing_ok=True)
    return _created(path, like)


def reopen_private(path: Path, *, like: Path | None = None) -> BinaryIO:
    """Open a file of our own, to resume it.

    Raises:
        ValueError: It is a link, another user's file, or has a second name.
        OSError: It cannot be opened.
    """
    refuse_foreign(path)
    out = os.fdopen(os.open(path, os.O_RDWR | _NEVER_A_LINK), "r+b")
    _give_mode(out.fileno(), like)
    return out


def refuse_foreign(path: Path) -> None:
    """Refuse a file that another user may have put there.

    Raises:
        ValueError: It is a link, another user's file, or has a second name.
        OSError: It does not exist.
    """
    found = path.lstat()
    own_id = getattr(os, "getuid", lambda: found.st_uid)()  # Windows lacks it
    if not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == own_id):
        raise ValueError(f"{path} is a link, or not a file of yours alone: remove it, and begin again")


def make_private(path: Path, *, like: Path | None = None) -> None:
    """Create an empty file, unless it exists.

    Raises:
        OSError: It cannot be created.
    """
    with suppress(FileExistsError):
        _created(path, like).close()


def _created(path: Path, like: Path | None) -> BinaryIO:
    out = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NEVER_A_LINK, 0o600), "w+b")
    _give_mode(out.fileno(), like)
    return out


def _give_mode(descriptor: int, like: Path | None) -> None:
    change_mode = getattr(os, "fchmod", None)
    if change_mode is not None and like is not None and like.is_file():
        change_mode(descriptor, stat.S_IMODE(like.stat().st_mode) & 0o777)
