"""Campaigns that companies take part in."""

from __future__ import annotations

from typing import Any

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Campaign(Record):
    """A campaign (`/campaigns`, "Campaigns" in Planhat's documentation).

    A bulk upsert matches campaigns on `id`, then on `source_id`, then on `external_id`; a row that matches none needs
    a name and a company.
    """

    name: str | None = writable()
    """The campaign's name; needed to create one."""
    campaign_purpose: str | None = writable()
    """Its purpose."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`; needed to create one."""
    external_id: str | None = writable()
    """The campaign's id in your own system; unique within its company."""
    source_id: str | None = writable()
    """The campaign's id in the system it came from; unique among campaigns."""

    company_name: str | None = read_only()
    """The company's name."""
    usage: dict[str, Any] | None = read_only()
    """The values of its metrics, by their ids; only in Planhat's example."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Campaigns(ListsByCompany[Campaign], AllCalls[Campaign]):
    """Campaigns: `/campaigns`."""

    model = Model(
        name="campaigns",
        record=Campaign,
        path="/campaigns",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("name",), ("company_id",)),
    )
