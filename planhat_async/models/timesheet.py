"""Timesheets: time entries that are approved together."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Timesheet(Record):
    """A timesheet (`/timesheets`, "Timesheets" in Planhat's documentation).

    `date_from` and `date_to` travel as whole days since 1970-01-01. A timesheet belongs to no company, and
    Planhat needs no field to create one.

    A bulk upsert matches timesheets on `id` alone: a row without it is always created, twice if it is sent twice.
    """

    assigned_model: str | None = writable()
    """The model of `assigned_id`; always `User`."""
    assigned_id: str | None = writable()
    """The id of the user whose time it holds."""
    date_from: date | None = writable(is_day_number=True)
    """The first day it covers."""
    date_to: date | None = writable(is_day_number=True)
    """The last day it covers."""
    time_entries: list[Any] | None = writable(holds_ids=True)
    """The ids of its time entries; sent as objects with an `_id`, and returned as ids."""
    status: str | None = writable()
    """`submitted` (Planhat's default), `approved` or `returned`."""
    approved_by: str | None = writable()
    """The id of the user who approved it; Planhat fills it in upon approval."""
    date_of_approval: datetime | None = writable()
    """When it was approved; Planhat fills it in upon approval."""

    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Custom fields, of which Planhat documents none for this model."""
    created_at: datetime | None = read_only()
    """When Planhat created it."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Timesheets(UnfilteredLists[Timesheet], AllCalls[Timesheet]):
    """Timesheets: `/timesheets`. Their only key is the `_id`, so a row without one is never sent twice."""

    model: Model = Model(
        name="timesheets",
        record=Timesheet,
        path="/timesheets",
        limits=PageLimits(default=100, most=2_000),
        company_field=None,
    )
