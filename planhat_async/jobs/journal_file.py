"""A journal's files: which they are, whether they are still those that were opened, and what SQLite says of them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


def files_of(path: Path) -> tuple[Path, ...]:
    """A journal's file, and those that SQLite keeps beside it, which is where a link leads."""
    path = path.resolve() if path.is_symlink() else path
    return tuple(Path(f"{path}{ending}") for ending in ("", "-wal", "-shm", "-journal"))


def place_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from any other that has its name later; `None` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def objection_to(path: Path, *, must_exist: bool) -> str | None:
    """Why a path is no journal, and none can be made there; `None` where SQLite may be asked."""
    if must_exist and not path.exists():
        return f"{path}: there is no such journal"
    if not path.parent.is_dir():
        return f"{path}: there is no folder {path.parent}"
    if path.is_dir():
        return f"{path} is a directory: name a file for the journal"
    if path.exists() and not path.is_file():
        return f"{path} is no file"
    return _objection_to_emptied(path, must_exist=must_exist)


def _objection_to_emptied(path: Path, *, must_exist: bool) -> str | None:
    if path.exists() and path.stat().st_size:
        return None
    # SQLite would throw away the log of a file that is empty or gone.
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return f"{path} is damaged: it is empty or gone, and {log.name} beside it is not"
    return f"{path} is empty, no journal" if must_exist else None


def read_only_part_of(path: Path) -> str | None:
    """What keeps a journal from being written, in words."""
    parts = ((path, "it"), (path.parent, "its folder"))
    return next((what for one, what in parts if one.exists() and not os.access(one, os.W_OK)), None)


def loss_in_words(path: Path, opened: tuple[int, int] | None) -> str | None:
    """What has become of a journal's file since it was opened; `None` where it is still there."""
    found = place_of(path)
    if found == opened:
        return None
    what = "was moved or removed" if found is None else "was replaced by another file"
    return (
        f"{path}: the journal {what} while its job ran, so nothing more is sent. Put it back before you run the job "
        "again: without it, or with an earlier copy, rows are sent again, and those without a key are stored twice"
    )


def error_in_words(error: sqlite3.Error) -> str:
    """What an error of SQLite's means for a journal, and what to do."""
    said = str(error)
    if "locked" in said:
        return "another process is using this journal"
    if "not a database" in said:
        return "this is no journal"
    if "malformed" in said or "corrupt" in said:
        return f"the journal is damaged: {said}"
    if "readonly" in said or "unable to open" in said:
        return f"the journal cannot be written here: {said}"
    if "full" in said:
        return (
            "the disk is full: nothing more is sent until the journal can be written; "
            "make room, and run the same command again"
        )
    return f"the journal cannot be used: {said}"
