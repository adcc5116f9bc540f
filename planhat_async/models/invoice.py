"""Invoices: what companies are billed for their licenses and sales."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import BY_COMPANY, ListsUpdatedByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Invoice(Record):
    """An invoice (`/invoices`, "Invoices" in Planhat's documentation).

    A bulk upsert matches invoices on `id`, then on `source_id`, then on `external_id`; a row that matches none needs
    a company, a currency and an invoice date. A single creation needs the company only.

    The days of an invoice travel as whole days since 1970-01-01. Line items stay as Planhat has them, so their
    `dateFrom` and `dateTo` are such numbers too. They differ between a write and its answer: Planhat adds an `_id` to
    each and drops `relatedId`. Planhat documents them as filled in by itself, and sends them in its own examples of
    a creation. Here they may be written.

    Planhat makes invoices of its own for new and renewed licenses.
    """

    company_id: str | None = writable(wire="cId")
    """The company, by `_id`, `extid(...)` or `srcid(...)`; needed to create one."""
    external_id: str | None = writable(wire="extId")
    """The invoice's id in your own system; unique within its company."""
    source_id: str | None = writable()
    """The invoice's id in the system it came from; unique among invoices."""
    currency: str | None = writable()
    """The code of its currency."""
    product: str | None = writable()
    """The product it is for."""
    invoice_date: date | None = writable(is_day_number=True)
    """The day it is issued."""
    due_date: date | None = writable(is_day_number=True)
    """The day by which it is to be paid."""
    paid_date: date | None = writable(is_day_number=True)
    """The day it was paid."""
    amount_total: float | None = writable()
    """The amount of the whole invoice."""
    status: str | None = writable()
    """`pending`, `paid` or `overdue`."""
    line_items: list[Any] | None = writable()
    """Its lines: objects with `saleId` or `licenseId`, `product`, `amount`, `dateFrom` and `dateTo`."""

    address_country: str | None = read_only()
    """The country of the billing address."""
    amount_due: float | None = read_only()
    """The amount still to be paid."""
    amount_paid: float | None = read_only()
    """The amount already paid."""
    comments: list[Any] | None = read_only()
    """Comments on it."""
    company_name: str | None = read_only(wire="cName")
    """The company's name."""
    emails: list[Any] | None = read_only()
    """The e-mail addresses it goes to."""
    invoice_cycle: str | None = read_only()
    """`monthly`, `quarterly`, `semiAnnual`, `yearly`, `once` or `custom`."""
    invoice_no: int | None = read_only()
    """Its number; not reused after the invoice is deleted."""
    last_updated: datetime | None = read_only()
    """When it last changed."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Invoices(ListsUpdatedByCompany[Invoice], AllCalls[Invoice]):
    """Invoices: `/invoices`. A new row of a bulk upsert also needs `currency` and `invoice_date`."""

    model = Model(
        name="invoices",
        record=Invoice,
        path="/invoices",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("company_id",),),
        upsert_needs=(("company_id",), ("currency",), ("invoice_date",)),
    )
