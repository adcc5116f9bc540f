"""Conversations: e-mails, calls, chats, notes and tickets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.company_lists import BY_COMPANY, ListsByCompany
from planhat_async.records import Model, PageLimits, Person, Record, read_only, writable
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class Conversation(Record):
    """A conversation (`/conversations`, "Conversations" in Planhat's documentation).

    Notes and tickets are conversations too. A bulk upsert matches conversations on `id`; whether `source_id` and
    `external_id` match as well is not documented. To create one Planhat needs a `company_id`.

    Planhat stores an unknown `type` as `note`, and reserves `email`, `chat`, `ticket` and `call` for itself. It
    documents `endusers` as filled in by itself, and sends them in its own example: here they may be written.

    One record may hold a whole e-mail thread, of about a megabyte.
    """

    subject: str | None = writable()
    """The subject line."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    external_id: str | None = writable()
    """The conversation's id in your own system."""
    source_id: str | None = writable()
    """The conversation's id in the system it came from; `update` accepts it as `srcid(...)`."""
    description: str | None = writable()
    """The text, as HTML or plain."""
    snippet: str | None = writable()
    """The text's beginning, without markup."""
    date: datetime | None = writable()
    """When the conversation took place."""
    out_date: datetime | None = writable()
    """When the conversation ended; equal to `date` in Planhat's example."""
    type: str | None = writable()
    """The touch type, such as `note`."""
    users: list[Person] | None = writable()
    """The colleagues who took part."""
    endusers: list[Person] | None = writable()
    """The end users who took part."""
    owner_id: str | None = writable()
    """The id of the user who owns the conversation."""
    activity_tags: list[str] | None = writable()
    """Activity tags, as ids or texts."""
    use_subject: bool | None = writable()
    """Whether the conversation uses its subject line."""
    starred: bool | None = writable()
    """Whether the conversation is starred."""
    pinned: bool | None = writable()
    """Whether the conversation is pinned."""
    archived: bool | None = writable()
    """Whether the conversation is archived."""

    assignee_name: str | None = read_only()
    """The name of the assignee."""
    auto_tags: list[str] | None = read_only()
    """Tags set by Planhat."""
    company_name: str | None = read_only()
    """The company's name."""
    create_date: datetime | None = read_only()
    """When Planhat created the conversation."""
    days: int | None = read_only()
    """The day of `date`, in whole days since 1970-01-01."""
    email_template_ids: list[str] | None = read_only()
    """The ids of e-mail templates used."""
    has_attachments: bool | None = read_only()
    """Whether files are attached."""
    has_more: bool | None = read_only()
    """Whether Planhat left text out of the list."""
    history: list[Any] | None = read_only()
    """Earlier states of the conversation."""
    is_custom_type: bool | None = read_only()
    """Whether `type` is a custom touch type."""
    is_open: bool | None = read_only()
    """Whether the conversation is open."""
    is_seen: bool | None = read_only()
    """Whether the conversation was seen."""
    number_of_parts: int | None = read_only()
    """The number of messages in the conversation."""
    number_of_relevant_parts: int | None = read_only()
    """The number of relevant messages in the conversation."""
    sender: list[Any] | None = read_only()
    """The senders."""
    source: str | None = read_only()
    """The channel through which Planhat received the conversation, such as `bcc`."""
    tags: list[str] | None = read_only()
    """Tags."""
    time_bucket: list[str] | None = read_only()
    """The year, quarter, month and week of `date`."""
    user_ids: list[str] | None = read_only()
    """The ids of `users`."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
    waits_to_be_filtered: bool | None = read_only()
    """Whether Planhat has yet to filter the conversation."""


class Conversations(ListsByCompany[Conversation], AllCalls[Conversation]):
    """Conversations of every type: `/conversations`; `Notes` and `Tickets` are those of one type.

    A bulk upsert is only known to match on `id`, so a row without one is never sent twice.
    """

    model = Model(
        name="conversations",
        record=Conversation,
        path="/conversations",
        limits=PageLimits(default=30, most=2_000),
        filters=(BY_COMPANY,),
        get_keys=(EXTID,),
        update_keys=(EXTID, SRCID),
        needs=(("company_id",),),
    )
