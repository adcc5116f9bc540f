"""Projects: work for a company, with a start and an end."""

from __future__ import annotations

from datetime import datetime

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Project(Record):
    """A project (`/projects`, "Projects" in Planhat's documentation).

    A bulk upsert matches projects on `id`, then on `source_id`, then on `external_id`; a row that matches none needs a
    name and a company. Metrics may belong to a project.
    """

    name: str | None = writable()
    """The project's name; needed to create one."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`; needed to create one."""
    external_id: str | None = writable()
    """The project's id in your own system; unique within its company."""
    source_id: str | None = writable()
    """The project's id in the system it came from; unique among projects."""
    currency: str | None = writable()
    """The code of its currency."""
    start_date: datetime | None = writable()
    """When it begins."""
    end_date: datetime | None = writable()
    """When it ends."""
    mrr: float | None = writable()
    """Monthly recurring revenue."""
    arr: float | None = writable()
    """Annual recurring revenue."""
    nrr: float | None = writable()
    """Non-recurring revenue."""

    company_name: str | None = read_only()
    """The company's name."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Projects(ListsByCompany[Project], AllCalls[Project]):
    """Projects: `/projects`. Metrics can belong to them."""

    model = Model(
        name="projects",
        record=Project,
        path="/projects",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("name",), ("company_id",)),
    )
