"""Assets: things that a company uses, with metrics of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsUpdatedByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Asset(Record):
    """An asset (`/assets`, "Assets" in Planhat's documentation).

    A bulk upsert matches assets on `id`, then on `source_id`, then on `external_id`. To create one Planhat needs
    `name` and `company_id`. An asset can have metrics of its own: see `usage`.
    """

    name: str | None = writable()
    """The asset's name; needed to create one."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    external_id: str | None = writable()
    """The asset's id in your own system; unique within a company."""
    source_id: str | None = writable()
    """The asset's id in the system it came from; unique among assets."""
    serial_number: str | None = writable()
    """The serial number."""
    value: float | None = writable()
    """The value, in `currency`."""
    currency: str | None = writable(wire="_currency")
    """The code of the currency of `value`; stored unchecked."""
    install_date: datetime | None = writable()
    """When the asset was installed."""
    status: str | None = writable()
    """The status, as free text; often `Active`."""
    owner_id: str | None = writable()
    """The id of the user who owns the asset."""

    company_name: str | None = read_only()
    """The company's name."""
    created_at: datetime | None = read_only()
    """When Planhat created the asset."""
    followers: list[str] | None = read_only()
    """The ids of the users who follow the asset."""
    owner_name: str | None = read_only()
    """The owner's name."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed the asset."""
    usage: dict[str, Any] | None = read_only()
    """The values of metrics, by their ids."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Assets(ListsUpdatedByCompany[Asset], AllCalls[Asset]):
    """Assets: `/assets`. Metrics can belong to them."""

    model = Model(
        name="assets",
        record=Asset,
        path="/assets",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("name",), ("company_id",)),
    )
