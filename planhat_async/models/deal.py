"""Deals: what is being sold to a company."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import UNKNOWN_LIMITS, Model, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Deal(Record):
    """A deal (`/deals`, "Deals" in Planhat's documentation).

    Deals are new in 2026, and a tenant may lack them. Planhat needs `company_id` to create one. The amounts come from
    the deal's line items: `mrr` and `total` may be written only while it has none. Its dates of renewal, start and
    end always come from the line items.

    A bulk upsert matches deals on `id`; whether `source_id` and `external_id` match too is not documented.
    """

    name: str | None = writable()
    """The deal's name."""
    company_id: str | None = writable()
    """The company, by `_id`; needed to create one. Whether `extid(...)` or `srcid(...)` works is not documented."""
    external_id: str | None = writable()
    """The deal's id in your own system."""
    source_id: str | None = writable()
    """The deal's id in the system it came from."""
    stage: str | None = writable()
    """`Closed Won` (the only stage that counts as contracted), `Closed Lost`, or one that the tenant has set up."""
    owner_id: str | None = writable()
    """The id of the user it belongs to."""
    followers: list[str] | None = writable()
    """The ids of the users who follow it."""
    mrr: float | None = writable()
    """Monthly recurring revenue; may be written only while the deal has no line items."""
    total: float | None = writable()
    """The total value of the contract; may be written only while the deal has no line items."""
    fees: float | None = writable()
    """The fees it includes."""
    currency: str | None = writable()
    """The currency of its amounts."""
    close_date: datetime | None = writable()
    """When it is closed."""

    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Custom fields, of which Planhat documents none for this model."""
    arr: float | None = read_only()
    """Annual recurring revenue, computed from `mrr`."""
    company_name: str | None = read_only()
    """The company's name."""
    end_date: datetime | None = read_only()
    """When it ends, from its line items."""
    renewal_date: datetime | None = read_only()
    """When its renewal is due, from its line items."""
    start_date: datetime | None = read_only()
    """When it begins, from its line items."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Deals(UnfilteredLists[Deal], AllCalls[Deal]):
    """Deals: `/deals`, new in 2026; a token may not have access to them.

    A bulk upsert is only known to match on `id`, so a row without one is never sent twice.
    """

    model = Model(
        name="deals",
        record=Deal,
        path="/deals",
        limits=UNKNOWN_LIMITS,
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        needs=(("company_id",),),
        company_keys=(),
        altered=("mrr", "total", "fees"),
        is_answered_with_record=False,
    )
