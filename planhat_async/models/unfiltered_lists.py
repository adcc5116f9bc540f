"""Lists without filters: the repository that models share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeVar, Unpack

from planhat_async.records import Record
from planhat_async.repositories import ListingOptions, Lists, PageOptions
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns

R = TypeVar("R", bound=Record)


class UnfilteredLists(Lists[R]):
    """Lists a model's records; Planhat documents no filters for it."""

    if TYPE_CHECKING:  # the same methods, with the options of every model

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[PageOptions]
        ) -> list[R]: ...
        def iter(self, **options: Unpack[ListingOptions]) -> AsyncGenerator[R, None]: ...
        def iter_json(self, **options: Unpack[ListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[ListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(self, *, custom: CustomColumns = None, **options: Unpack[ListingOptions]) -> ArrowTable: ...
        def pages(self, **options: Unpack[ListingOptions]) -> AsyncGenerator[list[R], None]: ...
        async def all(self, **options: Unpack[ListingOptions]) -> list[R]: ...
