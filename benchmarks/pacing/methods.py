"""The ways to share a limit that are compared.

Libraries that only limit get the same session around them: it makes the calls, pauses after a 429 and repeats, with no
limits of its own. They are asked before each attempt, so also before a repeated one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from planhat_async import RateLimits

Acquire = Callable[[], Awaitable[object]]
"""Waits until an attempt may start."""

KEY = "planhat"
_UNLIMITED = RateLimits(per_minute=1_000_000, per_second=1_000_000, reserve=0)


@attrs.frozen
class Way:
    """How one process keeps the limits."""

    options: dict[str, Any]
    """For its session."""
    acquire: Acquire | None = None


async def own_pacers(limits: RateLimits, redis_url: str) -> Way:  # noqa: ARG001
    """Each process keeps the limits for itself."""
    return Way({"limits": limits, "shared": "none"})


async def host_window(limits: RateLimits, redis_url: str) -> Way:  # noqa: ARG001
    """The window in a file."""
    return Way({"limits": limits, "shared": "host"})


async def redis_window(limits: RateLimits, redis_url: str) -> Way:
    """The window in Redis."""
    return Way({"limits": limits, "shared": redis_url})


async def moving_window(limits: RateLimits, redis_url: str) -> Way:
    """`limits` with its exact strategy; it does not wait, but says when the first place becomes free."""
    from limits import RateLimitItemPerSecond  # noqa: PLC0415 - an extra
    from limits.aio.storage import RedisStorage  # noqa: PLC0415
    from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415

    limiter = MovingWindowRateLimiter(RedisStorage(f"async+{redis_url}", implementation="redispy"))
    items = [
        RateLimitItemPerSecond(limits.per_minute, round(limits.window)),
        RateLimitItemPerSecond(limits.per_second, 1),
    ]

    async def acquire() -> None:
        for item in items:
            while not await limiter.hit(item, KEY):
                stats = await limiter.get_window_stats(item, KEY)
                await asyncio.sleep(max(0.01, stats.reset_time - time.time()))

    return Way({"limits": _UNLIMITED}, acquire)


async def redis_bucket(limits: RateLimits, redis_url: str) -> Way:
    """PyrateLimiter with a bucket in Redis; it waits itself."""
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket  # noqa: PLC0415 - an extra
    from redis.asyncio import Redis  # noqa: PLC0415

    rates = [
        Rate(limits.per_second, Duration.SECOND),
        Rate(limits.per_minute, round(limits.window * 1000)),
    ]
    limiter = Limiter(await RedisBucket.init(rates, Redis.from_url(redis_url), KEY))

    async def acquire() -> None:
        await limiter.try_acquire_async(KEY)

    return Way({"limits": _UNLIMITED}, acquire)


METHODS: dict[str, Callable[[RateLimits, str], Awaitable[Way]]] = {
    "own pacers": own_pacers,
    "file of the host": host_window,
    "Redis": redis_window,
    "limits": moving_window,
    "PyrateLimiter": redis_bucket,
}
