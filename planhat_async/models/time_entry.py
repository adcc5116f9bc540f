"""Time entries: the hours that users worked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.records import Record, read_only, writable


@attrs.define(kw_only=True, repr=False)
class TimeEntry(Record):
    """A time entry (`/timeentries`, "Time Entries" in Planhat's documentation).

    Planhat needs `date` and `hours` to create one. It stores `date` as midnight UTC of its day, so it comes back
    different. Of all records, the API can link an entry to a company only.

    A bulk upsert matches time entries on `id` alone: a row without it is always created, twice if it is sent twice.
    """

    company_id: str | None = writable()
    """The company, by `_id`; whether `extid(...)` or `srcid(...)` works too is not documented."""
    date: datetime | None = writable()
    """The day of the work; Planhat cuts it to midnight UTC. Needed to create one."""
    hours: float | None = writable()
    """The hours worked, from 0.1 to 24; needed to create one."""
    is_time_off: bool | None = writable()
    """Whether it is time off."""
    description: str | None = writable()
    """A description."""
    is_billable: bool | None = writable()
    """Whether it is billed."""
    billing_code: str | None = writable()
    """The code to bill it under."""
    currency: str | None = writable()
    """The currency of its rates and totals."""
    billable_rate: float | None = writable()
    """The price of an hour."""
    cost_rate: float | None = writable()
    """The cost of an hour."""
    assigned_model: str | None = writable()
    """The model of `assigned_id`; always `User`."""
    assigned_id: str | None = writable()
    """The id of the user who worked."""

    created_at: datetime | None = read_only()
    """When Planhat created it."""
    path: list[Any] | None = read_only()
    """A list that is empty in Planhat's examples, undocumented."""
    timesheet_id: str | None = read_only()
    """The id of its timesheet."""
    timesheet_status: str | None = read_only()
    """`draft`, `submitted`, `approved` or `returned`; `draft` by default."""
    total_billed: float | None = read_only()
    """`hours` times `billable_rate`."""
    total_cost: float | None = read_only()
    """`hours` times `cost_rate`."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
