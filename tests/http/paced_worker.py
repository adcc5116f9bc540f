"""A process that calls a sandbox as often as it may, sharing a window; a program of its own.

`paced_worker.py URL NAME SECONDS` makes calls for so many seconds. `paced_worker.py URL NAME 0 N` opens and closes N
sessions instead, each with a question to the window. `SHARED` in the environment names the window, `SKEW` the seconds
by which the clocks of this process differ from those of others.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress

from planhat_async import RateLimits, Session
from planhat_async._http.host_window import HostWindow
from planhat_async._http.pacer import Pacer

LIMITS = RateLimits(per_minute=20, per_second=20, reserve=0, window=6.0)
TOKEN = "shared-token"


def shift_clocks(seconds: float) -> None:
    """Give this process the clocks of a machine of which both differ."""
    wall, monotonic = time.time, time.monotonic
    time.time = lambda: wall() + seconds
    time.monotonic = lambda: monotonic() + 1_000 * seconds


async def work(url: str, name: str, seconds: float) -> None:
    async with Session(TOKEN, base_url=url, limits=LIMITS, shared=os.environ["SHARED"]) as session:

        async def keep_calling() -> None:
            while True:
                await session.request("GET", "/tasks", params={"limit": 1, "companyId": name})

        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(keep_calling() for _ in range(10)))


async def come_and_go(url: str, times: int) -> None:
    for _ in range(times):
        window = HostWindow(url, TOKEN)
        pacer = Pacer(LIMITS, shared=window)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001), pacer.slot() as slot:
                slot.mark_answered()
        await pacer.leave()


if __name__ == "__main__":
    url, name, seconds, *times = sys.argv[1:]
    shift_clocks(float(os.environ.get("SKEW", "0")))
    asyncio.run(come_and_go(url, int(times[0])) if times else work(url, name, float(seconds)))
