"""Files that get their name only once they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from planhat_async.jobs.files.private_files import create_private, reopen_private


def part_of(path: Path) -> Path:
    """The path of an export to `path` until it is complete."""
    path = path.resolve() if path.is_symlink() else path  # a link stays one
    return path.with_name(path.name + ".part")


def refuse_to_overwrite(path: Path, *others: Path) -> None:
    """Refuse an output that would overwrite another file, under any of its names, itself or by its `.part`.

    Raises:
        ValueError: It would overwrite one of `others`.
    """
    for written in (path, part_of(path)):
        for other in others:
            if written.resolve() == other.resolve() or (
                written.exists() and other.exists() and written.samefile(other)
            ):
                raise ValueError(f"{path} would overwrite {other}: choose another name")


@contextmanager
def whole_file(path: Path, *, keep_bytes: int = 0) -> Iterator[BinaryIO]:
    """A file that gets its name only once it is complete; until then, or after a failure, it is `NAME.part`.

    It contains customers' data, so only its owner can read it (mode 0600), or it has the mode of the file it replaces.
    A device or a pipe is written to directly.

    Args:
        path: The file.
        keep_bytes: Size of the beginning of `NAME.part` that is kept; writing resumes after it.

    Raises:
        ValueError: The `NAME.part` to resume is a link or another user's.
        OSError: The path is a directory, or cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    part = part_of(path)
    with reopen_private(part, like=path) if keep_bytes else create_private(part, like=path) as out:
        out.truncate(keep_bytes)
        out.seek(keep_bytes)
        yield out
        out.flush()
        os.fsync(out.fileno())
        written = os.fstat(out.fileno())
    if not (part.exists() and os.path.samestat(part.stat(), written)):
        raise FileExistsError(f"{part} was replaced meanwhile, perhaps by another export: {path} is not written")
    part.replace(path.resolve() if path.is_symlink() else path)


@contextmanager
def part_named(path: Path, *, is_resumable: bool) -> Iterator[None]:
    """Add to an exception where the interrupted export is, unless that is empty, and how to resume it."""
    try:
        yield
    except BaseException as error:
        part = part_of(path)
        if part.is_file() and part.stat().st_size:
            how = (
                "the same command with --resume goes on from there"
                if is_resumable
                else "only uncompressed JSONL can be resumed"
            )
            error.add_note(f"{part} holds what was read so far: {how}")
        raise
