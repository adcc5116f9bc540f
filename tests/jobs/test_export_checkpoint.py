"""Test where an interrupted JSONL export is resumed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.export_checkpoint import ExportCheckpoint, read_checkpoint


def line(id_: str, **fields: Any) -> bytes:
    """Return a record's line."""
    return json.dumps({"_id": id_, **fields}).encode() + b"\n"


ARCHIVE = ("archived", "isArchived")
OPEN = [line("02"), line("04", isArchived=False)]
ARCHIVED = [line("01", isArchived=True), line("05", isArchived=True), line("06", isArchived=True)]


def test_an_incomplete_line_does_not_count() -> None:
    """It is written again, even if its record seems complete."""
    assert read_checkpoint([]) == ExportCheckpoint()
    found = read_checkpoint([line("1"), line("2"), line("3").removesuffix(b"\n")])
    assert found == ExportCheckpoint(last_id="2", n_of_list=2, n_rows=2, n_bytes=len(line("1") * 2))


@pytest.mark.parametrize(
    ("lines", "archive", "listings"),
    [
        ([], None, [{}]),
        ([], ARCHIVE, [{}]),
        ([line("1"), line("2")], None, [{"after": "2", "start_offset": 2}]),
        (OPEN, ARCHIVE, [{"after": "04", "start_offset": 2, "archived": False}, {"archived": True}]),
        ([*OPEN, *ARCHIVED[:2]], ARCHIVE, [{"after": "05", "start_offset": 2, "archived": True}]),
        (ARCHIVED, ARCHIVE, [{"after": "06", "start_offset": 3, "archived": True}]),
        (ARCHIVED, None, [{"after": "06", "start_offset": 3}]),
    ],
)
def test_an_export_is_resumed_after_its_last_record(
    lines: list[bytes], archive: tuple[str, str] | None, listings: list[dict[str, Any]]
) -> None:
    """It continues in the list of that record; after open tasks, it reads all archived ones."""
    found = read_checkpoint(lines, archive=archive)
    assert (found.listings(), found.n_rows) == (listings, len(lines))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([line("1"), b"_id,sourceId\n"], "line 2: not JSON"),
        ([b"\n"], "line 1: not JSON"),
        ([b"\0\0\0\n"], "line 1: not JSON"),
        ([b"\xff\n"], "line 1: not JSON"),
        ([b"[1]\n"], "line 1: not a record with an _id"),
        ([b'{"id":"1"}\n'], "line 1: not a record with an _id"),
        ([b'{"_id":1}\n'], "line 1: not a record with an _id"),
        ([b'{"_id":""}\n'], "line 1: not a record with an _id"),
        (
            [line("1"), line("3"), line("2")],
            "line 3: the _id 2 follows 3, so the lines are not in order",
        ),
        ([line("1"), line("1")], "line 2: the _id 1 follows 1, so the lines are not in order"),
        ([*ARCHIVED, line("07")], "line 4: the record 07 is not archived, but follows one that is"),
        (
            [*ARCHIVED, line("02", isArchived=True)],
            "line 4: the _id 02 follows 06, so the lines are not in order",
        ),
    ],
)
def test_an_unexpected_line_is_refused(lines: list[bytes], reason: str) -> None:
    """The file is not an export and is not written to."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared
        read_checkpoint(lines, archive=ARCHIVE)
    assert str(caught.value) == reason


@settings(derandomize=True, deadline=None)
@given(st.sets(st.text("0123456789abcdef", min_size=2, max_size=4)), st.integers(0))
def test_every_beginning_of_an_export_can_be_resumed(ids: set[str], cut: int) -> None:
    """The checkpoint has the number of bytes and records, and the last `_id`."""
    lines = [line(id_) for id_ in sorted(ids)]
    whole = b"".join(lines)
    begun = whole[: cut % (len(whole) + 1)]
    found = read_checkpoint(begun.splitlines(keepends=True))
    n_rows = begun.count(b"\n")
    assert (found.n_rows, found.n_of_list, found.n_bytes) == (n_rows, n_rows, len(b"".join(lines[:n_rows])))
    assert found.last_id == (sorted(ids)[n_rows - 1] if n_rows else None)
