"""Workspaces of companies."""

from __future__ import annotations

import attrs

from planhat_async.records import Record, read_only, writable


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
