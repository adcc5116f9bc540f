"""`waiting`: how long calls that wait for the rate limit block the event loop when all of them end at once.

They are cancelled, reach a deadline, or meet a 429 that they wait through or that outlasts their patience. A
task beside them reads the clock of this thread all the time: the longest interval between two readings is how long
other tasks had to wait. Bare tasks that wait for a future and are cancelled show the share of asyncio itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs

from planhat_async import PlanhatError, RateLimits, RetryPolicy, Session
from planhat_async._http.transport import Timeouts
from planhat_async._http.wire import Request, Response, Token

MAX_HOLD = 0.020
"""Seconds, at 10,000 calls."""
N_CALLS = (10_000, 40_000)
ROUNDS = 3

_REQUEST = Request(method="GET", path="/tasks", is_keyed=True)


@attrs.define
class Refusing:
    """A server in memory that answers its first call with a 429 on demand, and no other call."""

    retry_after: str = "1"
    may_answer: asyncio.Event = attrs.field(factory=asyncio.Event)
    has_call: asyncio.Event = attrs.field(factory=asyncio.Event)
    n_calls: int = 0

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:  # noqa: ARG002
        """Refuse the first call; never answer a second one."""
        self.has_call.set()
        self.n_calls += 1
        if self.n_calls > 1:
            await asyncio.get_running_loop().create_future()
        await self.may_answer.wait()
        return Response(status=429, headers={"retry-after": self.retry_after})

    async def close(self) -> None:
        """Do nothing."""


def add_command(commands: Any) -> None:
    """Add `waiting` to the command line."""
    parser = commands.add_parser(
        "waiting",
        help="calls that wait for the rate limit and end at once",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS} by default")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and print a table."""
    print(f"longest hold of the event loop in milliseconds, medians of {options.rounds} rounds\n")
    print(f"{'':38}{''.join(f'{n_calls:>10,}' for n_calls in N_CALLS)}")
    for name, measure in MEASURED.items():
        holds = [statistics.median(asyncio.run(measure(n_calls)) for _ in range(options.rounds)) for n_calls in N_CALLS]
        print(f"{name:38}{''.join(f'{hold * 1000:10.1f}' for hold in holds)}", flush=True)


async def bare_tasks_cancelled(n_calls: int) -> float:
    """Cancel tasks that wait for a future each."""
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        await loop.create_future()

    tasks = [asyncio.ensure_future(wait()) for _ in range(n_calls)]
    await asyncio.sleep(0)
    return await _hold_while(_cancelling(tasks))


async def calls_cancelled(n_calls: int) -> float:
    """Cancel calls that wait for the rate limit."""
    async with _waiting(n_calls, Refusing()) as tasks:
        return await _hold_while(_cancelling(tasks))


async def calls_timed_out(n_calls: int) -> float:
    """Let calls wait for the rate limit until their deadline."""
    async with _waiting(n_calls, Refusing(), deadline=1.0 + n_calls / 10_000) as tasks:
        return await _hold_while(asyncio.gather(*tasks))


async def calls_refused(n_calls: int) -> float:
    """Let calls wait through a 429."""
    server = Refusing()
    async with _waiting(n_calls, server):

        async def refuse() -> None:
            server.may_answer.set()
            await asyncio.sleep(0.2)

        return await _hold_while(refuse())


async def calls_given_up(n_calls: int) -> float:
    """End calls whose patience a 429 outlasts."""
    server = Refusing("3600")
    async with _waiting(n_calls, server) as tasks:
        server.may_answer.set()
        return await _hold_while(asyncio.gather(*tasks))


MEASURED: dict[str, Callable[[int], Coroutine[Any, Any, float]]] = {
    "bare tasks, cancelled": bare_tasks_cancelled,
    "calls, cancelled": calls_cancelled,
    "calls, at their deadline": calls_timed_out,
    "calls, at a 429 they wait through": calls_refused,
    "calls, at a 429 beyond their patience": calls_given_up,
}


@asynccontextmanager
async def _waiting(
    n_calls: int, server: Refusing, *, deadline: float | None = None
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Start this many calls, of which one is in flight and the rest wait for the rate limit."""
    timeouts = Timeouts(deadline=deadline)
    retry = RetryPolicy(total=100)
    limits = RateLimits(per_minute=1)
    async with Session("t", transport=server, limits=limits, retry=retry, timeouts=timeouts) as session:

        async def call() -> None:
            with suppress(PlanhatError):
                await session.send(_REQUEST)

        tasks = [asyncio.ensure_future(call()) for _ in range(n_calls)]
        await server.has_call.wait()
        yield tasks
        await _cancelling(tasks)


async def _cancelling(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hold_while(work: Awaitable[Any]) -> float:
    """Return the longest interval between two readings of the clock during the work."""
    longest, is_over = 0.0, False

    async def look() -> None:
        nonlocal longest
        last = time.thread_time()
        while not is_over:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    # A full collection of so many objects must not be measured.
    gc.collect()
    gc.freeze()
    looking = asyncio.ensure_future(look())
    await asyncio.sleep(0)
    await work
    is_over = True
    await looking
    gc.unfreeze()
    return longest
