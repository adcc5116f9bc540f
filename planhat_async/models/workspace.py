"""Workspaces of companies."""

from __future__ import annotations

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Workspace(Record):
    """A workspace (`/workspaces`, "Workspaces" in Planhat's documentation).

    A bulk upsert matches workspaces on `id`, then on `source_id`, then on `external_id`; a row that matches none needs
    a name and a company.

    Planhat still serves this page of its documentation, and its newest table of contents lacks it.
    """

    name: str | None = writable()
    """The workspace's name; needed to create one."""
    owner_id: str | None = writable()
    """The id of the user it belongs to."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`; needed to create one."""
    external_id: str | None = writable()
    """The workspace's id in your own system; unique within its company."""
    source_id: str | None = writable()
    """The workspace's id in the system it came from; unique among workspaces."""

    company_name: str | None = read_only()
    """The company's name."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Workspaces(ListsByCompany[Workspace], AllCalls[Workspace]):
    """Workspaces: `/workspaces`. Planhat's documentation has no example of an answer to a write."""

    model = Model(
        name="workspaces",
        record=Workspace,
        path="/workspaces",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id"),
        needs=(("name",), ("company_id",)),
        is_answered_with_record=False,
    )
