"""Lists filtered by company: the options and the repository that models share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

from planhat_async.records import IdFilter, Record
from planhat_async.repositories import (
    ListingOptions,
    Lists,
    ListsUpdated,
    PageOptions,
    UpdatedSince,
    UpdatedSinceOptions,
)
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns

R = TypeVar("R", bound=Record)

BY_COMPANY = IdFilter(option="company_id", wire="companyId", field="company_id")
BY_ONE_COMPANY = IdFilter(option="company_id", wire="companyId", field="company_id", is_many=False)
"""The same of a model for which Planhat documents one id per call."""


class CompanyFilter(TypedDict, total=False):
    """The filter by company."""

    company_id: str | Iterable[str] | None
    """Only records of these companies; name each in one way, by `_id`, `extid("…")` or `srcid("…")`.

    More ids than a URL holds are read as several lists (some 80 ids each), one after another: each is in order. If
    Planhat documents a single id for the model, each id is a list of its own.
    """


class CompanyPageOptions(PageOptions, CompanyFilter, total=False):
    """The options of a page of companies, or of a model that is filtered by company alone."""


class CompanyListingOptions(CompanyPageOptions, ListingOptions, total=False):
    """The options of their listings."""


class CompanyUpdateOptions(UpdatedSinceOptions, CompanyFilter, total=False):
    """The options of a walk over their changed records."""


class ListsByCompany(Lists[R]):
    """Lists a model's records, filtered by company alone."""

    if TYPE_CHECKING:  # the same methods, with these options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[CompanyPageOptions]
        ) -> list[R]: ...
        def iter(self, **options: Unpack[CompanyListingOptions]) -> AsyncGenerator[R, None]: ...
        def iter_json(self, **options: Unpack[CompanyListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[CompanyListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[CompanyListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[CompanyListingOptions]) -> AsyncGenerator[list[R], None]: ...
        async def all(self, **options: Unpack[CompanyListingOptions]) -> list[R]: ...


class ListsUpdatedByCompany(ListsUpdated[R], ListsByCompany[R]):
    """The same, of a model that says when a record last changed."""

    if TYPE_CHECKING:

        def iter_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[CompanyUpdateOptions]
        ) -> UpdatedSince[R]: ...
        def iter_json_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[CompanyUpdateOptions]
        ) -> UpdatedSince[bytes]: ...
