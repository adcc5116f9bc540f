"""Time entries: the hours that users worked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from planhat_async._convert import acknowledgement_in, encode_plain
from planhat_async._http.wire import Request
from planhat_async.batching.attribution import created_ids_in
from planhat_async.batching.upsert_run import MAX_ROWS
from planhat_async.errors import DecodeError
from planhat_async.models.company_lists import BY_ONE_COMPANY, ListsUpdatedByCompany
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.repositories import AllCalls


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

    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Custom fields, of which Planhat documents none for this model."""
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


class TimeEntries(ListsUpdatedByCompany[TimeEntry], AllCalls[TimeEntry]):
    """Time entries: `/timeentries`. Their only key is the `_id`, so a row without one is never sent twice."""

    model = Model(
        name="time_entries",
        record=TimeEntry,
        path="/timeentries",
        limits=PageLimits(default=100, most=2_000),
        filters=(BY_ONE_COMPANY,),
        needs=(("date",), ("hours",)),
        company_keys=(),
        altered=("date",),
    )

    async def duplicate(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Create copies of time entries ("Duplicate" in Planhat's documentation). Costs one call.

        A call without an answer is not repeated: that could create two copies.

        Args:
            ids: The `_id`s of the time entries, at most 5,000.

        Returns:
            The `_id`s of the copies that the answer names: Planhat does not document it, so perhaps none.

        Raises:
            ValueError: One of the ids is not an `_id`, or there are more than 5,000.
            TypeError: `ids` is a single id, or one of them is not a string.
            DecodeError: A 2xx answer that reports an error: the copies may have been created.
            UnknownOutcomeError: The request was sent and no answer came: the copies may have been created.
        """
        keys = await self._checked(ids, "duplicate")
        if len(keys) > MAX_ROWS:
            raise ValueError(f"at most {MAX_ROWS:,} time entries at once, not {len(keys):,}")
        if not keys:
            return ()
        request = Request(method="POST", path=f"{self.model.path}/duplicate", body=encode_plain({"ids": keys}))
        response = await self.session.send(request)
        try:
            answer = acknowledgement_in(response.body)
        except DecodeError:
            problem = "the answer does not say that the time entries were duplicated"
            raise self.session.unusable(request, response.status, response.body, problem) from None
        if isinstance(answer, list):
            named = [one.get("_id") if isinstance(one, dict) else one for one in answer]
            return tuple(one for one in named if isinstance(one, str))
        return created_ids_in(answer) if isinstance(answer, dict) else ()
