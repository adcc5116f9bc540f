"""Licenses: what a company subscribes to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class License(Record):
    """A license (`/licenses`, "Licenses" in Planhat's documentation).

    A bulk upsert matches licenses on `id`, then on `source_id`, then on `external_id`. To create one Planhat needs
    `company_id`, and in a bulk upsert also `currency`, and `value` or `mrr`. With `fixed_period` either amount
    will do; without it `mrr` is needed.

    Creating a license generates invoices unless `invoices_generated` is true, and so does a renewal unless
    `invoice_muted` is true. Planhat documents `invoice_cycle_interval` as filled in by itself, and sends it in its
    own example: here it may be written.
    """

    product: str | None = writable()
    """The name of the product."""
    currency: str | None = writable(wire="_currency")
    """The currency's code; stored unchecked."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    external_id: str | None = writable()
    """The license's id in your own system; unique within a company."""
    source_id: str | None = writable()
    """The license's id in the system it came from; unique among licenses."""
    from_date: datetime | None = writable()
    """When the license begins."""
    to_date: datetime | None = writable()
    """When the license ends."""
    fixed_period: bool | None = writable()
    """Whether the license has a fixed period; false by default."""
    mrr: float | None = writable()
    """Monthly recurring revenue; needed without `fixed_period`."""
    arr: float | None = writable()
    """Annual recurring revenue."""
    renewal_mrr: float | None = writable()
    """Monthly recurring revenue at the renewal."""
    renewal_arr: float | None = writable()
    """Annual recurring revenue at the renewal."""
    forecast_mrr: float | None = writable(wire="fcNewMrr")
    """The forecast of monthly recurring revenue."""
    forecast_arr: float | None = writable(wire="fcNewArr")
    """The forecast of annual recurring revenue."""
    forecast_mrr_optimistic: float | None = writable(wire="fcNewMrrOptimistic")
    """The optimistic forecast of monthly recurring revenue."""
    forecast_arr_optimistic: float | None = writable(wire="fcNewArrOptimistic")
    """The optimistic forecast of annual recurring revenue."""
    forecast_mrr_pessimistic: float | None = writable(wire="fcNewMrrPessimistic")
    """The pessimistic forecast of monthly recurring revenue."""
    forecast_arr_pessimistic: float | None = writable(wire="fcNewArrPessimistic")
    """The pessimistic forecast of annual recurring revenue."""
    value: float | None = writable()
    """The revenue of the whole period; positive."""
    renewal_status: str | None = writable()
    """`ongoing`, `renewed` or `lost`."""
    renewal_period: int | None = writable()
    """The length of a renewal, in `renewal_unit`s; 1 by default."""
    renewal_unit: str | None = writable()
    """`day`, `week` or `month`, the default."""
    auto_renews: bool | None = writable()
    """Whether the license renews automatically; false by default."""
    parent: str | None = writable()
    """The id of the first license in a chain of renewals."""
    invoices_generated: bool | None = writable()
    """Whether invoices exist already; true keeps Planhat from generating them. False by default."""
    invoice_muted: bool | None = writable()
    """Whether a renewal generates no invoices; false by default."""
    invoice_cycle_interval: int | None = writable()
    """The interval between invoices; Planhat fills it in, and accepts a given value."""

    company_name: str | None = read_only()
    """The company's name."""
    invoice_cycle: str | None = read_only()
    """`monthly`, `quarterly`, `semiAnnual`, `yearly`, `once` or `custom`."""
    is_overdue: bool | None = read_only()
    """Whether the renewal is overdue."""
    issues: list[Any] | None = read_only()
    """Issues of the license."""
    length: float | None = read_only()
    """The length of the period, in months."""
    notice_period: int | None = read_only()
    """The notice period, in `notice_unit`s; only with `auto_renews`."""
    notice_unit: str | None = read_only()
    """`days`, `weeks` or `months`; only with `auto_renews`."""
    renewal_date: datetime | None = read_only()
    """When the renewal is due."""
    renewal_days_from_now: int | None = read_only()
    """Days until the renewal; negative after it."""
    sales_date: datetime | None = read_only()
    """When the license was sold."""
    to_date_included: bool | None = read_only()
    """Whether the period includes `to_date`."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Licenses(ListsByCompany[License], AllCalls[License]):
    """Licenses: `/licenses`. A new row of a bulk upsert also needs `currency`, and `value` or `mrr`."""

    model = Model(
        name="licenses",
        record=License,
        path="/licenses",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("company_id",),),
        upsert_needs=(("company_id",), ("currency",), ("value", "mrr")),
    )
