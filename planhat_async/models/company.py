"""Companies: the customers that every other record is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import ListsUpdatedByCompany
from planhat_async.records import IdFilter, Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Company(Record):
    """A company (`/companies`, "Companies" in Planhat's documentation).

    A bulk upsert matches companies on `id`, then on `source_id`, then on `external_id`, which is unique among
    companies. Other records name a company by `_id`, `extid("…")` or `srcid("…")`.

    Planhat documents some fields as filled in by itself, and sends them in its own example of a creation: `phase`,
    `status`, `domains`, `health`, `csm_score` and the revenue. Here they may be written.
    """

    name: str | None = writable()
    """The company's name; needed to create one."""
    external_id: str | None = writable()
    """The company's id in your own system; unique among companies."""
    source_id: str | None = writable()
    """The company's id in the system it came from."""
    owner: Any = writable()
    """The id of the account manager; a list may answer an object instead."""
    co_owner: Any = writable()
    """The id of the second account manager; a list may answer an object instead."""
    phase: str | None = writable()
    """The phase of its lifecycle; stored unchecked, even where no such phase is configured."""
    status: str | None = writable()
    """`prospect`, `coming`, `customer`, `canceled` or `lost`."""
    domains: list[str] | None = writable()
    """Its mail domains, by which tickets and end users find it."""
    health: int | None = writable(wire="h")
    """Its health, from 0 to 10."""
    csm_score: int | None = writable()
    """The score that its account manager gives it, from 1 to 5."""
    mr: float | None = writable()
    """Monthly revenue: recurring, and the non-recurring revenue of 30 days."""
    nrr30: float | None = writable()
    """Non-recurring revenue of the last 30 days."""
    mrr_total: float | None = writable()
    """All recurring revenue so far."""
    nrr_total: float | None = writable()
    """All non-recurring revenue so far."""
    mr_total: float | None = writable()
    """All revenue so far."""
    description: str | None = writable()
    """A description."""
    address: str | None = writable()
    """Street and number."""
    country: str | None = writable()
    """Its country."""
    city: str | None = writable()
    """Its city."""
    zip: str | None = writable()
    """Its postal code."""
    phone_primary: str | None = writable()
    """Its phone number."""
    web: str | None = writable()
    """Its web site."""
    tags: list[str] | None = writable()
    """Its tags."""
    followers: list[str] | None = writable()
    """The ids of the users who follow it."""

    alerts: list[Any] | None = read_only()
    """Alerts about it."""
    arr: float | None = read_only()
    """Annual recurring revenue."""
    auto_renews: bool | None = read_only()
    """Whether its licenses renew by themselves."""
    collaborators: list[Any] | None = read_only()
    """Users who work with it."""
    create_date: datetime | None = read_only()
    """When Planhat created it."""
    created_at: datetime | None = read_only()
    """Also when Planhat created it, in some answers."""
    csm_score_log: list[Any] | None = read_only()
    """The values that `csm_score` had."""
    customer_from: datetime | None = read_only()
    """When its active license began."""
    customer_to: datetime | None = read_only()
    """When its active license ends."""
    documents: list[Any] | None = read_only()
    """Files attached to it."""
    features: Any = read_only()
    """Features it uses; an object or a list."""
    head_id: str | None = read_only()
    """An id that Planhat's example has, undocumented."""
    health_change: int | None = read_only(wire="hDiff")
    """The last change of `health`."""
    health_change_date: str | None = read_only(wire="hDiffDate")
    """When `health` last changed."""
    health_profile: str | None = read_only(wire="hProfile")
    """The id of its health profile."""
    last_active: datetime | None = read_only()
    """When its people were last active."""
    last_active_time: datetime | None = read_only()
    """The same, in some answers."""
    last_activities: list[Any] | None = read_only()
    """What its people did last."""
    last_performed_triggers: list[Any] | None = read_only()
    """Automations that ran last."""
    last_renewal: datetime | None = read_only()
    """When a license was last renewed."""
    last_touch: datetime | None = read_only()
    """When it was last in contact."""
    last_touch_by_type: dict[str, Any] | None = read_only()
    """The last contact of each kind."""
    last_touch_time: datetime | None = read_only()
    """When it was last in contact, in some answers."""
    last_touch_type: str | None = read_only()
    """The kind of the last contact."""
    last_updated: datetime | None = read_only()
    """When it last changed."""
    licenses: list[Any] | None = read_only()
    """Its licenses; `_currency` is an object in them."""
    links: list[Any] | None = read_only()
    """Links to other records."""
    mrr: float | None = read_only()
    """Monthly recurring revenue."""
    next_touch: Any = read_only()
    """When the next contact is due: a text, or milliseconds since 1970."""
    next_touch_date: datetime | None = read_only()
    """When the next contact is due, in some answers."""
    nps: float | None = read_only()
    """Its net promoter score."""
    org_arr: float | None = read_only()
    """Annual recurring revenue, with the companies below it."""
    org_arr_total: float | None = read_only()
    """All of that so far."""
    org_count: int | None = read_only()
    """The number of companies in its organisation."""
    org_health_total: float | None = read_only()
    """The health of its organisation."""
    org_level: float | None = read_only()
    """Its level in the organisation."""
    org_mrr: float | None = read_only()
    """Monthly recurring revenue, with the companies below it."""
    org_mrr_total: float | None = read_only()
    """All of that so far."""
    org_path: str | None = read_only()
    """The ids of the companies above it, from the root down, with commas between."""
    org_path_count: int | None = read_only()
    """The number of companies above it."""
    org_root_id: str | None = read_only()
    """The id of the topmost company of its organisation."""
    org_units: float | None = read_only()
    """The number of companies right below it."""
    phase_since: datetime | None = read_only()
    """When it entered its phase."""
    products: list[str] | None = read_only()
    """The products of its licenses."""
    renewal_arr: float | None = read_only()
    """Annual recurring revenue at the next renewal."""
    renewal_date: datetime | None = read_only()
    """When its next renewal is due."""
    renewal_days_from_now: float | None = read_only()
    """Days until then."""
    renewal_mrr: float | None = read_only()
    """Monthly recurring revenue at the next renewal."""
    sales: list[Any] | None = read_only()
    """Its sales; `_currency` is an object in them."""
    shareable: dict[str, Any] | None = read_only()
    """With whom it is shared."""
    sunits: dict[str, Any] | None = read_only()
    """Whether it is shown to each of the teams."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    usage: dict[str, Any] | None = read_only()
    """The values of its metrics, by their ids."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Companies(ListsUpdatedByCompany[Company], AllCalls[Company]):
    """Companies: `/companies`. A list answers fewer fields of each than `get` does."""

    model = Model(
        name="companies",
        record=Company,
        path="/companies",
        limits=PageLimits(default=100, most=5_000),
        filters=(IdFilter(option="company_id", wire="companyId", field="id"),),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("name",),),
        company_field=None,
    )
