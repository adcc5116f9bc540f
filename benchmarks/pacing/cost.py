"""What a shared window costs a process that is alone on it."""

from __future__ import annotations

import gc
import time

from benchmarks.pacing.methods import METHODS
from planhat_async import RateLimits
from planhat_async._http.pacer import Pacer
from planhat_async._http.window_choice import checked_choice, window_of
from planhat_async._http.wire import Token

N_CALLS = 150
ROUNDS = 9
_LIMITS = RateLimits(per_minute=1_000, per_second=1_000, reserve=0)
"""At which this many calls need not wait."""


async def cost_alone(method: str, redis_url: str) -> float:
    """Microseconds a call beyond those of a pacer without a window; the fastest of several rounds, call by call."""
    shared = [await _seconds(method, redis_url, f"cost-round-{n}") for n in range(ROUNDS)]
    own = [await _seconds("own pacers", redis_url, f"cost-round-{n}") for n in range(ROUNDS)]
    return (min(shared) - min(own)) / N_CALLS * 1e6


async def _seconds(method: str, redis_url: str, token: str) -> float:
    """Seconds for some calls on a window of their own."""
    way = await METHODS[method](_LIMITS, redis_url)
    pacer = Pacer(_LIMITS, shared=window_of(checked_choice(way.options["shared"]), "http://cost", Token(token)))
    await _call(pacer)  # opens the window
    gc.collect()
    began = time.perf_counter()
    for _ in range(N_CALLS):
        await _call(pacer)
    seconds = time.perf_counter() - began
    await pacer.leave()
    return seconds


async def _call(pacer: Pacer) -> None:
    async with pacer.slot() as slot:
        slot.mark_answered()
