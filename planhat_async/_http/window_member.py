"""Lets one pacer take part in a shared window: exchanges, reports, and notices to the user."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from planhat_async._http.membership import Membership, OwnPlace
from planhat_async._http.pace import Pace
from planhat_async._http.shared_messages import EndedAs, Reply
from planhat_async._http.shared_pace import MAX_SHARED_PER_MINUTE
from planhat_async._http.shared_window import SharedWindow, SharedWindowError, SharedWindowUnusableError

LOGGER = logging.getLogger("planhat_async.pace")
_REPORT_SECONDS = 0.05
"""How long reports wait for others, to be sent together."""
_WORTH_A_LINE = 1.0
"""Seconds of waiting for others that are logged; shorter ones are turns."""


class WindowMember:
    """The part of a pacer that talks to a shared window.

    Args:
        window: The window.
        pace: The pacer's own pace; its limits become those of a member.
        waiting: Returns how many single and how many bulk calls wait.
        on_reply: Called when the window has been heard, or has not answered.
    """

    def __init__(
        self, window: SharedWindow, pace: Pace, *, waiting: Callable[[], tuple[int, int]], on_reply: Callable[[], None]
    ) -> None:
        self._window = window
        self._pace = pace
        self._waiting = waiting
        self._on_reply = on_reply
        self.membership = Membership(
            pace.limits, waits_while_away=window.waits_while_away, pid=os.getpid(), host=socket.gethostname()
        )
        self._exchange: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._is_in_place = False
        self._has_said_away = self._has_said_waiting = False
        if pace.limits.per_minute > MAX_SHARED_PER_MINUTE:
            self._give_up(f"more than {MAX_SHARED_PER_MINUTE:,} calls a minute are not shared")

    def reset(self) -> None:
        """Forget what belongs to an event loop that is closed."""
        self._exchange = self._alarm = None
        self._is_in_place = False

    def end_place(self, place: OwnPlace, ended_as: EndedAs, *, retry_after: float | None) -> None:
        """Note the end of an attempt, and report it soon if others wait for it."""
        loop = asyncio.get_running_loop()
        self.membership.end_place(place, ended_as, loop.time(), retry_after=retry_after)
        if self._alarm is None and self.membership.has_reports and self.membership.is_urgent:
            delay = 0.0 if ended_as is EndedAs.REFUSED else _REPORT_SECONDS
            self._alarm = loop.call_later(delay, self._report)
        self._try_again()

    async def ask(self) -> None:
        """Exchange with the window, or wait for the exchange that is under way.

        A cancellation does not end an exchange that may have reached the window: its reply would be lost.
        """
        if not self._window.is_instant or self._is_exchanging:
            await asyncio.shield(self._begin())
            return
        self._is_in_place = True
        try:
            await self._tell_and_ask()  # without the cost of a task
        finally:
            self._is_in_place = False

    async def leave(self) -> None:
        """Report the rest, and be a member no longer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        try:
            if self._exchange is not None:
                await asyncio.wait([self._exchange])
            if self.membership.has_joined:
                await self._say_goodbye()
        finally:  # a cancellation must not leave a connection behind
            await self._window.close()

    async def _say_goodbye(self) -> None:
        try:
            await self._window.exchange(self.membership.goodbye(asyncio.get_running_loop().time()))
        except SharedWindowError as error:
            LOGGER.debug("could not report that this session ends: %s", error)
        self.membership.note_left()

    @property
    def _is_exchanging(self) -> bool:
        return self._is_in_place or (self._exchange is not None and not self._exchange.done())

    def _begin(self) -> asyncio.Task[None]:
        if self._exchange is None or self._exchange.done():
            self._exchange = asyncio.ensure_future(self._tell_and_ask())
        return self._exchange

    def _report(self) -> None:
        self._alarm = None
        if self._is_exchanging:
            self._alarm = asyncio.get_running_loop().call_later(_REPORT_SECONDS, self._report)
        else:
            self._begin()

    async def _tell_and_ask(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            reply = await self._exchanged()
            if reply.is_unknown:  # it has joined again, and restated its places, with the next message
                reply = await self._exchanged()
            self.membership.mirror_pause(self._pace.pause, reply, clock())
            self._say_waiting(reply)
            self._has_said_away = False
        except SharedWindowUnusableError as error:
            self._give_up(str(error))
        except SharedWindowError as error:
            self.membership.note_away(clock())
            self._say_away(error)
            self._try_again()
        self._pace.limits = self.membership.share
        self._on_reply()

    def _try_again(self) -> None:
        """Restate places as soon as a window that is away is there again, also if no call asks."""
        loop = asyncio.get_running_loop()
        if self._alarm is None and self.membership.has_to_return(loop.time()):
            self._alarm = loop.call_at(self.membership.retries_at, self._report)

    async def _exchanged(self) -> Reply:
        clock, membership = asyncio.get_running_loop().time, self.membership
        n_singles, n_bulk = self._waiting()
        asked = clock()
        message = membership.message(asked, n_singles=n_singles, n_bulk=n_bulk, max_places=self._window.max_places)
        reply = await self._window.exchange(message)
        membership.note_reply(message, reply, asked=asked, now=clock())
        return reply

    def _give_up(self, reason: str) -> None:
        self.membership.is_off = True
        LOGGER.warning("%s: this session keeps a pace of its own", reason)

    def _say_away(self, error: SharedWindowError) -> None:
        if not self._has_said_away:
            self._has_said_away = True
            LOGGER.warning("%s; meanwhile %s", error, self._while_away())

    def _while_away(self) -> str:
        n = self.membership.n_members
        if self._window.waits_while_away:
            return "nothing is sent"
        return f"this session uses 1/{n} of the pace" if n > 1 else "this session keeps a pace of its own"

    def _say_waiting(self, reply: Reply) -> None:
        waits = zip(self._waiting(), (reply.single_wait, reply.bulk_wait), strict=True)
        is_long = any(n_waiting and wait >= _WORTH_A_LINE for n_waiting, wait in waits)
        if is_long and reply.n_others and not self._has_said_waiting:
            self._has_said_waiting = True
            LOGGER.info("waiting for %s", _others_in_words(reply.n_members - 1))


def _others_in_words(n_others: int) -> str:
    """The others that hold places: members, or only what ended within the last minute."""
    if not n_others:
        return "calls that others made on this token in the last minute"
    processes = "1 other process" if n_others == 1 else f"{n_others} other processes"
    return f"{processes} on this token (a killed one counts for a minute)"
