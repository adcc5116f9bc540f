"""A walk over the records that changed since a time, which knows where the next one has to begin."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Generic, TypeVar

from planhat_async.models import Record

R = TypeVar("R", bound=Record)


class Updates(AsyncGenerator[R, None], Generic[R]):
    """The records that changed since a time, for one `async for`; see `Tasks.iter_updated_since`.

    It is an async generator, so what takes one, such as an upsert, also closes it.

    Args:
        since: The time.
        margin: Seconds by which the next walk looks back further than this one's start.
        records: Makes the records.
        is_whole: Whether none of them was lost from sight, asked once all were handed out.
    """

    def __init__(
        self, since: datetime, *, margin: float, records: AsyncGenerator[R, None], is_whole: Callable[[], bool]
    ) -> None:
        self._margin = timedelta(seconds=margin)
        self._records = records
        self._is_whole = is_whole
        self._started: datetime | None = None
        self._next_since = since
        self._is_broken = False

    @property
    def next_since(self) -> datetime:
        """Where the next walk has to begin: once this one is complete, its start less the margin; until then, `since`.

        A walk that was left early, failed, or during which rows were lost from sight has to be made again.
        """
        return self._next_since

    async def asend(self, value: None) -> R:
        """The next record, as `anext` gives it."""
        self._started = self._started or datetime.now(UTC)
        try:
            return await self._records.asend(value)
        except StopAsyncIteration:
            if self._is_whole() and not self._is_broken:
                self._next_since = max(self._next_since, self._started - self._margin)
            raise
        except BaseException:
            self._is_broken = True  # asked once more, it would only say that it has ended
            raise

    async def athrow(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> R:
        """Raise an exception where the walk is, which ends it early."""
        self._is_broken = True
        error = typ if val is None else val
        return await self._records.athrow(error if tb is None else error.with_traceback(tb))

    async def aclose(self) -> None:
        """End the walk early."""
        self._is_broken = True
        await self._records.aclose()
