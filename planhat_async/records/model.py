"""What is known of one model's endpoint, as one value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from planhat_async.records.filters import Filter
from planhat_async.records.record import Record


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
    get_keys: tuple[str, ...] = ()
    """The prefixes of the keys that `get` takes besides an `_id`."""
    update_keys: tuple[str, ...] = ()
    """The prefixes of the keys that `update` takes besides an `_id`."""
    delete_keys: tuple[str, ...] = ()
    """The prefixes of the keys that `delete` takes besides an `_id`."""
    match: tuple[str, ...] = ("id",)
    """The fields that a bulk upsert matches a row on, in Planhat's order of priority."""
    returned_as: Mapping[str, str] = attrs.field(factory=dict)
    """Keys that an answer to a bulk upsert gives under another field's name: that field, and the field sent."""
    needs: tuple[tuple[str, ...], ...] = ()
    """What a new record needs: one field of each group.

    A row with a key may update a record that exists, so only a row without one must have it.
    """
    upsert_needs: tuple[tuple[str, ...], ...] = attrs.field(
        default=attrs.Factory(lambda self: self.needs, takes_self=True)
    )
    """What a row of a bulk upsert needs to be created, where that differs from what a single creation needs."""
    needs_with: tuple[tuple[str, str, str], ...] = ()
    """`(field, value, other)`: a new record whose `field` has that value needs `other` as well."""
    creation_defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """What a new record gets where the caller says nothing, by Planhat's names."""
    is_answered_with_record: bool = True
    """Whether Planhat documents that a creation and an update are answered with the record.

    If not, any success will do, and what was sent stands in for the record where the answer is none.
    """
    company_field: str | None = "company_id"
    """The field that holds the company's key, if there is one."""
    company_keys: str = 'extid("…") or srcid("…")'
    """What names a company in place of its `_id`, for messages."""
    discriminator: tuple[str, ...] = ()
    """Fields by Planhat's names that tell the model's records from others in the same list."""

    @property
    def always_has_key(self) -> bool:
        """Whether every row that can be sent has a key."""
        return any(set(group) <= set(self.match) for group in self.upsert_needs)

    @property
    def title(self) -> str:
        """The name as a class has it: `Tasks`, `LineItems`."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def singular(self) -> str:
        """One record of it, in words: `task`, `line item`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.record.__name__).lower()
