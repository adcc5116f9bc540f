"""Support tickets, which Planhat takes in from another system."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from planhat_async.models.company_lists import BY_COMPANY, CompanyPageOptions
from planhat_async.records import (
    Model,
    PageLimits,
    Person,
    Record,
    StatusChange,
    TextFilter,
    read_only,
    writable,
)
from planhat_async.repositories import Deletes, ListingOptions, Lists, Upserts
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns


@attrs.define(kw_only=True, repr=False)
class Ticket(Record):
    """A support ticket (`/tickets`, "Tickets" in Planhat's documentation).

    What is sent and what comes back have different names: `source_id` returns as `external_id`, `title` as
    `subject`, and the beginning of `description` as `snippet`. Whether the sent names come back as well is not
    documented, so both are here: write the first, read the second.

    A bulk upsert matches tickets on `id`, then on `source_id`. To update one, either is enough: `{"source_id": "42",
    "status": "closed"}`. To create one Planhat needs a `source_id`, an `email` and a company.

    `create_date` and `update_date` are the source system's times, not Planhat's: they order nothing.
    """

    source_id: str | None = writable()
    """The ticket's id in the system it came from; comes back as `external_id`."""
    source: str | None = writable()
    """The system it came from: `zendesk`, `salesforce`, ..."""
    email: str | None = writable()
    """The customer's address; Planhat drops a new ticket without one."""
    name: str | None = writable()
    """The customer's name."""
    company_id: str | None = writable()
    """The company, by `_id`; `company_external_id` or `domains` can name it instead."""
    company_external_id: str | None = writable()
    """The company, by its external id."""
    domains: list[str] | None = writable()
    """The company's mail domains, by which Planhat finds it."""
    title: str | None = writable()
    """The headline; comes back as `subject`."""
    description: str | None = writable()
    """The text; its beginning comes back as `snippet`."""
    url: str | None = writable()
    """Where the ticket is in its own system."""
    tags: list[Any] | None = writable()
    """Its tags."""
    type: str | None = writable()
    """The kind of ticket."""
    severity: str | None = writable()
    """Its severity."""
    product: str | None = writable()
    """The product it is about."""
    time_spent: float | None = writable()
    """Minutes spent on it."""
    status: str | None = writable()
    """Its status."""
    history: list[StatusChange] | None = writable()
    """The statuses it had."""
    agent_email: str | None = writable()
    """The address of the agent who works on it."""

    activity_tags: list[str] | None = read_only()
    """The ids of its activity tags."""
    archived: bool | None = read_only()
    """Whether it is archived."""
    auto_tags: list[Any] | None = read_only()
    """Tags set by Planhat."""
    comments: list[Any] | None = read_only()
    """Comments on it."""
    company_name: str | None = read_only()
    """The company's name."""
    create_date: datetime | None = read_only()
    """When the source system created it."""
    date: datetime | None = read_only()
    """The date Planhat files it under."""
    days: int | None = read_only()
    """That date, in whole days since 1970-01-01."""
    email_template_ids: list[Any] | None = read_only()
    """The ids of e-mail templates used."""
    endusers: list[Person] | None = read_only()
    """The end users it concerns."""
    external_id: str | None = read_only()
    """What was sent as `source_id`."""
    in_date: datetime | None = read_only()
    """When it came in."""
    is_open: bool | None = read_only()
    """Whether it is open."""
    pinned: bool | None = read_only()
    """Whether it is pinned."""
    sender: list[Any] | None = read_only()
    """Who sent it."""
    snippet: str | None = read_only()
    """The beginning of what was sent as `description`."""
    starred: bool | None = read_only()
    """Whether it is starred."""
    sub_type: str | None = read_only()
    """The subtype of the conversation: `ticket`."""
    subject: str | None = read_only()
    """What was sent as `title`."""
    time_bucket: list[str] | None = read_only()
    """Year, quarter, month and week it falls in."""
    update_date: datetime | None = read_only()
    """When the source system last changed it."""
    users: list[Person] | None = read_only()
    """The colleagues it concerns."""
    waits_to_be_filtered: bool | None = read_only()
    """Whether Planhat has yet to filter it."""


class TicketPageOptions(CompanyPageOptions, total=False):
    """The options of a page of tickets."""

    status: str | None
    """Only tickets with this status."""
    email: str | None
    """Only tickets from this address."""
    search: str | None
    """Only tickets with this text in their snippet."""


class TicketListingOptions(TicketPageOptions, ListingOptions, total=False):
    """The options of listings of tickets."""


class Tickets(Lists[Ticket], Deletes[Ticket], Upserts[Ticket]):
    """Support tickets: `/tickets`. Planhat documents lists, bulk upserts and deletion, no other single calls."""

    model: Model = Model(
        name="tickets",
        record=Ticket,
        path="/tickets",
        limits=PageLimits(default=500, most=10_000),
        filters=(
            BY_COMPANY,
            TextFilter(option="status", wire="status"),
            TextFilter(option="email", wire="email"),
            TextFilter(option="search", wire="search"),
        ),
        match=("id", "source_id"),
        returned_as={"external_id": "source_id"},
        needs=(
            ("source_id", "id"),
            ("email",),  # a new ticket without one is dropped by Planhat silently
            ("company_id", "company_external_id", "domains"),
        ),
        company_keys=(),
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[TicketPageOptions]
        ) -> list[Ticket]: ...
        def iter(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[Ticket, None]: ...
        def iter_json(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[TicketListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[TicketListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[list[Ticket], None]: ...
        async def all(self, **options: Unpack[TicketListingOptions]) -> list[Ticket]: ...
