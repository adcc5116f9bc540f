"""Answers to NPS surveys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

import attrs

from planhat_async.models.company_lists import BY_COMPANY, CompanyFilter
from planhat_async.records import Model, NumberFilter, PageLimits, Record, read_only, writable
from planhat_async.records.keys import SRCID
from planhat_async.repositories import AllCalls, ListingOptions, Lists, PageOptions
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns

_ANY_AGE = 36_500
"""Days: without `npsExpiryDay` Planhat answers those of the last 360 days only."""


@attrs.define(kw_only=True, repr=False)
class NpsAnswer(Record):
    """An answer to an NPS survey (`/nps`, "NPS" in Planhat's documentation).

    A bulk upsert matches answers on `id`, then on `source_id`; there is no external id. A row that matches none needs
    an `email` and a `score`: the address names the end user, who need not be given by an id.

    Lists may call `score`, `comment` and `date_answered` by other names: `nps`, `nps_comment` and `nps_date`. A record
    has the values in both.
    """

    company_id: str | None = writable(wire="cId")
    """The company, by `_id`."""
    email: str | None = writable()
    """The end user's address; needed to create one."""
    campaign_id: str | None = writable()
    """The id of the campaign it belongs to."""
    score: int | None = writable(fallback="nps")
    """The score, from 0 to 10; needed to create one."""
    comment: str | None = writable(fallback="nps_comment")
    """The end user's comment."""
    source_id: str | None = writable()
    """The answer's id in the system it came from; unique among answers."""
    date_sent: datetime | None = writable()
    """When the survey was sent."""
    date_answered: datetime | None = writable(fallback="nps_date")
    """When the end user answered."""
    source: str | None = writable()
    """The tool that collected the answer."""

    enduser_id: str | None = read_only(wire="euId")
    """The id of the end user."""
    nps: int | None = read_only()
    """The score, in lists."""
    nps_comment: str | None = read_only()
    """The comment, in lists."""
    nps_date: datetime | None = read_only()
    """When the end user answered, in lists."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class NpsFilters(CompanyFilter, total=False):
    """The filters of lists of answers."""

    max_age_days: int | None
    """Only answers of the last so many days; all answers by default."""


class NpsPageOptions(PageOptions, NpsFilters, total=False):
    """The options of a page of answers."""


class NpsListingOptions(ListingOptions, NpsFilters, total=False):
    """The options of listings of answers."""


class Nps(Lists[NpsAnswer], AllCalls[NpsAnswer]):
    """Answers to NPS surveys: `/nps`.

    Lists hold answers of any age, unlike those of Planhat, which leave out answers older than 360 days unless asked.
    """

    model: Model = Model(
        name="nps",
        record=NpsAnswer,
        path="/nps",
        limits=PageLimits(default=100, most=10_000),
        filters=(BY_COMPANY, NumberFilter(option="max_age_days", wire="npsExpiryDay", without=_ANY_AGE)),
        get_keys=(SRCID,),
        update_keys=(SRCID,),
        match=("id", "source_id"),
        needs=(("email",), ("score",)),
        company_keys=(),
        is_answered_with_record=False,
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[NpsPageOptions]
        ) -> list[NpsAnswer]: ...
        def iter(self, **options: Unpack[NpsListingOptions]) -> AsyncGenerator[NpsAnswer, None]: ...
        def iter_json(self, **options: Unpack[NpsListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[NpsListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[NpsListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[NpsListingOptions]) -> AsyncGenerator[list[NpsAnswer], None]: ...
        async def all(self, **options: Unpack[NpsListingOptions]) -> list[NpsAnswer]: ...
