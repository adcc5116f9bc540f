"""When an attempt may start.

A token bucket of `aiolimiter` holds the minute: a tenth of it may go at once, the rest follows evenly, so that
no 60 seconds hold more than `per_minute`. (A bucket as large as the minute would let nearly twice as many
through in the first one.) A semaphore bounds what is in flight, and one pause holds everything after a 429.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from aiolimiter import AsyncLimiter

_BURST = 0.1


@attrs.frozen(kw_only=True)
class RateLimits:
    """How fast attempts may start ("Rate limits" in Planhat's documentation: 200 a minute, bursts of 50)."""

    per_minute: float = attrs.field(default=200, validator=attrs.validators.gt(0))
    """Attempts in any 60 seconds."""
    per_second: float = attrs.field(default=150, validator=attrs.validators.gt(0))
    """Attempts in any second."""
    max_in_flight: int = attrs.field(default=50, validator=attrs.validators.ge(1))
    """Attempts without an answer yet."""


class Pacer:
    """Lets attempts start at the pace of its limits; sessions on one token, in one event loop, may share one."""

    def __init__(self, limits: RateLimits | None = None) -> None:
        self.limits = limits or RateLimits()
        burst = max(1.0, min(self.limits.per_minute * _BURST, self.limits.per_second / 3))
        # What may go at once is taken off the rate, or the first minute would hold both.
        rate = min(max(self.limits.per_minute - burst, self.limits.per_minute / 2) / 60, self.limits.per_second / 2)
        self._bucket = AsyncLimiter(burst, burst / rate)
        self._places = asyncio.Semaphore(self.limits.max_in_flight)
        self._paused_until = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[float]:
        """Wait for a place in flight and for the pace; yields the seconds waited, and frees the place at the end."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._places:
            await self._bucket.acquire()
            while (left := self._paused_until - loop.time()) > 0:  # noqa: ASYNC110 - time ends a pause, no event
                await asyncio.sleep(left)
            yield loop.time() - asked

    def pause(self, seconds: float) -> None:
        """Let nothing start for so long; a longer pause that holds already stays."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)
