"""Timesheets: time entries that are approved together."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import attrs

from planhat_async.records import Record, read_only, writable


@attrs.define(kw_only=True, repr=False)
class Timesheet(Record):
    """A timesheet (`/timesheets`, "Timesheets" in Planhat's documentation).

    `time_entries` is written as objects, `[{"_id": "…"}]`, and read as a list of ids. `date_from` and `date_to` travel
    as whole days since 1970-01-01. A timesheet belongs to no company, and Planhat needs no field to create one.

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
    time_entries: list[Any] | None = writable()
    """Its time entries: objects with an `_id` when written, ids when read."""
    status: str | None = writable()
    """`submitted` (Planhat's default), `approved` or `returned`."""
    approved_by: str | None = writable()
    """The id of the user who approved it; Planhat fills it in upon approval."""
    date_of_approval: datetime | None = writable()
    """When it was approved; Planhat fills it in upon approval."""

    created_at: datetime | None = read_only()
    """When Planhat created it."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
