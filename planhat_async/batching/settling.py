"""Keyless chunks that are verified: who may be sent when, and what became of those without an answer.

Chunks are sent side by side. While one without an answer is looked for in Planhat's list, none is: so every record
found there that no answer has told of belongs to a chunk without one. What was not found is looked for a second
time after a wait, during which others are sent, because a request that was given up may still be carried out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs

from planhat_async.batching.chunking import Mark, Row, Rows
from planhat_async.batching.verifying import Claims, Descent, Seen, UnreadableListError, are_shown, floor_below

Peek: TypeAlias = Callable[[int, int], Awaitable[list[Seen]]]
"""Reads a list, newest record first: from this offset on, at most so many."""

_PAGE_SIZE = 2000


@attrs.define
class Settler:
    """Settles keyless chunks whose answer did not come, by reading Planhat's lists.

    Args:
        peeks: The lists in which the records may be.
        wait: Seconds before the second look.
    """

    peeks: Sequence[Peek]
    wait: float
    _claims: Claims | None = None
    """`None` until the newest record has been read."""
    _floors: list[str] = attrs.field(factory=list)
    """Of the chunks under way."""
    _n_sending: int = 0
    _n_looking: int = 0
    """Chunks that look, or wait to look."""
    _is_looking: bool = False
    _beginning: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _news: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set, and replaced by another, whenever somebody may have waited for what has happened."""

    async def begin(self, floor_before: str | None = None) -> str:
        """Begin a chunk; returns the `_id` above which its records are. The first one costs a call for each list.

        Args:
            floor_before: The same of an earlier run that may have made some.

        Raises:
            PlanhatError: The newest record could not be read: the chunk must not be sent.
        """
        async with self._beginning:
            if self._claims is None:
                newest = [page[0][0] for peek in self.peeks if (page := await peek(0, 1))]
                self._claims = Claims(max(newest, default=""))
        floor = floor_below(self._claims.newest_id, now=time.time())
        if floor_before is not None:
            floor = min(floor, floor_before)
        self._floors.append(floor)
        return floor

    def end(self, floor: str) -> None:
        """End a chunk that began at this floor."""
        self._floors.remove(floor)
        if self._claims is not None:
            self._claims.forget_below(min(self._floors, default=floor))

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Wait until nobody looks, and keep everybody from looking."""
        while self._n_looking:
            await self._news.wait()
        self._n_sending += 1
        try:
            yield
        finally:
            self._n_sending -= 1
            self._pass_on()

    def claim(self, ids: Iterable[str]) -> None:
        """Note the `_id`s that an answer told."""
        if self._claims is not None:
            self._claims.claim(ids)

    async def settle(
        self, rows: Rows, floor: str, *, on_found: Callable[[list[tuple[Row, str]]], None]
    ) -> tuple[list[tuple[Row, str]], Rows]:
        """Look for rows without an answer, twice if need be.

        Args:
            rows: The rows.
            floor: What `begin` returned.
            on_found: Told what the first look found, which stays so if there is no second.

        Returns:
            Each other row found with the `_id` of its record, and the rows that were not found.

        Raises:
            PlanhatError: A list could not be read.
            UnreadableListError: A list is not one that can be followed.
        """
        found, missing = await self._look(rows, floor)
        on_found(found)
        if not missing:
            return [], ()
        await asyncio.sleep(self.wait)
        return await self._look(missing, floor)

    async def _look(self, rows: Rows, floor: str) -> tuple[list[tuple[Row, str]], Rows]:
        async with self._alone():
            records: dict[str, Mark] = {}
            for peek in self.peeks:
                descent = Descent(floor=floor, page_size=_PAGE_SIZE)
                while not descent.is_done:
                    descent.take(await peek(descent.offset, descent.page_size))
                records |= descent.records
            assert self._claims is not None  # noqa: S101 - a chunk that looks has begun
            if not are_shown(rows, records.values()):
                raise UnreadableListError("it does not show the values that rows are recognised by")
            return self._claims.match(rows, records.items())

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait until nothing is being sent and nobody else looks."""
        self._n_looking += 1
        try:
            while self._n_sending or self._is_looking:
                await self._news.wait()
            self._is_looking = True
            try:
                yield
            finally:
                self._is_looking = False
        finally:
            self._n_looking -= 1
            self._pass_on()

    def _pass_on(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
