"""The state between two exports of changes: a line of JSON, and the bytes of a snapshot behind it.

It is replaced as a whole, and is on the disk under its name before the next step begins: a process or a machine that
ends at any instant leaves the state of before or of after. A digest shows damage.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Self

import attrs

from planhat_async._convert import decode_json, encode_json
from planhat_async.errors import DecodeError
from planhat_async.jobs.files.whole_file import whole_file
from planhat_async.jobs.nightly.state_owner import StateError, StateOwner

_VERSION = 1
_PROGRAM = "planhat-async"


@attrs.frozen(kw_only=True)
class State:
    """The state that a run has left."""

    owner: dict[str, Any]
    """See `StateOwner`."""
    run: int = 0
    """How many runs have ended."""
    since: str | None = None
    """The time from which the next walk begins."""
    file: str | None = None
    """The name of the last run's output."""
    content: bytes = attrs.field(default=b"", repr=False)
    """The snapshot."""

    @classmethod
    def empty(cls, owner: StateOwner) -> Self:
        """The state before the first run."""
        return cls(owner=attrs.asdict(owner))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """The state in a file; `None` if there is no file. Blocks while it reads.

        Raises:
            StateError: It is damaged, no state, or of another version.
            OSError: It cannot be read.
        """
        try:
            line, _, content = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        try:
            held = decode_json(line)
        except DecodeError:
            held = None
        if not isinstance(held, dict) or held.get("program") != _PROGRAM:
            raise StateError(f"{path} is damaged, or not the state of an export: {_HOW_TO_BEGIN_AGAIN}")
        if held.get("version") != _VERSION:
            raise StateError(f"{path} was written by another version of planhat-async: {_HOW_TO_BEGIN_AGAIN}")
        digest = held.pop("digest", None)
        if digest != _digest_of(held, content) or not isinstance(held.get("owner"), dict):
            raise StateError(f"{path} is damaged: {_HOW_TO_BEGIN_AGAIN}")
        return cls(owner=held["owner"], run=held["run"], since=held["since"], file=held["file"], content=content)

    def save(self, path: Path) -> None:
        """Write the state; it is on the disk under its name when this returns. Blocks meanwhile.

        Raises:
            OSError: It cannot be written.
        """
        line: dict[str, Any] = {
            "program": _PROGRAM,
            "version": _VERSION,
            "owner": self.owner,
            "run": self.run,
            "since": self.since,
            "file": self.file,
        }
        line["digest"] = _digest_of(line, self.content)
        with whole_file(path) as out:
            out.write(encode_json(line) + b"\n")
            out.write(self.content)
        sync_folder(path)


_HOW_TO_BEGIN_AGAIN = "move it away to begin again with all records"


def sync_folder(path: Path) -> None:
    """Wait until the names in a file's folder are on the disk; nothing happens where a folder cannot be opened."""
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _digest_of(line: dict[str, Any], content: bytes) -> str:
    digest = hashlib.sha256(encode_json(line))
    digest.update(content)
    return digest.hexdigest()[:32]
