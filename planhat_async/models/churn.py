"""Churn: revenue lost, with the reasons."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import date, datetime
from typing import TYPE_CHECKING, Unpack

import attrs

from planhat_async.models.company_lists import BY_ONE_COMPANY, CompanyFilter
from planhat_async.records import DayFilter, Model, PageLimits, Record, TextFilter, read_only, writable
from planhat_async.records.keys import SRCID
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
class Churn(Record):
    """A churn or a downgrade (`/churn`, "Churn" in Planhat's documentation).

    A bulk upsert matches it on `id`; whether on `source_id` too is not documented, so a row without an `id` may be
    created each time it is sent. Planhat requires no field, and suggests a company and a value.

    Planhat's documentation has two sets of fields. The older has `churn_date`, `reasons`, `value`, `currency` and
    `comment`, which its examples send; the newer, a placeholder by its own words, has `is_churn`, `churn_reason`,
    `external_id` and `create_date`. Both are here.

    It changes no revenue of the company: that comes from the company's licenses.
    """

    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    churn_date: date | None = writable()
    """The day it happened."""
    reasons: list[str] | None = writable()
    """The reasons."""
    value: float | None = writable()
    """The amount lost."""
    currency: str | None = writable()
    """The code of its currency."""
    comment: str | None = writable()
    """A comment."""
    source_id: str | None = writable()
    """Its id in the system it came from."""
    external_id: str | None = writable()
    """Its id in your own system."""
    is_churn: bool | None = writable()
    """Whether the company left; `False` for a downgrade."""
    churn_reason: str | None = writable()
    """The reason."""

    arr: float | None = read_only()
    """Annual recurring revenue."""
    company_name: str | None = read_only()
    """The company's name."""
    create_date: datetime | None = read_only()
    """When Planhat created it."""
    created_at: datetime | None = read_only()
    """Also when Planhat created it, in some answers."""
    description: str | None = read_only()
    """A description."""
    only_downgrade: bool | None = read_only()
    """Whether it is a downgrade, with which the company stays."""
    products: list[str] | None = read_only()
    """The products it concerns."""
    snoozed: bool | None = read_only()
    """Whether it is snoozed."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class ChurnFilters(CompanyFilter, total=False):
    """The filters of lists of churn."""

    churned_from: date | str | None
    """Only churn on this day or later."""
    churned_to: date | str | None
    """Only churn on this day or earlier."""
    downgrades: str | None
    """Planhat's filter of downgrades, whose values are not documented."""


class ChurnPageOptions(PageOptions, ChurnFilters, total=False):
    """The options of a page of churn."""


class ChurnListingOptions(ListingOptions, ChurnFilters, total=False):
    """The options of listings of churn."""


class ChurnUpdateOptions(UpdatedSinceOptions, ChurnFilters, total=False):
    """The options of a walk over changed churn."""


class Churns(ListsUpdated[Churn], AllCalls[Churn]):
    """Churn: `/churn`.

    A bulk upsert is only known to match on `id`, so a row without one is never sent twice.
    """

    model: Model = Model(
        name="churns",
        record=Churn,
        path="/churn",
        limits=PageLimits(default=100, most=2_000),
        filters=(
            BY_ONE_COMPANY,
            DayFilter(option="churned_from", wire="from"),
            DayFilter(option="churned_to", wire="to"),
            TextFilter(option="downgrades", wire="downgrades"),
        ),
        update_keys=(SRCID,),
        is_answered_with_record=False,
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[ChurnPageOptions]
        ) -> list[Churn]: ...
        def iter(self, **options: Unpack[ChurnListingOptions]) -> AsyncGenerator[Churn, None]: ...
        def iter_json(self, **options: Unpack[ChurnListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[ChurnListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[ChurnListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[ChurnListingOptions]) -> AsyncGenerator[list[Churn], None]: ...
        async def all(self, **options: Unpack[ChurnListingOptions]) -> list[Churn]: ...
        def iter_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[ChurnUpdateOptions]
        ) -> UpdatedSince[Churn]: ...
        def iter_json_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[ChurnUpdateOptions]
        ) -> UpdatedSince[bytes]: ...
