"""What type checkers know about the calls of a repository: for each, its parameters and what it returns.

A protocol with one method matches every repository that has the method, and thereby yields the method's own parameters,
such as the options of a list of tasks. So the blocking calls need no declarations of their own for each model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Any, ParamSpec, Protocol, TypeVar

from planhat_async.repositories import UpdatedSince

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class HasGet(Protocol[P, T_co]):
    """Has `get`."""

    async def get(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasGetMany(Protocol[P, T_co]):
    """Has `get_many`."""

    async def get_many(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasCreate(Protocol[P, T_co]):
    """Has `create`."""

    async def create(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasUpdate(Protocol[P, T_co]):
    """Has `update`."""

    async def update(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasDelete(Protocol[P, T_co]):
    """Has `delete`."""

    async def delete(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasDeleteMany(Protocol[P, T_co]):
    """Has `delete_many`."""

    async def delete_many(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasDuplicate(Protocol[P, T_co]):
    """Has `duplicate`."""

    async def duplicate(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasPage(Protocol[P, T_co]):
    """Has `page`."""

    async def page(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasAll(Protocol[P, T_co]):
    """Has `all`."""

    async def all(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasIter(Protocol[P, T_co]):
    """Has `iter`."""

    def iter(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T_co, None]: ...


class HasIterJson(Protocol[P, T_co]):
    """Has `iter_json`."""

    def iter_json(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T_co, None]: ...


class HasPages(Protocol[P, T_co]):
    """Has `pages`."""

    def pages(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T_co, None]: ...


class HasToArrow(Protocol[P, T_co]):
    """Has `to_arrow`."""

    async def to_arrow(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasArrowBatches(Protocol[P, T_co]):
    """Has `arrow_batches`."""

    def arrow_batches(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T_co, None]: ...


class HasIterUpdated(Protocol[P, T]):
    """Has `iter_updated_since`."""

    def iter_updated_since(self, *args: P.args, **kwargs: P.kwargs) -> UpdatedSince[T]: ...


class HasIterJsonUpdated(Protocol[P, T]):
    """Has `iter_json_updated_since`."""

    def iter_json_updated_since(self, *args: P.args, **kwargs: P.kwargs) -> UpdatedSince[T]: ...


class HasUpsertMany(Protocol[P, T_co]):
    """Has `upsert_many`."""

    async def upsert_many(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class HasUpsertChunks(Protocol[P, T_co]):
    """Has `upsert_chunks`."""

    def upsert_chunks(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T_co, None]: ...


class HasUpserting(Protocol[P, T_co]):
    """Has `upserting`."""

    def upserting(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class AsyncRun(AbstractAsyncContextManager[Any], Protocol):
    """A run that yields results while it goes on, such as an upsert or a job."""

    def __anext__(self) -> Awaitable[Any]: ...

    def stop(self) -> None: ...


class HasChunks(AsyncRun, Protocol[T_co]):
    """Yields the results of chunks as they end."""

    def __anext__(self) -> Awaitable[T_co]: ...


class HasResult(AsyncRun, Protocol[T_co]):
    """Knows the outcome of every row so far."""

    @property
    def result(self) -> T_co: ...
