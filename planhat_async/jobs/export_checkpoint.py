"""How far an interrupted JSONL export has come, and what is still to be read: decisions only.

An export reads one list after another, each in ascending order of `_id`, and writes one line per record. So the last
whole line says how far it has come, in the list of that record: everything up to its `_id` has been written, nothing
beyond it. An export that resumes there has the content of an uninterrupted one, even if rows have moved meanwhile. The
number of lines of a list only helps to find the place.
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

    archive: tuple[str, str] | None = None
    """If the records are in two lists, as tasks are (those that are not archived first): the option of listings that
    selects a list, and the key in a record's JSON that says which list the record is in."""
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
        if self.archive is None:
            return [here]
        option, _ = self.archive
        return [here | {option: True}] if self.is_archived else [here | {option: False}, {option: True}]

    def add_line(self, line: bytes) -> None:
        """Count a line.

        Raises:
            ValueError: An export does not write it here.
        """
        try:
            held = decode_json(line)
        except DecodeError:
            raise ValueError("not JSON") from None
        id_ = held.get("_id") if isinstance(held, dict) else None
        if not isinstance(id_, str) or not id_:
            raise ValueError("not a record with an _id")
        is_archived = self.archive is not None and held.get(self.archive[1]) is True
        if is_archived and not self.is_archived:
            self.is_archived, self.last_id, self.n_of_list = True, None, 0
        elif self.is_archived and not is_archived:
            raise ValueError(f"the record {id_} is not archived, but follows one that is")
        if self.last_id is not None and id_ <= self.last_id:
            raise ValueError(f"the _id {id_} follows {self.last_id}, so the lines are not in order")
        self.last_id = id_
        self.n_of_list += 1
        self.n_rows += 1
        self.n_bytes += len(line)


def read_checkpoint(lines: Iterable[bytes], *, archive: tuple[str, str] | None = None) -> ExportCheckpoint:
    """Read how far an export has come, in the memory of one line.

    Args:
        lines: Its lines, each with its line break; one without is incomplete.
        archive: See `ExportCheckpoint`.

    Raises:
        ValueError: An export does not write such a line; the message has its number.
    """
    found = ExportCheckpoint(archive=archive)
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        try:
            found.add_line(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return found
