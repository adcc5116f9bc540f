"""A SQLite file as it is at one instant, while another process writes to it.

The writer of a journal keeps everybody else out, readers too, so it is read from a copy. What makes that sound: in
write-ahead mode pages go from the log to the file, and the log is begun anew, with other numbers in its head, only once
all of them are there. A log that is copied after the file, and was not begun anew meanwhile, holds all that was brought
into the file in between; what is behind its last whole commit is no part of it.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

_MAX_TRIES = 100
_LOG_HEAD_BYTES = 32


def take_snapshot(path: Path, copy: Path) -> None:
    """Copy a SQLite file, and the logs beside it, as they are at one instant.

    Not for a file that this very process has open: to close it once loses all locks that the process has on it.

    Raises:
        OSError: It cannot be read, or is written to too often.
    """
    for _ in range(_MAX_TRIES):
        before = _head_of_log(path)
        shutil.copyfile(path, copy)
        for ending in ("-journal", "-wal"):  # the log last
            beside = copy.with_name(copy.name + ending)
            beside.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + ending), beside)
        if _head_of_log(path) == before:
            return
    raise OSError(f"{path} is written to faster than it can be copied")


def _head_of_log(path: Path) -> bytes:
    try:
        with path.with_name(path.name + "-wal").open("rb") as log:
            return log.read(_LOG_HEAD_BYTES)
    except FileNotFoundError:
        return b""
