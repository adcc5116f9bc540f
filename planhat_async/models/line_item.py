"""Line items: the subscriptions and fees of deals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import UNKNOWN_LIMITS, Model, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class LineItem(Record):
    """A line item of a deal (`/lineitems`, "Line Items" in Planhat's documentation).

    Line items are new in 2026, and a tenant may lack them. Their documentation is known in part: `deal_id`, `type`
    and `source_id` are guessed names, and other fields may arrive in `extra`.

    Planhat asks for a deal, and for these fields to create one: `from_date`, `to_date`, `length` and one of `mrr`,
    `arr` and `value` if `fixed_period` is true; `from_date` and `mrr` or `arr` if it is false; a start date and
    `value` for a fee. What a row leaves out is taken from its product. Planhat computes `mrr` and `arr` from each
    other, and `value` too where both dates are set.

    A bulk upsert matches line items on `id`; whether `source_id` and `external_id` match too is not documented.
    """

    external_id: str | None = writable()
    """The line item's id in your own system."""
    source_id: str | None = writable()
    """The line item's id in the system it came from; Planhat's name of the field is a guess."""
    deal_id: str | None = writable()
    """The id of its deal; Planhat's name of the field is a guess."""
    product_id: str | None = writable()
    """The id of its product, which supplies the fields that the line item leaves out."""
    type: str | None = writable()
    """`subscription` or `fee`; Planhat's name of the field is a guess."""
    fixed_period: bool | None = writable()
    """Whether it runs for a fixed period."""
    from_date: datetime | None = writable()
    """When it begins."""
    to_date: datetime | None = writable()
    """When it ends."""
    length: float | None = writable()
    """The length of its period, presumably in months, as with products."""
    mrr: float | None = writable()
    """Monthly recurring revenue; computed where only `arr` is given."""
    arr: float | None = writable()
    """Annual recurring revenue; computed where only `mrr` is given."""
    value: float | None = writable()
    """Its value; computed where both dates are set."""
    status: str | None = writable()
    """`ongoing` (set by Planhat), `renewed` or `lost`."""

    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Custom fields, of which Planhat documents none for this model."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class LineItems(UnfilteredLists[LineItem], AllCalls[LineItem]):
    """Line items of deals: `/lineitems`, new in 2026; the path is known from another client only.

    A bulk upsert is only known to match on `id`, so a row without one is never sent twice.
    """

    model = Model(
        name="line_items",
        record=LineItem,
        path="/lineitems",
        limits=UNKNOWN_LIMITS,
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        company_field=None,
        altered=("mrr", "arr", "value"),
        is_answered_with_record=False,
    )
