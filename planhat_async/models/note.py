"""Notes: conversations of type `note`, or of a custom touch type."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import attrs

from planhat_async.models.parts import Person
from planhat_async.models.record import Record, read_only, writable


@attrs.define(kw_only=True, repr=False)
class Note(Record):
    """A note about a company (`/conversations`, "Notes" in Planhat's documentation).

    A bulk upsert matches notes on `id` alone: one without it is created each time it is sent.
    """

    KEYABLES: ClassVar[tuple[str, ...]] = ("id",)
    NEEDED_TO_CREATE: ClassVar[tuple[tuple[str, ...], ...]] = (("company_id", "company_external_id"),)

    company_id: str | None = writable("The company, by `_id`, `extid(...)` or `srcid(...)`.")
    company_external_id: str | None = writable("The company, by its external id.")
    external_id: str | None = writable("The note's id in another system; `get` takes it as `extid(...)`.")
    source_id: str | None = writable("The note's id in the system it came from.")
    subject: str | None = writable("The headline.")
    description: str | None = writable("The text, as HTML or plain.")
    date: datetime | None = writable("When it happened.")
    type: str | None = writable("`note`, or the name of a custom touch type; filled in where a note is created.")
    activity_tags: list[str] | None = writable("The ids of its activity tags.")
    users: list[Person] | None = writable("The colleagues who took part.")
    endusers: list[Person] | None = writable("The customer's people who took part.")

    archived: bool | None = read_only("Whether it is archived.")
    assignee_name: str | None = read_only("The name of whom it is assigned to.")
    auto_tags: list[Any] | None = read_only("Tags set by Planhat.")
    company_name: str | None = read_only("The company's name.")
    company_source_id: str | None = read_only("The company's source id.")
    create_date: datetime | None = read_only("When Planhat created it.")
    email_template_ids: list[Any] | None = read_only("The ids of e-mail templates used.")
    followers: list[Any] | None = read_only("Who follows it.")
    has_attachments: bool | None = read_only("Whether files are attached.")
    has_more: bool | None = read_only("Whether Planhat left text out of the list.")
    history: list[Any] | None = read_only("Its earlier states.")
    is_custom_type: bool | None = read_only("Whether `type` is a custom touch type.")
    is_open: bool | None = read_only("Whether it is open.")
    is_seen: bool | None = read_only("Whether it was seen.")
    nick_name: str | None = read_only("The nickname of the user who wrote it.")
    note: str | None = read_only("Headline and text in one line.")
    owner: str | None = read_only("The id of the company's owner.")
    pinned: bool | None = read_only("Whether it is pinned.")
    sender: list[Any] | None = read_only("Who sent it.")
    snippet: str | None = read_only("The text's beginning, without markup.")
    starred: bool | None = read_only("Whether it is starred.")
    tags: list[Any] | None = read_only("Its tags.")
    time_bucket: list[str] | None = read_only("Year, quarter, month and week it falls in.")
    user_id: str | None = read_only("The id of the user who wrote it.")
    user_ids: list[str] | None = read_only("The ids of `users`.")
    version: int | None = read_only("The document's version key in Planhat's database.")
    waits_to_be_filtered: bool | None = read_only("Whether Planhat has still to filter it.")
