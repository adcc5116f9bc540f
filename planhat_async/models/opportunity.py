"""Opportunities: possible sales to a company."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Opportunity(Record):
    """An opportunity (`/opportunities`, "Opportunities" in Planhat's documentation).

    A bulk upsert matches opportunities on `id`, then on `external_id`. A `source_id` finds one for `get` only, not
    for an update or a bulk upsert. To create one Planhat needs a `company_id`.

    `recurring_value` is in Planhat's examples only, not in its table of fields.
    """

    title: str | None = writable()
    """The opportunity's name."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    external_id: str | None = writable()
    """The opportunity's id in your own system; unique within a company."""
    source_id: str | None = writable()
    """The opportunity's id in the system it came from."""
    status: str | None = writable()
    """`active`, `won` or `lost`."""
    sales_stage: str | None = writable()
    """The stage of the sale."""
    deal_date: datetime | None = writable()
    """The date of the deal."""
    landing_date: datetime | None = writable()
    """When the opportunity landed; Planhat fills it in by default."""
    close_date: datetime | None = writable()
    """When the opportunity was closed; Planhat fills it in by default."""
    owner_id: str | None = writable()
    """The id of the user who owns the opportunity."""
    currency: str | None = writable(wire="_currency")
    """The code of the currency of all amounts; stored unchecked."""
    mrr: float | None = writable()
    """Monthly recurring revenue."""
    arr: float | None = writable()
    """Annual recurring revenue."""
    nrr: float | None = writable()
    """Non-recurring revenue."""
    recurring_value: float | None = writable()
    """Recurring revenue of the whole contract."""
    contract_length: int | None = writable()
    """The length of the contract, in months; 12 by default."""

    comments: list[Any] | None = read_only()
    """Comments on the opportunity."""
    company_name: str | None = read_only()
    """The company's name."""
    probability: float | None = read_only()
    """The probability of winning the opportunity."""
    stage_history: list[Any] | None = read_only()
    """The stages of the sale so far: objects with `stage`, and `to`, the time at which it ended."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Opportunities(ListsByCompany[Opportunity], AllCalls[Opportunity]):
    """Opportunities: `/opportunities`. `get` also accepts a source id; an update and a bulk upsert do not."""

    model = Model(
        name="opportunities",
        record=Opportunity,
        path="/opportunities",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID,),
        match=("id", "external_id"),
        needs=(("company_id",),),
    )
