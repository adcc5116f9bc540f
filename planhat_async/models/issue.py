"""Issues: problems and requests that concern one company or several."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import ListsUpdatedByCompany
from planhat_async.records import IdFilter, Model, PageLimits, Person, Record, read_only, writable
from planhat_async.records.keys import SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Issue(Record):
    """An issue (`/issues`, "Issues" in Planhat's documentation).

    A bulk upsert matches issues on `id`, then on `source_id`; there is no external id. A row that matches none needs
    a `title`, and one copy of Planhat's documentation asks for `company_ids` as well.

    Companies and end users are written as lists of ids; Planhat answers those, and `companies` and `endusers` with
    their names.
    """

    title: str | None = writable()
    """The headline; needed to create one."""
    description: str | None = writable()
    """The text."""
    company_ids: list[str] | None = writable()
    """The companies it concerns, each by `_id`, `extid(...)` or `srcid(...)`."""
    enduser_ids: list[str] | None = writable()
    """The ids of the end users it concerns."""
    conversation_ids: list[str] | None = writable()
    """The ids of the conversations about it."""
    source_id: str | None = writable()
    """The issue's id in the system it came from; unique among issues."""
    source: str | None = writable()
    """The system it came from."""
    source_url: str | None = writable()
    """The issue's address in that system."""
    priority: str | None = writable()
    """Its priority."""
    archived: bool | None = writable()
    """Whether it is archived."""
    status: str | None = writable()
    """Its status; any text."""
    followers: list[str] | None = writable()
    """The ids of the users who follow it."""

    arr_combined: float | None = read_only()
    """Annual recurring revenue of its companies."""
    companies: list[Any] | None = read_only()
    """The companies it concerns: objects with `id` and `name`."""
    company_matching_value: list[Any] | None = read_only()
    """A list that Planhat's examples have, always empty and undocumented."""
    created_at: datetime | None = read_only()
    """When Planhat created it."""
    endusers: list[Person] | None = read_only()
    """The end users it concerns."""
    mrr_combined: float | None = read_only()
    """Monthly recurring revenue of its companies."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Issues(ListsUpdatedByCompany[Issue], AllCalls[Issue]):
    """Issues: `/issues`. An issue belongs to any number of companies."""

    model = Model(
        name="issues",
        record=Issue,
        path="/issues",
        limits=PageLimits(default=100, most=2_000),
        filters=(IdFilter(option="company_id", wire="companyId", field="company_ids", is_list=True, is_many=False),),
        get_keys=(SRCID,),
        update_keys=(SRCID,),
        match=("id", "source_id"),
        needs=(("title",),),
        company_field="company_ids",
    )
