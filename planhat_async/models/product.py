"""Products: the catalogue that line items of deals refer to."""

from __future__ import annotations

from datetime import datetime

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import UNKNOWN_LIMITS, Model, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Product(Record):
    """A product (`/products`, "Products" in Planhat's documentation).

    Products are new in 2026, and a tenant may lack them. They belong to no company. Planhat needs `name` to create
    one, and computes `arr` and `renewal_arr` from `mrr` and `renewal_mrr`.

    A bulk upsert matches products on `id`; whether `source_id` and `external_id` match too is not documented.
    """

    name: str | None = writable()
    """The product's name; needed to create one."""
    external_id: str | None = writable()
    """The product's id in your own system."""
    source_id: str | None = writable()
    """The product's id in the system it came from."""
    type: str | None = writable()
    """`subscription` (Planhat's default) or `fee`."""
    mrr: float | None = writable()
    """Monthly recurring revenue."""
    value: float | None = writable()
    """Its value."""
    currency: str | None = writable()
    """The currency of its amounts."""
    fixed_period: bool | None = writable()
    """Whether it runs for a fixed period."""
    auto_renews: bool | None = writable()
    """Whether it renews by itself."""
    length: int | None = writable()
    """The length of its period, in months."""
    renewal_mrr: float | None = writable()
    """Monthly recurring revenue after a renewal."""
    renewal_period: int | None = writable()
    """The length of the period after a renewal, in months."""
    notice_period: int | None = writable()
    """The notice period, in units of `notice_unit`."""
    notice_unit: str | None = writable()
    """`day`, `week` or `month`."""
    packages: list[str] | None = writable()
    """Its packages."""
    color: str | None = writable()
    """Its colour."""

    arr: float | None = read_only()
    """Annual recurring revenue."""
    created_at: datetime | None = read_only()
    """When Planhat created it."""
    renewal_arr: float | None = read_only()
    """Annual recurring revenue after a renewal."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Products(UnfilteredLists[Product], AllCalls[Product]):
    """Products: `/products`, new in 2026; a token may not have access to them.

    A bulk upsert is only known to match on `id`, so a row without one is never sent twice.
    """

    model = Model(
        name="products",
        record=Product,
        path="/products",
        limits=UNKNOWN_LIMITS,
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        needs=(("name",),),
        company_field=None,
        is_answered_with_record=False,
    )
