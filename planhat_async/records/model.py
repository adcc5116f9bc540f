"""What is known of one model's endpoint, as one value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from planhat_async.records.filters import Filter
from planhat_async.records.record import Record


class KeyKind(StrEnum):
    """A way to name a record in a path."""

    ID = "_id"
    EXTERNAL = "extid"
    SOURCE = "srcid"


@attrs.frozen(kw_only=True)
class PageLimits:
    """How many records one call of a list answers."""

    default: int
    """Where the call names no limit."""
    most: int
    """The most that a call may ask for."""


@attrs.frozen(kw_only=True, eq=False)
class Model:
    """The facts about one model, as Planhat's documentation of it has them.

    Each model's file states them once; everything else derives from them.
    """

    name: str
    """The plural, as the command line and messages have it: `tasks`."""
    record: type[Record]
    path: str
    limits: PageLimits
    filters: tuple[Filter, ...] = ()
    get_keys: tuple[KeyKind, ...] = ()
    """The kinds of key that `GET path/key` takes; those of `update` and `delete` below."""
    update_keys: tuple[KeyKind, ...] = ()
    delete_keys: tuple[KeyKind, ...] = (KeyKind.ID,)
    match: tuple[str, ...] = ("id",)
    """The fields that a bulk upsert matches a row on, in Planhat's order of priority."""
    needs: tuple[tuple[str, ...], ...] = ()
    """What a new record needs: one field of each group."""
    needs_with: tuple[tuple[str, str, str], ...] = ()
    """`(field, value, other)`: a new record whose `field` has that value needs `other` as well."""
    filled_in: Mapping[str, Any] = attrs.field(factory=dict)
    """What a new record gets where the caller says nothing, by Planhat's names."""
    discriminator: tuple[str, ...] = ()
    """Fields by Planhat's names that tell the model's records from others in the same list."""

    @property
    def singular(self) -> str:
        """One record of it, in words: `task`, `line item`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.record.__name__).lower()
