"""Activities: what end users do, which Planhat counts and shows in its event stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from planhat_async.analytics.metric import as_sent, checked_row, not_blank, plain_number
from planhat_async.records import Record, read_only, writable

_BULK_ID = "euExtId"
"""The bulk call's name for what the single call calls `externalId`."""


@attrs.define(kw_only=True, repr=False)
class Activity(Record):
    """Something that an end user did (`/analytics`).

    `email` or `external_id` is required. An activity that is sent twice counts twice.
    """

    email: str | None = writable()
    """The end user's e-mail address."""
    external_id: str | None = writable()
    """The end user's external id. Mappings may call it `externalId` or `euExtId`, as Planhat's two calls do."""
    name: str | None = writable()
    """The end user's full name."""
    company_external_id: str | None = writable()
    """The external id of the company; needed to create an unknown end user in the right company."""
    action: str | None = writable()
    """What the end user did; needed to appear in the event stream."""
    weight: float | None = writable()
    """How much the activity counts; 1 by default."""
    count: int | None = writable()
    """How many times it happened; 1 by default. Planhat documents it for the bulk call only."""
    info: dict[str, Any] | None = writable()
    """More about the activity, by names of your own."""
    date: datetime | None = writable()
    """The time, aware; by default the time at which Planhat receives it."""

    id: str | None = read_only(wire="_id")
    """Always `None`: Planhat documents no key of activities."""
    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Always empty: activities have no custom fields."""


def bulk_activity_row(item: Any) -> dict[str, Any]:
    """What the bulk call is sent for an activity, by Planhat's names.

    Args:
        item: An `Activity`, or a mapping with keys in any spelling. Values that are `None` are left out.

    Raises:
        ValueError: A required field is missing, or a value that Planhat would reject or misunderstand.
        TypeError: Neither of the two, or a value of the wrong type.
    """
    return {_BULK_ID if wire == "externalId" else wire: value for wire, value in activity_row(item).items()}


def activity_row(item: Any) -> dict[str, Any]:
    """What the single call is sent for an activity, which has no `count`; otherwise as `bulk_activity_row`."""
    if isinstance(item, Mapping) and _BULK_ID in item:
        if "externalId" in item or "external_id" in item:
            raise ValueError("external_id is given twice, in two spellings")
        item = {"externalId" if name == _BULK_ID else name: value for name, value in item.items()}
    row = checked_row(Activity, item, _CHECKS)
    if not ("email" in row or "externalId" in row):
        raise ValueError("email or external_id is required")
    return row


def _count(value: int) -> int:
    if value < 1:
        raise ValueError(f"count must be at least 1, not {value}")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "email": not_blank("email"),
    "externalId": not_blank("external_id"),
    "name": not_blank("name"),
    "companyExternalId": not_blank("company_external_id"),
    "action": not_blank("action"),
    "weight": plain_number("weight"),
    "count": _count,
    "info": as_sent,
    "date": as_sent,
}
