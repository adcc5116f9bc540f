"""End users: the people who work at a customer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from planhat_async.models.company_lists import BY_COMPANY, CompanyFilter
from planhat_async.records import (
    HiddenFilter,
    IdFilter,
    Model,
    PageLimits,
    Record,
    TextFilter,
    read_only,
    writable,
)
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import (
    AllCalls,
    ListingOptions,
    ListsUpdated,
    PageOptions,
    UpdatedSince,
    UpdatedSinceOptions,
)
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns


@attrs.define(kw_only=True, repr=False)
class EndUser(Record):
    """An end user (`/endusers`, "Endusers" in Planhat's documentation).

    A bulk upsert matches end users on `id`, then on `source_id`, then on `external_id`, then on `email`. An
    `external_id` is unique within a company only, and an `email` may repeat: both may be ambiguous.

    To create one Planhat needs an `email`, an `external_id` or a `source_id`, and a company. Without `company_id`
    it looks for a company whose domains include that of `email`; if it finds none, it drops the row silently.

    `name` is computed from `first_name` and `last_name`. A list leaves out archived end users by default.
    """

    email: str | None = writable()
    """The e-mail address; several end users may share one."""
    first_name: str | None = writable()
    """The end user's first name."""
    last_name: str | None = writable()
    """The end user's last name."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    external_id: str | None = writable()
    """The end user's id in your own system; unique within a company."""
    source_id: str | None = writable()
    """The end user's id in the system it came from; unique among end users."""
    position: str | None = writable()
    """The job title."""
    phone: str | None = writable()
    """The phone number."""
    tags: list[str] | None = writable()
    """Tags."""
    featured: bool | None = writable()
    """Whether the end user is featured."""
    primary: bool | None = writable()
    """Whether the end user is the company's primary contact."""
    archived: bool | None = writable()
    """Whether the end user is archived; false by default."""
    other_emails: list[str] | None = writable()
    """Further e-mail addresses."""
    nps_unsubscribed: bool | None = writable()
    """Whether the end user receives no NPS surveys."""

    beat_trend: float | None = read_only()
    """The trend of `beats`."""
    beats: float | None = read_only()
    """Recent activity, as a score."""
    beats_total: float | None = read_only()
    """All activity so far, as a score."""
    company_external_id: str | None = read_only()
    """The company's external id."""
    company_name: str | None = read_only()
    """The company's name."""
    convs14: int | None = read_only()
    """The number of conversations in the last 14 days."""
    convs_total: int | None = read_only()
    """The number of all conversations."""
    create_date: datetime | None = read_only()
    """When Planhat created the end user."""
    created_at: datetime | None = read_only()
    """The same, in some answers."""
    description: str | None = read_only()
    """A description, in some answers."""
    email_md5: str | None = read_only()
    """The MD5 hash of `email`."""
    experience: int | None = read_only()
    """The end user's experience with the product, as a score."""
    last_active: datetime | None = read_only()
    """When the end user was last active."""
    last_activities: list[Any] | None = read_only()
    """The end user's latest activities."""
    last_touch: datetime | None = read_only()
    """When the last contact was."""
    last_touch_by_type: dict[str, Any] | None = read_only()
    """When the last contact of each type was, by type."""
    last_touch_time: datetime | None = read_only()
    """When the last contact was, in some answers."""
    last_touch_type: str | None = read_only()
    """The type of the last contact."""
    last_updated: datetime | None = read_only()
    """When the end user last changed, in some answers."""
    name: str | None = read_only()
    """The full name, computed from `first_name` and `last_name`."""
    nps: int | None = read_only()
    """The score of the last NPS answer."""
    nps_comment: str | None = read_only()
    """The comment of the last NPS answer."""
    nps_date: datetime | None = read_only()
    """When the last NPS answer was given."""
    nps_sent: datetime | None = read_only()
    """When the last NPS survey was sent."""
    related_endusers: list[Any] | None = read_only()
    """Related end users."""
    relevance: float | None = read_only()
    """The end user's relevance, as a score."""
    relevance_rate: float | None = read_only()
    """A rate of relevance, undocumented."""
    shared_notifications_prefs: dict[str, Any] | None = read_only()
    """Preferences for notifications: lists under `enabled`, `disabled` and `disabledEvents`."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed the end user."""
    usage: dict[str, Any] | None = read_only()
    """The values of metrics, by their ids."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class EndUserFilters(CompanyFilter, total=False):
    """The filters of a page of end users, which leaves out archived ones."""

    email: str | None
    """Only end users with this e-mail address."""
    enduser_id: str | None
    """Only the end user with this `_id`."""


class ArchivedEndUsers(EndUserFilters, total=False):
    """The filters of listings of end users."""

    archived: bool | None
    """`False`, the default, leaves out archived end users; `True` lists only them, `None` all end users."""


class EndUserPageOptions(PageOptions, EndUserFilters, total=False):
    """The options of a page of end users."""


class EndUserListingOptions(ListingOptions, ArchivedEndUsers, total=False):
    """The options of listings of end users."""


class EndUserUpdateOptions(UpdatedSinceOptions, ArchivedEndUsers, total=False):
    """The options of a walk over the changed end users."""


class EndUsers(ListsUpdated[EndUser], AllCalls[EndUser]):
    """End users: `/endusers`.

    A key may be ambiguous: an external id is unique within a company only, and several end users may share an e-mail
    address. Planhat then updates one of them.
    """

    model: Model = Model(
        name="endusers",
        record=EndUser,
        path="/endusers",
        limits=PageLimits(default=100, most=2_000),
        filters=(
            BY_COMPANY,
            HiddenFilter(),
            TextFilter(option="email", wire="email"),
            IdFilter(option="enduser_id", wire="euId", field="id", is_many=False, prefixes=()),
        ),
        get_keys=(EXTID, SRCID),
        update_keys=(EXTID, SRCID),
        match=("id", "source_id", "external_id", "email"),
        needs=(("email", "external_id", "source_id"), ("company_id", "email")),
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[EndUserPageOptions]
        ) -> list[EndUser]: ...
        def iter(self, **options: Unpack[EndUserListingOptions]) -> AsyncGenerator[EndUser, None]: ...
        def iter_json(self, **options: Unpack[EndUserListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[EndUserListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[EndUserListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[EndUserListingOptions]) -> AsyncGenerator[list[EndUser], None]: ...
        async def all(self, **options: Unpack[EndUserListingOptions]) -> list[EndUser]: ...
        def iter_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[EndUserUpdateOptions]
        ) -> UpdatedSince[EndUser]: ...
        def iter_json_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[EndUserUpdateOptions]
        ) -> UpdatedSince[bytes]: ...
