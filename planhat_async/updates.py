"""A walk over the records that changed since a time, which knows where the next one has to begin."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from planhat_async.models import Record

R = TypeVar("R", bound=Record)


class Updates(AsyncIterator[R], Generic[R]):
    """The records that changed since a time, for one `async for`; see `Tasks.iter_updated_since`.

    Args:
        since: The time.
        margin: Seconds by which the next walk looks back further than this one's start.
        walk: Makes the records; called with what to call once all were handed out.
    """

    def __init__(
        self, since: datetime, *, margin: float, walk: Callable[[Callable[[], None]], AsyncGenerator[R, None]]
    ) -> None:
        self._since = since
        self._margin = timedelta(seconds=margin)
        self._records = walk(self._complete)
        self._started: datetime | None = None
        self._next_since = since

    @property
    def next_since(self) -> datetime:
        """Where the next walk has to begin: once this one is complete, its start less the margin; until then, `since`.

        A walk that was left early, failed, or during which rows were lost from sight has to be made again.
        """
        return self._next_since

    async def __anext__(self) -> R:
        if self._started is None:
            self._started = datetime.now(UTC)
        return await anext(self._records)

    async def aclose(self) -> None:
        """End the walk early."""
        await self._records.aclose()

    def _complete(self) -> None:
        assert self._started is not None  # noqa: S101 - a walk that ended has begun
        self._next_since = max(self._since, self._started - self._margin)
