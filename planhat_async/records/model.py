"""The facts about one model's endpoint, as one value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from planhat_async.records.arguments import valid, whole
from planhat_async.records.filters import Filter
from planhat_async.records.keys import PREFIXES
from planhat_async.records.record import Record


@attrs.frozen(kw_only=True)
class PageLimits:
    """Numbers of records in the answer to one call of a list."""

    default: int = attrs.field(validator=valid(whole(1)))
    """The number without a `limit`."""
    most: int = attrs.field(validator=lambda self, _, most: whole(self.default)("most", most))
    """The highest `limit`."""


UNKNOWN_LIMITS = PageLimits(default=2, most=2_000)
"""Limits of a list that Planhat does not document.

Only a page with a single record ends such a list: one with fewer records than requested may be capped by the server.
So a listing costs one more call.
"""


@attrs.frozen(kw_only=True, eq=False)
class Model:
    """The facts about one model, as Planhat documents them.

    Each model's file states them once; everything else derives from them. Fields are named as attributes unless
    Planhat's names are mentioned.
    """

    name: str
    """The plural, as in commands and messages: `tasks`."""
    record: type[Record]
    """The class of its records."""
    path: str
    """The endpoint's path: `/tasks`."""
    limits: PageLimits | None = None
    """The limits of one call of its list; `None` if a call answers the whole list."""
    filters: tuple[Filter, ...] = ()
    """The filters of its lists."""
    get_keys: tuple[str, ...] = ()
    """Prefixes of keys that `get` accepts besides an `_id`."""
    update_keys: tuple[str, ...] = ()
    """Prefixes of keys that `update` accepts besides an `_id`."""
    delete_keys: tuple[str, ...] = ()
    """Prefixes of keys that `delete` accepts besides an `_id`."""
    match: tuple[str, ...] = ("id",)
    """Fields on which a bulk upsert matches a row, in Planhat's order of priority."""
    returned_as: Mapping[str, str] = attrs.field(factory=dict)
    """From the field under which an answer to a bulk upsert returns a key to the field that was sent."""
    needs: tuple[tuple[str, ...], ...] = ()
    """Groups of fields; a new record requires one field of each.

    A row with a key may update a record that exists, so only rows without a key must have them.
    """
    upsert_needs: tuple[tuple[str, ...], ...] = attrs.field(
        default=attrs.Factory(lambda self: self.needs, takes_self=True)
    )
    """The same for new records in a bulk upsert; `needs` by default."""
    needs_with: tuple[tuple[str, str, str], ...] = ()
    """`(field, value, other)`: a new record whose `field` has that value requires `other` as well."""
    creation_defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """Values of a new record's fields that the caller does not set, by Planhat's names."""
    is_answered_with_record: bool = True
    """Whether Planhat documents that a creation and an update are answered with the record.

    If not, any success is accepted, and what was sent is returned if the answer is not a record.
    """
    company_field: str | None = "company_id"
    """The field with the key of the company, or with a list of such keys."""
    company_keys: tuple[str, ...] = PREFIXES
    """Prefixes of keys that this field accepts besides an `_id`."""
    altered: tuple[str, ...] = ()
    """Fields that Planhat stores with another value than the one sent: a time cut to its day, an amount computed."""
    discriminator: tuple[str, ...] = ()
    """Fields, by Planhat's names, that distinguish the model's records from others in the same list."""

    @property
    def always_has_key(self) -> bool:
        """Whether every row of a valid bulk upsert has a key."""
        return any(set(group) <= set(self.match) for group in self.upsert_needs)

    @property
    def everything(self) -> dict[str, None]:
        """The options with which a listing leaves out no record."""
        return {one.option: None for one in self.filters if one.hides}

    @property
    def singular(self) -> str:
        """The name of one record in words: `task`, `line item`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.record.__name__).lower()


def in_alternatives(fields: Sequence[str]) -> str:
    """A group of fields of which one is required, in words."""
    *most, last = fields
    return f"one of {', '.join(most)} or {last}" if most else last
