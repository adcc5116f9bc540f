"""The folder of files that processes of one user share while they run."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = "planhat-async"


class UnsafeFolderError(Exception):
    """The folder may be another user's; the message names it."""


def runtime_folder() -> Path:
    """The user's runtime folder for this package, created if need be: for its owner alone.

    It is in `XDG_RUNTIME_DIR`; without that, where systemd keeps it, so that a cron job finds the same one as a
    terminal; else in the folder for temporary files.

    Raises:
        UnsafeFolderError: It is a link, or another user's.
        OSError: It cannot be created.
    """
    folder = next(iter(_owned_parents()), None)
    folder = Path(tempfile.gettempdir()) / f"{_NAME}-{os.getuid()}" if folder is None else folder / _NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeFolderError(f"{folder} is a link or another user's")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def _owned_parents() -> Iterator[Path]:
    """Runtime folders of this user; after `sudo` the variable may still name that of another."""
    for name in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"):
        parent = Path(name)
        if name and parent.is_absolute() and parent.is_dir() and parent.stat().st_uid == os.getuid():
            yield parent
