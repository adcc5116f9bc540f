"""How far an interrupted JSONL export has come, and what is still to be read: decisions only.

An export reads one list after another, each in ascending order of `_id`, and writes a line a record. So the file
itself says how far it had come: to the last line that is whole, in the list which that record belongs to. Nothing
beyond that `_id` has been written, everything up to it has; so an export that resumes after it holds what an
uninterrupted one would, wherever the rows have moved meanwhile. How many lines a list has only helps to find the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from planhat_async._convert import decode_json
from planhat_async.errors import DecodeError


@attrs.define(kw_only=True)
class ExportCheckpoint:
    """How far an export has come."""

    has_archive: bool = False
    """Whether the records are in two lists, as tasks are: those that are not archived, then those that are."""
    archive_option: str = "archived"
    """The option of listings that selects one of the two lists."""
    archive_key: str = "isArchived"
    """The key, in a record's JSON, that says which list the record is in."""
    is_archived: bool = False
    """Whether the last record is in the second list."""
    last_id: str | None = None
    n_of_list: int = 0
    """Records of the list that the last one is in."""
    n_rows: int = 0
    """Records in all."""
    n_bytes: int = 0
    """Bytes of all whole lines; half a line may follow."""

    def listings(self) -> list[dict[str, Any]]:
        """The options of the listings that are still to be read, in order."""
        if self.last_id is None:
            return [{}]
        here = {"after": self.last_id, "start_offset": self.n_of_list}
        if not self.has_archive:
            return [here]
        archived = {self.archive_option: True}
        return [here | archived] if self.is_archived else [here | {self.archive_option: False}, archived]

    def add_line(self, line: bytes) -> None:
        """Count a line.

        Raises:
            ValueError: An export does not write it here.
        """
        id_, is_archived = _place(line, self.archive_key)
        if is_archived and self.has_archive and not self.is_archived:
            self.is_archived, self.last_id, self.n_of_list = True, None, 0
        elif self.is_archived and not is_archived:
            raise ValueError(f"the record {id_} is not archived, but follows one that is")
        if self.last_id is not None and id_ <= self.last_id:
            raise ValueError(f"the _id {id_} follows {self.last_id}, so the lines are not in order")
        self.last_id = id_
        self.n_of_list += 1
        self.n_rows += 1
        self.n_bytes += len(line)


def read_checkpoint(
    lines: Iterable[bytes],
    *,
    has_archive: bool = False,
    archive_option: str = "archived",
    archive_key: str = "isArchived",
) -> ExportCheckpoint:
    """Read how far an export has come, in the memory of one line.

    Args:
        lines: Its lines, each with its line break; one without is only half there.
        has_archive: Whether the records are in two lists, as tasks are.
        archive_option: See `ExportCheckpoint`.
        archive_key: See `ExportCheckpoint`.

    Raises:
        ValueError: An export does not write such a line; the message has its number.
    """
    found = ExportCheckpoint(has_archive=has_archive, archive_option=archive_option, archive_key=archive_key)
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        try:
            found.add_line(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return found


def _place(line: bytes, archive_key: str) -> tuple[str, bool]:
    """A record's `_id`, and whether it is archived."""
    try:
        held = decode_json(line)
    except DecodeError:
        raise ValueError("not JSON") from None
    id_ = held.get("_id") if isinstance(held, dict) else None
    if not isinstance(id_, str) or not id_:
        raise ValueError("not a record with an _id")
    return id_, held.get(archive_key) is True
