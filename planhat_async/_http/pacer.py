"""Lets attempts start when the pace allows, in the order they asked.

`pace.py` decides; this waits. One attempt at a time passes the gate, and last in it the token bucket of
`aiolimiter`, which spreads a burst over the second: the bucket is not first come, first served when wake-ups
coincide, so only one may wait there, and the time that counts is taken behind it.

Tens of thousands may wait. Each costs the same however many there are: one leaves its queue without a search, and only
the first of a queue decides when to look again. Where a 429 outlasts the patience of many, they are sent away some at
a time, and others have the event loop in between.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from math import inf
from typing import TypeAlias

import attrs
from aiolimiter import AsyncLimiter

from planhat_async._http.own_loop import OwnLoop
from planhat_async._http.pace import Pace, RateLimits, Start

_LOOKED_AT_A_TURN = 500
"""Waiters of whom it is asked in one turn of the event loop whether a 429 outlasts their patience."""
_SENT_AWAY_A_TURN = 20
"""Waiters that are sent away in one: each ends a call."""


@attrs.define(eq=False)
class Slot:
    """An attempt's place, for as long as it lasts."""

    waited: float
    """Seconds it waited."""
    refused_for: float
    """Seconds of them for which Planhat refused everything."""
    _pace: Pace
    _start: Start
    is_answered: bool = False
    is_refused: bool = False

    def mark_answered(self, *, remaining: int | None = None, limit: int | None = None) -> None:
        """Say that an answer came, other than 429, and what it says is left."""
        self.is_answered = True
        self._pace.note_accepted(self._start)
        if remaining is not None:
            self._pace.note_server_quota(asyncio.get_running_loop().time(), remaining=remaining, limit=limit)

    def mark_refused(self, *, retry_after: float | None) -> float:
        """Say that a 429 came; returns the seconds for which nothing starts."""
        self.is_answered = self.is_refused = True
        return self._pace.note_refused(self._start, asyncio.get_running_loop().time(), retry_after=retry_after)


class RefusedTooLongError(Exception):
    """Planhat refuses everything with 429, and will for longer than the caller's patience lasts."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"for {seconds:.0f} s more")
        self.seconds = seconds


@attrs.frozen(eq=False)
class _Waiter:
    """A call that waits for the gate."""

    queue: _Queue
    turn: asyncio.Future[None]
    asked: float
    patience: float


_Queue: TypeAlias = "OrderedDict[_Waiter, None]"
"""Waiters in the order they asked, of which any may leave at the same cost."""


class Pacer:
    """Keeps the pace of its limits; sessions on one token, in one event loop, may share one.

    It raises `RuntimeError` in another event loop, unless its own is closed and left nothing behind.
    """

    def __init__(self, limits: RateLimits | None = None) -> None:
        self.limits: RateLimits = limits or RateLimits()
        self._own_loop = OwnLoop("the Pacer")
        self._pace = Pace(self.limits)
        self._bucket = _bucket_of(self.limits)
        self._singles: _Queue = OrderedDict()
        self._bulk: _Queue = OrderedDict()
        self._is_gate_taken = False
        self._alarm: asyncio.TimerHandle | None = None
        self._to_look_at: deque[_Waiter] = deque()
        """Waiters that a 429 may send away."""
        self._looked_at_for = -inf
        """The end of the pause for which they are looked at, or were."""

    @property
    def calls_left(self) -> int:
        """How many calls may still start in this minute."""
        return self._pace.left(asyncio.get_running_loop().time())

    def seconds_until_bulk_call(self, n: int) -> float:
        """Seconds until the `n`th bulk call may start, those in flight counted, if no other calls do."""
        return self._pace.bulk_in(asyncio.get_running_loop().time(), n)

    def __repr__(self) -> str:
        return f"<Pacer {self.limits.per_minute} a minute, {self._pace.n_in_flight} in flight>"

    @asynccontextmanager
    async def slot(self, *, is_bulk: bool = False, patience: float = inf) -> AsyncIterator[Slot]:
        """Wait until an attempt may start, and hold its place in flight for as long as the block lasts.

        Args:
            is_bulk: Whether it leaves single calls their part.
            patience: Seconds of refusals to wait through; waiting for pace alone has no end.

        Raises:
            RefusedTooLongError: Refusals last longer.
            RuntimeError: It belongs to another event loop.
        """
        is_idle = not (self._pace.n_in_flight or self._singles or self._bulk or self._is_gate_taken)
        if self._own_loop.enter(may_move=is_idle):
            self._bucket, self._alarm = _bucket_of(self.limits), None  # a bucket belongs to one event loop
        clock = asyncio.get_running_loop().time
        asked = clock()
        start = await self._pass(is_bulk=is_bulk, asked=asked, patience=patience)
        slot = Slot(start.at - asked, self._pace.refused_for(asked, start.at), self._pace, start)
        try:
            yield slot
        finally:
            self._pace.end_attempt(start, clock(), is_answered=slot.is_answered)
            if slot.is_refused:
                self._send_away()
            self._admit()

    async def _pass(self, *, is_bulk: bool, asked: float, patience: float) -> Start:
        clock = asyncio.get_running_loop().time
        queue = self._bulk if is_bulk else self._singles
        put_back = False
        while True:
            await self._turn(queue, asked=asked, patience=patience, is_first=put_back)
            try:
                await self._bucket.acquire()
                now = clock()
                # A pause may have begun while this waited for the bucket.
                if (self._pace.bulk_from(now, len(self._bulk) + 1) if is_bulk else self._pace.single_from(now)) <= now:
                    return self._pace.start_attempt(now, is_bulk=is_bulk)
                put_back = True
            finally:
                self._is_gate_taken = False
                self._admit()

    async def _turn(self, queue: _Queue, *, asked: float, patience: float, is_first: bool) -> None:
        """Wait for the gate, behind the calls that asked before."""
        loop = asyncio.get_running_loop()
        if self._pace.outlasts(patience, asked=asked, now=loop.time()):
            raise RefusedTooLongError(self._pace.paused_for(loop.time()))
        waiter = _Waiter(queue, loop.create_future(), asked, patience)
        queue[waiter] = None
        if is_first:
            queue.move_to_end(waiter, last=False)
        elif queue is self._singles:
            self._pace.note_single(loop.time())
        if is_first or len(queue) == 1:  # else the gate is taken, or the first one is waited for
            self._admit()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        """Take out one that is cancelled, or take back the turn that it was given meanwhile."""
        turn = waiter.turn
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._is_gate_taken = False
            self._admit()
            return
        if waiter in waiter.queue:
            del waiter.queue[waiter]
            if not self._singles and not self._bulk:
                self._admit()  # there is nothing to come back for

    def _send_away(self) -> None:
        """Tell those whose patience ends before the next probe; that is known when a refusal prolongs the pause."""
        if not self._to_look_at and self._pace.paused_until != self._looked_at_for:
            self._looked_at_for = self._pace.paused_until
            self._to_look_at.extend(chain(self._singles, self._bulk))
            self._look_at_some()

    def _look_at_some(self) -> None:
        loop = asyncio.get_running_loop()
        now, n_sent_away = loop.time(), 0
        for _ in range(min(_LOOKED_AT_A_TURN, len(self._to_look_at))):
            waiter = self._to_look_at.popleft()
            if waiter.turn.done() or not self._pace.outlasts(waiter.patience, asked=waiter.asked, now=now):
                continue
            waiter.queue.pop(waiter, None)
            waiter.turn.set_exception(RefusedTooLongError(self._pace.paused_for(now)))
            n_sent_away += 1
            if n_sent_away == _SENT_AWAY_A_TURN:
                break
        if self._to_look_at:
            loop.call_soon(self._look_at_some)
        else:
            self._send_away()  # another pause may have begun

    def _admit(self) -> None:
        """Let the next one to the gate, or come back when one may."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for queue in (self._singles, self._bulk):
            while queue and (first := next(iter(queue))).turn.done():  # cancelled, and not out of the queue yet
                del queue[first]
        if self._is_gate_taken:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        single = self._pace.single_from(now) if self._singles else inf
        bulk = self._pace.bulk_from(now, len(self._bulk)) if self._bulk else inf
        if single <= now or bulk <= now:
            self._is_gate_taken = True
            waiter, _ = (self._singles if single <= now else self._bulk).popitem(last=False)
            waiter.turn.set_result(None)
        elif min(single, bulk) < inf:
            self._alarm = loop.call_at(min(single, bulk), self._admit)


def _bucket_of(limits: RateLimits) -> AsyncLimiter:
    # A bucket of 150 in a second would let 299 into one; of a third in half a second, 149 at most.
    return AsyncLimiter(max(1.0, limits.per_second / 3), max(1.5 / limits.per_second, 0.5))
