"""Sales: revenue that does not recur."""

from __future__ import annotations

from datetime import datetime

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Sale(Record):
    """A sale (`/sales`, "Sales" in Planhat's documentation).

    A bulk upsert matches sales on `id`, then on `source_id`, then on `external_id`; a row that matches none needs a
    company, a currency and a value. A single creation needs the company only; Planhat's table of fields asks for the
    currency, the value and `sales_date` as well.

    `currency` is a code here. In the `sales` of a company it is an object.
    """

    currency: str | None = writable(wire="_currency")
    """The code of its currency; Planhat stores any text."""
    product: str | None = writable()
    """The product sold."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`; needed to create one."""
    external_id: str | None = writable()
    """The sale's id in your own system; unique within its company."""
    source_id: str | None = writable()
    """The sale's id in the system it came from; unique among sales."""
    sales_date: datetime | None = writable()
    """When it was made."""
    value: float | None = writable()
    """The amount; positive."""

    company_name: str | None = read_only()
    """The company's name."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Sales(ListsByCompany[Sale], AllCalls[Sale]):
    """Sales: `/sales`. A new row of a bulk upsert also needs `currency` and `value`."""

    model = Model(
        name="sales",
        record=Sale,
        path="/sales",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("company_id",),),
        upsert_needs=(("company_id",), ("currency",), ("value",)),
        is_answered_with_record=False,
    )
