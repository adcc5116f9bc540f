"""The column of an export that says how each record has changed: decisions only."""

from __future__ import annotations

from typing import Literal

from planhat_async._convert import encode_plain

CHANGE = "_change"
"""The name of the column."""
Change = Literal["new", "changed", "deleted"]


def with_change(row: bytes, change: Change) -> bytes:
    """The JSON of a record, which is an object with an `_id`, with the column as its first member."""
    return b'{"_change":"' + change.encode() + b'",' + row[row.index(b"{") + 1 :]


def deleted_row(id_: str) -> bytes:
    """The JSON of a record that is gone: nothing but its `_id` is known."""
    return encode_plain({CHANGE: "deleted", "_id": id_})
