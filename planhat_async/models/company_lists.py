"""Lists filtered by company: the options and the repository that models share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

from planhat_async.records import IdFilter, Record
from planhat_async.repositories import ListingOptions, Lists, PageOptions

R = TypeVar("R", bound=Record)

BY_COMPANY = IdFilter(option="company_id", wire="companyId", field="company_id")


class CompanyFilter(TypedDict, total=False):
    """The filter by company."""

    company_id: str | Iterable[str] | None
    """Only records of these companies; name each in one way, by `_id`, `extid("…")` or `srcid("…")`.

    More ids than a URL holds are read as several lists (some 80 ids each), one after another: each is in order.
    """


class CompanyPageOptions(PageOptions, CompanyFilter, total=False):
    """The options of a page of companies, or of a model that is filtered by company alone."""


class CompanyListingOptions(CompanyPageOptions, ListingOptions, total=False):
    """The options of their listings."""


class ListsByCompany(Lists[R]):
    """Lists a model's records, filtered by company alone."""

    if TYPE_CHECKING:  # the same methods, with these options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[CompanyPageOptions]
        ) -> list[R]: ...
        def iter(self, **options: Unpack[CompanyListingOptions]) -> AsyncGenerator[R, None]: ...
        def iter_json(self, **options: Unpack[CompanyListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def pages(self, **options: Unpack[CompanyListingOptions]) -> AsyncGenerator[list[R], None]: ...
        async def all(self, **options: Unpack[CompanyListingOptions]) -> list[R]: ...
