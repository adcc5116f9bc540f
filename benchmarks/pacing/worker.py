"""A process that makes as many calls as it may: `python -m benchmarks.pacing.worker`, with its job as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from contextlib import suppress

import attrs

from benchmarks.pacing.methods import METHODS, Acquire
from planhat_async import PlanhatError, RateLimits, RetryPolicy, Session
from planhat_async._http.transport import AiohttpTransport, Timeouts, Transport
from planhat_async._http.wire import Request, Response, Token

N_TASKS = 20
_PATIENCE = RetryPolicy(total=30.0)
"""A call fails if it is refused for longer; its task waits as long before the next call."""


@attrs.frozen(kw_only=True)
class Job:
    """What a worker does."""

    method: str
    url: str
    redis_url: str
    token: str
    name: str
    seconds: float
    late: float
    """A request arrives up to so many seconds after its start."""
    per_minute: int
    per_second: int
    window: float


@attrs.define
class LateTransport:
    """Waits for a limiter, if there is one, and then a random while before each attempt: the way to the server."""

    inner: Transport
    acquire: Acquire | None
    late: float

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt."""
        if self.acquire is not None:
            await self.acquire()
        await asyncio.sleep(random.random() * self.late)
        return await self.inner.send(request, token=token, timeouts=timeouts)

    async def close(self) -> None:
        """Close all connections."""
        await self.inner.close()


async def work(job: Job) -> int:
    """Make calls until the time is over; returns how many failed."""
    n_failed = 0
    limits = RateLimits(per_minute=job.per_minute, per_second=job.per_second, window=job.window, reserve=0)
    way = await METHODS[job.method](limits, job.redis_url)
    transport = LateTransport(AiohttpTransport(job.url, max_connections=50), way.acquire, job.late)
    async with Session(job.token, base_url=job.url, transport=transport, retry=_PATIENCE, **way.options) as session:

        async def keep_calling() -> None:
            nonlocal n_failed
            while True:
                try:
                    await session.request("GET", "/tasks", params={"limit": 1, "companyId": job.name})
                except PlanhatError:
                    n_failed += 1
                    await asyncio.sleep(_PATIENCE.total)

        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        with suppress(TimeoutError):
            async with asyncio.timeout(job.seconds):
                await asyncio.gather(*(keep_calling() for _ in range(N_TASKS)))
    return n_failed


if __name__ == "__main__":
    logging.getLogger("planhat_async").setLevel(logging.ERROR)
    print(asyncio.run(work(Job(**json.loads(sys.argv[1])))), flush=True)
