"""Keyless chunks that are verified: who may be sent when, and what became of those without an answer.

Chunks are sent side by side. While one without an answer is looked for in Planhat's list, none is: so every record
found there that no answer has told of belongs to a chunk without one. What was not found is looked for a second
time after a wait, during which others are sent, because a request that was given up may still be carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs

from planhat_async.batching.chunking import Mark, Row, Rows
from planhat_async.batching.verifying import (
    N_NEWEST,
    Claims,
    Descent,
    Floor,
    Horizon,
    Seen,
    UnreadableListError,
    are_shown,
)

Peek: TypeAlias = Callable[[int, int], Awaitable[list[Seen]]]
"""Reads a list, newest record first: from this offset on, at most so many."""

_PAGE_SIZE = 2000


@attrs.define
class HorizonReader:
    """Reads the newest `_id`s of Planhat's lists, once.

    Args:
        peeks: The lists.
    """

    peeks: Sequence[Peek]
    _horizon: Horizon | None = None
    _reading: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def read(self) -> Horizon:
        """The horizon of this run. The first call costs a request for each list, or two where the list is short.

        Raises:
            PlanhatError: A list could not be read; the next call tries again.
        """
        async with self._reading:
            if self._horizon is None:
                try:
                    ids = [one for peek in self.peeks for one in await _newest_of(peek)]
                except UnreadableListError:
                    ids = []  # no floor: a look for rows meets the same list
                self._horizon = Horizon(frozenset(ids))
            return self._horizon

    def note_created(self, ids: Iterable[str]) -> None:
        """Note `_id`s that an answer has named as created."""
        if self._horizon is not None:
            self._horizon.note_created(ids)


async def _newest_of(peek: Peek) -> list[str]:
    descent = Descent(floor="", page_size=N_NEWEST)
    while not descent.is_done and len(descent.records) < N_NEWEST:
        descent.take(await peek(descent.offset, descent.page_size))
    return [*descent.records]


@attrs.define
class Settler:
    """Settles keyless chunks whose answer did not come, by reading Planhat's lists.

    Args:
        peeks: The lists in which the records may be.
        wait: Seconds before the second look.
    """

    peeks: Sequence[Peek]
    wait: float
    _claims: Claims = attrs.field(factory=Claims)
    _floors: list[Floor] = attrs.field(factory=list)
    """Of the chunks under way."""
    _n_sending: int = 0
    _n_looking: int = 0
    """Chunks that look, or wait to look."""
    _is_looking: bool = False
    _horizon: HorizonReader = attrs.field(init=False)
    _news: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set, and replaced by another, whenever somebody may have waited for what has happened."""

    def __attrs_post_init__(self) -> None:
        self._horizon = HorizonReader(self.peeks)

    async def begin(self, floor: Floor | None = None) -> Floor:
        """Begin a chunk; returns where its records can be. The first one without a floor costs a call for each list.

        Args:
            floor: The chunk's floor where a record of chunks has it, perhaps from an earlier run.

        Raises:
            PlanhatError: The newest records could not be read: the chunk must not be sent.
        """
        floor = floor or (await self._horizon.read()).floor
        self._floors.append(floor)
        return floor

    def end(self, floor: Floor) -> None:
        """End a chunk that began at this floor."""
        self._floors.remove(floor)
        self._claims.forget_below(min((one.id for one in self._floors), default=floor.id))

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

    def claim(self, ids: Collection[str]) -> None:
        """Note the `_id`s that an answer told."""
        self._claims.claim(ids)
        self._horizon.note_created(ids)

    async def settle(
        self, rows: Rows, floor: Floor, *, on_found: Callable[[list[tuple[Row, str]]], None]
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

    async def _look(self, rows: Rows, floor: Floor) -> tuple[list[tuple[Row, str]], Rows]:
        async with self._alone():
            records: dict[str, Mark] = {}
            for peek in self.peeks:
                descent = Descent(floor=floor.id, page_size=_PAGE_SIZE)
                while not descent.is_done:
                    descent.take(await peek(descent.offset, descent.page_size))
                records |= descent.records
            if not are_shown(rows, records.values()):
                raise UnreadableListError("it does not show the values that rows are recognised by")
            return self._claims.match(rows, [one for one in records.items() if one[0] not in floor.known])

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
