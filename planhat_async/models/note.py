"""Notes: what people wrote about a company."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from planhat_async.models.company_lists import BY_COMPANY, CompanyPageOptions
from planhat_async.records import Model, PageLimits, Person, Record, TypeFilter, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls, ListingOptions, Lists
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns


@attrs.define(kw_only=True, repr=False)
class Note(Record):
    """A note about a company (`/conversations`, "Notes" in Planhat's documentation).

    A bulk upsert matches notes on `id` alone: one without it is created each time it is sent.
    """

    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    company_external_id: str | None = writable()
    """The company, by its external id."""
    external_id: str | None = writable()
    """The note's id in another system; `get` takes it as `extid(...)`."""
    source_id: str | None = writable()
    """The note's id in the system it came from."""
    subject: str | None = writable()
    """The headline."""
    description: str | None = writable()
    """The text, as HTML or plain."""
    date: datetime | None = writable()
    """When it happened."""
    type: str | None = writable()
    """`note`, or the name of a custom touch type; filled in where a note is created."""
    activity_tags: list[str] | None = writable()
    """The ids of its activity tags."""
    users: list[Person] | None = writable()
    """The colleagues who took part."""
    endusers: list[Person] | None = writable()
    """The end users who took part."""

    archived: bool | None = read_only()
    """Whether it is archived."""
    assignee_name: str | None = read_only()
    """The name of the assignee."""
    auto_tags: list[Any] | None = read_only()
    """Tags set by Planhat."""
    company_name: str | None = read_only()
    """The company's name."""
    company_source_id: str | None = read_only()
    """The company's source id."""
    create_date: datetime | None = read_only()
    """When Planhat created it."""
    email_template_ids: list[Any] | None = read_only()
    """The ids of e-mail templates used."""
    followers: list[Any] | None = read_only()
    """Who follows it."""
    has_attachments: bool | None = read_only()
    """Whether files are attached."""
    has_more: bool | None = read_only()
    """Whether Planhat left text out of the list."""
    history: list[Any] | None = read_only()
    """Its earlier states."""
    is_custom_type: bool | None = read_only()
    """Whether `type` is a custom touch type."""
    is_open: bool | None = read_only()
    """Whether it is open."""
    is_seen: bool | None = read_only()
    """Whether it was seen."""
    nick_name: str | None = read_only()
    """The nickname of the user who wrote it."""
    note: str | None = read_only()
    """Headline and text in one line."""
    owner: str | None = read_only()
    """The id of the company's owner."""
    pinned: bool | None = read_only()
    """Whether it is pinned."""
    sender: list[Any] | None = read_only()
    """Who sent it."""
    snippet: str | None = read_only()
    """The text's beginning, without markup."""
    starred: bool | None = read_only()
    """Whether it is starred."""
    tags: list[Any] | None = read_only()
    """Its tags."""
    time_bucket: list[str] | None = read_only()
    """Year, quarter, month and week it falls in."""
    user_id: str | None = read_only()
    """The id of the user who wrote it."""
    user_ids: list[str] | None = read_only()
    """The ids of `users`."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
    waits_to_be_filtered: bool | None = read_only()
    """Whether Planhat has yet to filter it."""


class NotePageOptions(CompanyPageOptions, total=False):
    """The options of a page of notes."""


class NoteListingOptions(NotePageOptions, ListingOptions, total=False):
    """The options of listings of notes."""

    type: str | None
    """`note`, the default, includes custom touch types; `None` every conversation, e-mails and tickets included."""


class Notes(Lists[Note], AllCalls[Note]):
    """Notes about companies: `/conversations` of type `note`, or of a custom touch type.

    A single `page` holds conversations of every type.
    """

    model: Model = Model(
        name="notes",
        record=Note,
        path="/conversations",
        limits=PageLimits(default=30, most=2_000),
        filters=(BY_COMPANY, TypeFilter(option="type", default="note")),
        get_keys=(EXTID,),
        update_keys=(EXTID, SRCID),
        needs=(("company_id", "company_external_id"),),
        creation_defaults={"type": "note"},
        discriminator=("type",),
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[NotePageOptions]
        ) -> list[Note]: ...
        def iter(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[Note, None]: ...
        def iter_json(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[NoteListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[NoteListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[list[Note], None]: ...
        async def all(self, **options: Unpack[NoteListingOptions]) -> list[Note]: ...
