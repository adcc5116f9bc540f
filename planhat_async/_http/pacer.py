"""Lets attempts start when the pace allows, in the order they asked.

`pace.py` decides; this module waits. If the pacer shares a window with others, that decides too: `window_member.py`.
One attempt at a time passes the gate, whose last step is the token bucket of `aiolimiter`: it spreads a burst over the
second. The bucket is not first come, first served when wake-ups coincide, so only one attempt may wait there, and the
start is timed after it. Only a question to a shared window comes later, so that what it grants is used at once.

Tens of thousands may wait, each at a constant cost: a waiter leaves its queue without a search, and only the first in
a queue decides when to look again. If a 429 outlasts the patience of many, they are dismissed a few at a time, so that
other tasks can run in between.
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

from planhat_async._http.membership import OwnPlace
from planhat_async._http.own_loop import OwnLoop
from planhat_async._http.pace import Pace, RateLimits, Start
from planhat_async._http.shared_messages import EndedAs
from planhat_async._http.shared_window import SharedWindow
from planhat_async._http.window_member import WindowMember

_EXAMINED_PER_ITERATION = 500
"""Waiters whose patience is compared with a 429 in one iteration of the event loop."""
_DISMISSED_PER_ITERATION = 20
"""Waiters that are dismissed in one iteration: each ends a call."""


@attrs.define(eq=False)
class Slot:
    """The place of an attempt in flight."""

    waited: float
    """Seconds it waited."""
    refused_for: float
    """Seconds of the wait during which Planhat answered everything with 429."""
    waited_for_others: float
    """Seconds of the wait during which only others on a shared window kept it from starting."""
    _pace: Pace
    _start: Start
    _member: WindowMember | None = None
    _place: OwnPlace | None = None
    is_answered: bool = False
    is_refused: bool = False
    _retry_after: float | None = None

    def mark_answered(self, *, remaining: int | None = None, limit: int | None = None) -> None:
        """Note an answer other than 429, and the calls that it says are left."""
        self.is_answered = True
        self._pace.note_accepted(self._start)
        if remaining is None:
            return
        now = asyncio.get_running_loop().time()
        if self._member is None or self._member.membership.is_off:
            self._pace.note_server_quota(now, remaining=remaining, limit=limit)
        else:
            self._member.membership.note_quota(now, remaining=remaining, limit=limit)

    def mark_refused(self, *, retry_after: float | None) -> float:
        """Note a 429; returns the seconds for which nothing starts."""
        self.is_answered = self.is_refused = True
        self._retry_after = retry_after
        return self._pace.note_refused(self._start, asyncio.get_running_loop().time(), retry_after=retry_after)

    def end(self) -> None:
        """Release it, and report that to the window."""
        self._pace.end_attempt(self._start, asyncio.get_running_loop().time(), is_answered=self.is_answered)
        if self._member is not None and self._place is not None:
            ended_as = EndedAs.ANSWERED if self.is_answered else EndedAs.LOST
            ended_as = EndedAs.REFUSED if self.is_refused else ended_as
            self._member.end_place(self._place, ended_as, retry_after=self._retry_after)


class RefusedTooLongError(Exception):
    """Planhat answers everything with 429, for longer than the caller's patience."""

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
"""Waiters in the order they asked; any of them can be removed at a constant cost."""


class Pacer:
    """Keeps attempts within the limits; sessions on one token, in one event loop, may share it.

    With `shared` it also keeps them within a window that pacers of other event loops, processes or machines share.

    It raises `RuntimeError` in another event loop, unless its own is closed and no attempt waits or is in flight.
    """

    def __init__(self, limits: RateLimits | None = None, *, shared: SharedWindow | None = None) -> None:
        self.limits: RateLimits = limits or RateLimits()
        self._own_loop = OwnLoop("the Pacer")
        self._pace = Pace(self.limits)
        self._bucket = _bucket_of(self.limits)
        self._singles: _Queue = OrderedDict()
        self._bulk: _Queue = OrderedDict()
        self._is_gate_taken = False
        self._is_bulk_at_gate = False
        self._member: WindowMember | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._to_examine: deque[_Waiter] = deque()
        """Waiters whose patience a 429 may outlast."""
        self._examined_for = -inf
        """The end of the pause for which waiters were last examined."""
        if shared is not None:
            self.share(shared)

    @property
    def calls_left(self) -> int:
        """How many calls may still start in this minute."""
        now = asyncio.get_running_loop().time()
        n_own = self._pace.calls_left(now)
        return n_own if self._member is None else self._member.membership.n_free(now, n_own)

    @property
    def n_members(self) -> int:
        """Pacers on the shared window, with this one, as last heard; 1 without a shared window."""
        return 1 if self._member is None else self._member.membership.n_members

    def seconds_until_bulk_call(self, n: int) -> float:
        """Seconds until the `n`th bulk call may start, counting those in flight, if no other calls are made.

        Others on a shared window are assumed to use their shares.
        """
        now = asyncio.get_running_loop().time()
        own = self._pace.seconds_until_bulk_call(now, n * self.n_members)
        return own if self._member is None or n < 1 else max(own, self._member.membership.bulk_wait(now))

    def share(self, window: SharedWindow) -> None:
        """Share a window with others from now on, unless it shares one already."""
        if self._member is None:
            self._member = WindowMember(window, self._pace, waiting=self._count_waiting, on_reply=self._window_heard)

    async def leave(self) -> None:
        """Tell the shared window, if there is one, that this pacer ends; it joins again when it is used again."""
        if self._member is not None:
            await self._member.leave()

    def __repr__(self) -> str:
        return f"<Pacer {self.limits.per_minute} a minute, {self._pace.n_in_flight} in flight>"

    @asynccontextmanager
    async def slot(self, *, is_bulk: bool = False, patience: float = inf) -> AsyncIterator[Slot]:
        """Wait until an attempt may start, and hold its place in flight until the block ends.

        Args:
            is_bulk: Whether it leaves a part of the pace to single calls.
            patience: Seconds of refusals to wait through; waiting for the pace alone is not limited.

        Raises:
            RefusedTooLongError: Refusals last longer than `patience`.
            RuntimeError: The pacer belongs to another event loop.
        """
        is_idle = not (self._pace.n_in_flight or self._singles or self._bulk or self._is_gate_taken)
        if self._own_loop.enter(may_move=is_idle):
            self._bucket, self._alarm = _bucket_of(self.limits), None  # both belong to one event loop
            self._to_examine.clear()
            self._examined_for = -inf
            if self._member is not None:
                self._member.reset()
        clock = asyncio.get_running_loop().time
        asked = clock()
        slot = await self._pass(is_bulk=is_bulk, asked=asked, patience=patience)
        try:
            yield slot
        finally:
            slot.end()
            if slot.is_refused:
                self._dismiss_impatient()
            self._admit()

    async def _pass(self, *, is_bulk: bool, asked: float, patience: float) -> Slot:
        clock = asyncio.get_running_loop().time
        queue = self._bulk if is_bulk else self._singles
        put_back, held_up_at = False, inf
        while True:
            await self._turn(queue, asked=asked, patience=patience, is_first=put_back)
            try:
                await self._bucket.acquire()
                # A pause may have begun during the wait for the bucket.
                if self._may_start(is_bulk=is_bulk):
                    held_up_at = min(held_up_at, clock())
                    place = await self._shared_place(is_bulk=is_bulk)
                    if place is not None or self._member is None:
                        start = self._pace.start_attempt(now := clock(), is_bulk=is_bulk)
                        refused_for = self._pace.refused_for(asked, now)
                        others = self._member is not None and self._member.membership.n_others > 0
                        held_up = now - held_up_at if others else 0.0
                        return Slot(now - asked, refused_for, held_up, self._pace, start, self._member, place)
                put_back = True
            finally:
                self._is_gate_taken = False
                self._admit()

    def _window_heard(self) -> None:
        """Act on what the shared window said, which may be that all pause."""
        self._dismiss_impatient()
        self._admit()

    def _may_start(self, *, is_bulk: bool) -> bool:
        """Whether the own pace lets the call at the gate start now."""
        now = asyncio.get_running_loop().time()
        return (self._pace.bulk_from(now, len(self._bulk) + 1) if is_bulk else self._pace.single_from(now)) <= now

    async def _shared_place(self, *, is_bulk: bool) -> OwnPlace | None:
        """The place that the shared window grants, if there is one."""
        if self._member is None:
            return None
        clock, membership = asyncio.get_running_loop().time, self._member.membership
        place = membership.take_place(clock(), is_bulk=is_bulk)
        if place is None:
            await self._member.ask()
            if self._may_start(is_bulk=is_bulk):
                place = membership.take_place(clock(), is_bulk=is_bulk)
        return place

    def _count_waiting(self) -> tuple[int, int]:
        """How many single and how many bulk calls wait, with the one at the gate."""
        n_single, n_bulk = len(self._singles), len(self._bulk)
        if not self._is_gate_taken:
            return n_single, n_bulk
        return (n_single, n_bulk + 1) if self._is_bulk_at_gate else (n_single + 1, n_bulk)

    async def _turn(self, queue: _Queue, *, asked: float, patience: float, is_first: bool) -> None:
        """Wait for the gate, behind earlier calls."""
        loop = asyncio.get_running_loop()
        if self._pace.outlasts(patience, asked=asked, now=loop.time()):
            raise RefusedTooLongError(self._pace.paused_for(loop.time()))
        waiter = _Waiter(queue, loop.create_future(), asked, patience)
        queue[waiter] = None
        if is_first:
            queue.move_to_end(waiter, last=False)
        elif queue is self._singles:
            self._pace.note_single(loop.time())
        if is_first or len(queue) == 1:  # else the gate is taken, or the alarm is set for the first waiter
            self._admit()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        """Remove a cancelled waiter, or pass on the turn that it was just given."""
        turn = waiter.turn
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._is_gate_taken = False
            self._admit()
            return
        if waiter in waiter.queue:
            del waiter.queue[waiter]
            if not self._singles and not self._bulk:
                self._admit()  # cancels the alarm

    def _dismiss_impatient(self) -> None:
        """Dismiss waiters whose patience ends before the next probe, once a refusal has prolonged the pause."""
        if not self._to_examine and self._pace.pause.until != self._examined_for:
            self._examined_for = self._pace.pause.until
            self._to_examine.extend(chain(self._singles, self._bulk))
            self._examine_some()

    def _examine_some(self) -> None:
        loop = asyncio.get_running_loop()
        now, n_dismissed = loop.time(), 0
        for _ in range(min(_EXAMINED_PER_ITERATION, len(self._to_examine))):
            waiter = self._to_examine.popleft()
            if waiter.turn.done() or not self._pace.outlasts(waiter.patience, asked=waiter.asked, now=now):
                continue
            waiter.queue.pop(waiter, None)
            waiter.turn.set_exception(RefusedTooLongError(self._pace.paused_for(now)))
            n_dismissed += 1
            if n_dismissed == _DISMISSED_PER_ITERATION:
                break
        if self._to_examine:
            loop.call_soon(self._examine_some)
        else:
            self._dismiss_impatient()  # another pause may have begun

    def _admit(self) -> None:
        """Give the gate to the next waiter, or set the alarm for when it may start."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for queue in (self._singles, self._bulk):
            while queue and (first := next(iter(queue))).turn.done():  # cancelled, but still in the queue
                del queue[first]
        if self._is_gate_taken:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        single = self._earliest(now, is_bulk=False) if self._singles else inf
        bulk = self._earliest(now, is_bulk=True) if self._bulk else inf
        if single <= now or bulk <= now:
            self._is_gate_taken, self._is_bulk_at_gate = True, single > now
            waiter, _ = (self._singles if single <= now else self._bulk).popitem(last=False)
            waiter.turn.set_result(None)
        elif min(single, bulk) < inf:
            self._alarm = loop.call_at(min(single, bulk), self._admit)

    def _earliest(self, now: float, *, is_bulk: bool) -> float:
        """When the first waiter of a class may start, or ask the shared window for a place."""
        own = self._pace.bulk_from(now, len(self._bulk)) if is_bulk else self._pace.single_from(now)
        return own if self._member is None else max(own, self._member.membership.asks_from(now, is_bulk=is_bulk))


def _bucket_of(limits: RateLimits) -> AsyncLimiter:
    # A bucket of 150 per second would admit 299 in one second; a third of it per half second admits 149 at most.
    return AsyncLimiter(max(1.0, limits.per_second / 3), max(1.5 / limits.per_second, 0.5))
