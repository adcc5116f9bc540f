"""Lets attempts start when the pace allows, in the order they asked.

`pace.py` decides; this waits. One attempt at a time passes the gate, and last in it the token bucket of
`aiolimiter`, which holds the second: the bucket is not first come, first served when wake-ups coincide, so only
one may wait there, and the time that counts is taken behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import attrs
from aiolimiter import AsyncLimiter

from planhat_async._http.pace import Pace, RateLimits, Start


@attrs.define(eq=False)
class Place:
    """An attempt's place, for as long as it lasts."""

    waited: float
    """Seconds it waited."""
    _pace: Pace
    _start: Start
    is_answered: bool = False

    def answered(self, *, remaining: int | None = None, limit: int | None = None) -> None:
        """Say that an answer came, other than 429, and what it says is left."""
        self.is_answered = True
        self._pace.accepted(self._start)
        if remaining is not None:
            self._pace.told(asyncio.get_running_loop().time(), remaining=remaining, limit=limit)

    def refused(self, *, retry_after: float | None) -> float:
        """Say that a 429 came; returns the seconds for which nothing starts."""
        self.is_answered = True
        return self._pace.refused(self._start, asyncio.get_running_loop().time(), retry_after=retry_after)


class Pacer:
    """Keeps the pace of its limits; sessions on one token, in one event loop, may share one."""

    def __init__(self, limits: RateLimits | None = None) -> None:
        self.limits = limits or RateLimits()
        self._pace = Pace(self.limits)
        # A bucket of 150 in a second would let 299 into one; of a third in half a second, 149 at most.
        self._bucket = AsyncLimiter(max(1.0, self.limits.per_second / 3), max(1.5 / self.limits.per_second, 0.5))
        self._singles: deque[asyncio.Future[None]] = deque()
        self._bulk: deque[asyncio.Future[None]] = deque()
        self._is_gate_taken = False
        self._alarm: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Pacer {self.limits.per_minute} a minute, {self._pace.n_in_flight} in flight>"

    @asynccontextmanager
    async def place(self, *, is_bulk: bool = False) -> AsyncIterator[Place]:
        """Wait until an attempt may start, and hold its place in flight for as long as the block lasts."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        start = await self._pass(is_bulk=is_bulk)
        place = Place(start.at - asked, self._pace, start)
        try:
            yield place
        finally:
            self._pace.end(start, clock(), is_answered=place.is_answered)
            self._admit()

    async def _pass(self, *, is_bulk: bool) -> Start:
        clock = asyncio.get_running_loop().time
        queue = self._bulk if is_bulk else self._singles
        put_back = False
        while True:
            await self._turn(queue, is_first=put_back)
            try:
                await self._bucket.acquire()
                now = clock()
                # A pause may have begun while this waited for the bucket.
                if (self._pace.bulk_from(now) if is_bulk else self._pace.single_from(now)) <= now:
                    return self._pace.start(now, is_bulk=is_bulk)
                put_back = True
            finally:
                self._is_gate_taken = False
                self._admit()

    async def _turn(self, queue: deque[asyncio.Future[None]], *, is_first: bool) -> None:
        """Wait for the gate, behind whoever asked before."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        queue.insert(0 if is_first else len(queue), turn)
        if queue is self._singles:
            self._pace.ask(loop.time())
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._is_gate_taken = False
            elif turn in queue:
                queue.remove(turn)
            self._admit()
            raise

    def _admit(self) -> None:
        """Let the next one to the gate, or come back when one may."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for queue in (self._singles, self._bulk):
            while queue and queue[0].done():  # cancelled, and not out of the queue yet
                queue.popleft()
        if self._is_gate_taken:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        single = self._pace.single_from(now) if self._singles else inf
        bulk = self._pace.bulk_from(now) if self._bulk else inf
        if single <= now or bulk <= now:
            self._is_gate_taken = True
            (self._singles if single <= now else self._bulk).popleft().set_result(None)
        elif min(single, bulk) < inf:
            self._alarm = loop.call_at(min(single, bulk), self._admit)
