"""The records that changed since a time, and the time from which the next listing has to begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Generic, TypeVar

from planhat_async.batching.list_reader import FetchPage
from planhat_async.batching.page import Page
from planhat_async.records import Params

T = TypeVar("T")


class ServerClock:
    """Takes the server's time at the start of a walk from the first page.

    Args:
        fetch: Fetches a page.
    """

    def __init__(self, fetch: FetchPage) -> None:
        self._fetch = fetch
        self._is_first = True
        self.started: datetime | None = None
        """The server's time when the walk began, or a little earlier; `None` if the first answer has no `Date`."""

    async def fetch(self, params: Params, offset: int, limit: int) -> Page[bytes]:
        """Fetch a page."""
        is_first, self._is_first = self._is_first, False
        began = asyncio.get_running_loop().time()
        page = await self._fetch(params, offset, limit)
        if is_first and page.answered is not None:
            # Planhat read the list before it dated the answer, and not before the request.
            took = asyncio.get_running_loop().time() - began
            self.started = datetime.fromtimestamp(page.answered - took, UTC)
        return page


class UpdatedSince(AsyncGenerator[T, None], Generic[T]):
    """The records that changed since a time, or their JSON, for one `async for`; see `iter_updated_since`.

    It is an async generator, so an upsert that reads it also closes it.

    Args:
        since: The time.
        margin: Seconds by which the next walk begins before the start of this one.
        records: Yields the records.
        is_whole: Whether no record was missed; called at the end.
        server_start: The server's time when the walk began, or `None`; called at the end.
    """

    def __init__(
        self,
        since: datetime,
        *,
        margin: float,
        records: AsyncGenerator[T, None],
        is_whole: Callable[[], bool],
        server_start: Callable[[], datetime | None],
    ) -> None:
        self._margin = timedelta(seconds=margin)
        self._records = records
        self._is_whole = is_whole
        self._server_start = server_start
        self._started: datetime | None = None
        self._next_since = since
        self._is_broken = False

    @property
    def next_since(self) -> datetime:
        """The time from which the next walk has to begin: the start of this one less the margin, once it is complete.

        Until then, or if it was left early, failed or missed rows, it is `since`: repeat the walk. The start is the
        earlier time of two clocks: this machine's, and the `Date` of the first answer.
        """
        return self._next_since

    async def asend(self, value: None) -> T:
        """The next record, as `anext` gives it."""
        self._started = self._started or datetime.now(UTC)
        try:
            return await self._records.asend(value)
        except StopAsyncIteration:
            if self._is_whole() and not self._is_broken:
                started = min(self._started, self._server_start() or self._started)
                self._next_since = max(self._next_since, started - self._margin)
            raise
        except BaseException:
            self._is_broken = True  # asked again, the generator would say that it has ended
            raise

    async def athrow(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> T:
        """Raise an exception in the walk, which ends it early."""
        self._is_broken = True
        error = typ if val is None else val
        return await self._records.athrow(error if tb is None else error.with_traceback(tb))

    async def aclose(self) -> None:
        """End the walk early."""
        self._is_broken = True
        await self._records.aclose()
