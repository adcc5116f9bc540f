"""Finds keyless rows without an answer in Planhat's lists.

Chunks are sent concurrently, but not during a scan: so every record in a scan that no answer has named belongs to a
chunk without an answer. Missing rows are looked for a second time after a wait, during which other chunks are sent,
because a request that was given up may still be processed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import attrs

from planhat_async._convert import Fingerprint
from planhat_async.batching.chunks import Row, Rows
from planhat_async.batching.shared_lock import SharedLock
from planhat_async.batching.verification import (
    N_NEWEST,
    ClaimedIds,
    DescendingScan,
    Floor,
    Horizon,
    Matches,
    Seen,
    UnreadableListError,
    are_shown,
)

Peek: TypeAlias = Callable[[int, int], Awaitable[list[Seen]]]
"""`(offset, limit) -> records`. Reads a list, newest record first."""

_PAGE_SIZE = 2000


@attrs.define
class HorizonReader:
    """Reads the newest `_id`s of Planhat's lists, once."""

    peeks: Sequence[Peek]
    """The lists."""
    _horizon: Horizon | None = None
    _reading: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def read_horizon(self) -> Horizon:
        """The horizon of this run. The first call costs a request for each list, or two where the list is short.

        Raises:
            PlanhatError: A list could not be read; the next call tries again.
        """
        async with self._reading:
            if self._horizon is None:
                try:
                    ids = [one for peek in self.peeks for one in await _newest_of(peek)]
                except UnreadableListError:
                    ids = []  # no floor: a scan will fail as well
                self._horizon = Horizon(frozenset(ids))
            return self._horizon

    def note_created(self, ids: Iterable[str]) -> None:
        """Note `_id`s that an answer has named as created."""
        if self._horizon is not None:
            self._horizon.note_created(ids)


async def _newest_of(peek: Peek) -> list[str]:
    scan = DescendingScan(floor="", page_size=N_NEWEST)
    while not scan.is_done and len(scan.records) < N_NEWEST:
        scan.take_page(await peek(scan.offset, scan.page_size))
    return [*scan.records]


@attrs.define
class OutcomeVerifier:
    """Finds the rows of keyless chunks without an answer, by reading Planhat's lists."""

    peeks: Sequence[Peek]
    """The lists in which the records may be."""
    wait: float
    """Seconds before missing rows are looked for again."""
    _claimed: ClaimedIds = attrs.field(factory=ClaimedIds)
    _floors: list[Floor] = attrs.field(factory=list)
    """The floors of the chunks in progress."""
    _lock: SharedLock = attrs.field(factory=SharedLock)
    """Shared by sends; a scan holds it alone."""
    _horizon: HorizonReader = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._horizon = HorizonReader(self.peeks)

    async def begin_chunk(self, floor: Floor | None = None) -> Floor:
        """Begin a chunk; returns the floor of its records. The first one without a floor costs a call for each list.

        Args:
            floor: The chunk's floor, if an earlier run recorded it.

        Raises:
            PlanhatError: The newest records could not be read: the chunk must not be sent.
        """
        floor = floor or (await self._horizon.read_horizon()).floor
        self._floors.append(floor)
        return floor

    def end_chunk(self, floor: Floor) -> None:
        """End a chunk that began at this floor."""
        self._floors.remove(floor)
        self._claimed.forget_below(min((one.id for one in self._floors), default=floor.id))

    def sending(self) -> AbstractAsyncContextManager[None]:
        """The shared side of the lock: many sends, no scan."""
        return self._lock.shared()

    def claim(self, ids: Collection[str]) -> None:
        """Note the `_id`s that an answer has named."""
        self._claimed.claim(ids)
        self._horizon.note_created(ids)

    async def find_rows(
        self, rows: Rows, floor: Floor, *, on_found: Callable[[list[tuple[Row, str]]], None]
    ) -> Matches:
        """Look for rows without an answer; after a wait, look for the missing ones again.

        Args:
            rows: The rows.
            floor: What `begin_chunk` returned.
            on_found: Called with the rows that the first scan found.

        Returns:
            What the second scan says of the rows that the first has not found.

        Raises:
            PlanhatError: A list could not be read.
            UnreadableListError: A list is not sorted, does not advance, or does not show the values.
        """
        first = await self._scan(rows, floor)
        on_found(first.found)
        if not first.missing:
            return Matches([], (), ())
        await asyncio.sleep(self.wait)
        return await self._scan(first.missing, floor)

    async def _scan(self, rows: Rows, floor: Floor) -> Matches:
        async with self._lock.exclusive():
            records: dict[str, Fingerprint] = {}
            for peek in self.peeks:
                scan = DescendingScan(floor=floor.id, page_size=_PAGE_SIZE)
                while not scan.is_done:
                    scan.take_page(await peek(scan.offset, scan.page_size))
                records |= scan.records
            if not are_shown(rows, records.values()):
                raise UnreadableListError("it does not show the values of verify_by")
            return self._claimed.match(rows, [one for one in records.items() if one[0] not in floor.known])
