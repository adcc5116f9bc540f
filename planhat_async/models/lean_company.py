"""Lean companies: the keys of all companies at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, TypedDict, Unpack

import attrs

from planhat_async.records import Model, Record, TextFilter, TextsFilter, read_only
from planhat_async.repositories import WholeListOptions, WholeLists
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns


@attrs.define(kw_only=True, repr=False)
class LeanCompany(Record):
    """The keys and the name of a company (`/leancompanies`, part of "Companies" in Planhat's documentation).

    Planhat answers all companies in one list, and has no other call for them: nothing here may be written. `id` is
    the company's own. A company without a key lacks the field, or holds an empty string in it.
    """

    external_id: str | None = read_only()
    """The company's id in your own system; may be empty."""
    name: str | None = read_only()
    """The company's name."""
    slug: str | None = read_only()
    """A short name, undocumented."""
    source_id: str | None = read_only()
    """The company's id in the system it came from; may be empty."""


class LeanCompanyFilters(TypedDict, total=False):
    """The filters of the list of lean companies."""

    external_id: str | None
    """Only the company with this external id."""
    source_id: str | None
    """Only the company with this source id."""
    status: str | Iterable[str] | None
    """Only companies with this status, or with one of these."""


class LeanCompanyOptions(WholeListOptions, LeanCompanyFilters, total=False):
    """The options of listings of lean companies."""


class LeanCompanies(WholeLists[LeanCompany]):
    """Lean companies: `/leancompanies`. One call answers the keys and names of all companies."""

    model: Model = Model(
        name="lean_companies",
        record=LeanCompany,
        path="/leancompanies",
        filters=(
            TextFilter(option="external_id", wire="externalId"),
            TextFilter(option="source_id", wire="sourceId"),
            TextsFilter(option="status", wire="status"),
        ),
        company_field=None,
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[LeanCompanyFilters]
        ) -> list[LeanCompany]: ...
        def iter(self, **options: Unpack[LeanCompanyOptions]) -> AsyncGenerator[LeanCompany, None]: ...
        def iter_json(self, **options: Unpack[LeanCompanyOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[LeanCompanyOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[LeanCompanyOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[LeanCompanyOptions]) -> AsyncGenerator[list[LeanCompany], None]: ...
        async def all(self, **options: Unpack[LeanCompanyOptions]) -> list[LeanCompany]: ...
