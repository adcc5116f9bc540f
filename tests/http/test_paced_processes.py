"""Test real processes that share a window, against a sandbox whose minute takes six seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from paced_worker import LIMITS, TOKEN
from test_pacer import most_within

from benchmarks.redis_server import RedisServer
from planhat_async._http.host_window import HostWindow
from planhat_async._http.pacer import Pacer
from planhat_async._http.redis_window import RedisWindow
from planhat_async.sandbox import Sandbox

WORKER = Path(__file__).with_name("paced_worker.py")
pytestmark = pytest.mark.slow


@pytest.fixture(params=["host", pytest.param("redis", marks=pytest.mark.redis)])
def shared(request: pytest.FixtureRequest) -> str:
    """Return the name or the URL of a window."""
    if request.param == "host":
        return "host"
    server: RedisServer = request.getfixturevalue("lasting_redis")
    return server.url


async def started(*arguments: object, shared: str = "host", skew: float = 0.0) -> Process:
    """Start a worker."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        WORKER,
        *map(str, arguments),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        env={**os.environ, "SHARED": shared, "SKEW": str(skew)},
    )


async def ended(workers: list[Process]) -> None:
    """Wait until workers end, and check that they had nothing to say."""
    for worker in workers:
        _, said = await worker.communicate()
        assert said.decode() == ""


async def reached(planhat: Sandbox, n_calls: int) -> None:
    """Wait until so many calls have arrived."""
    while len(planhat.requests) < n_calls:  # noqa: ASYNC110 - the sandbox has no event for it
        await asyncio.sleep(0.01)


def seen_by(planhat: Sandbox) -> tuple[list[float], Counter[int]]:
    """Return the times of all arrivals, and how often each status was answered."""
    return [call.at for call in planhat.requests], Counter(call.status for call in planhat.requests)


async def test_processes_share_a_minute_although_some_are_killed_or_stopped(shared: str) -> None:
    """No six seconds hold more than 20 calls, none is refused, and those that live have equal shares of all of it.

    Redis is shared by machines whose clocks differ, which changes nothing.
    """
    skews = (0.0, 0.0) if shared == "host" else (-3.0, 3.0)
    async with Sandbox(TOKEN, per_minute=20, per_second=20, window=6.0) as planhat:
        killed, stopped = [await started(planhat.url, name, 30, shared=shared) for name in ("killed", "stopped")]
        workers = [
            await started(planhat.url, f"worker {n}", 15, shared=shared, skew=skew) for n, skew in enumerate(skews)
        ]
        await reached(planhat, 30)
        killed.send_signal(signal.SIGKILL)
        stopped.send_signal(signal.SIGSTOP)
        n_before = len(planhat.requests)
        await ended(workers)
        stopped.kill()
        await asyncio.gather(killed.communicate(), stopped.communicate())
        arrivals, statuses = seen_by(planhat)
    assert most_within(arrivals, 6.0) <= 20
    assert statuses.keys() == {200}
    later = [call for call in planhat.requests[n_before:] if call.at > arrivals[n_before] + 0.5]
    shares = Counter(call.query["companyId"] for call in later)
    assert shares.keys() == {"worker 0", "worker 1"}
    assert max(shares.values()) <= 2 * min(shares.values())
    seconds = arrivals[-1] - arrivals[0]
    assert len(arrivals) > 0.8 * 20 * seconds / 6.0


async def test_a_thousand_members_come_and_go() -> None:
    """Four processes open 250 sessions each; afterwards nobody is on the window, and its file is small."""
    async with Sandbox(TOKEN, per_minute=20, window=6.0) as planhat:
        await ended([*await asyncio.gather(*(started(planhat.url, n, 0, 250) for n in range(4)))])
        window = HostWindow(planhat.url, TOKEN)
        standing = await window.standing(6.0)
        await window.close()
    assert (standing.members, standing.n_used <= 20) == ((), True)
    (file,) = [
        entry for entry in os.scandir(f"{os.environ['XDG_RUNTIME_DIR']}/planhat-async") if entry.name in repr(window)
    ]
    assert file.stat().st_size < 10_000


@pytest.mark.redis
async def test_a_thousand_members_come_and_go_in_redis(
    lasting_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Afterwards nobody is on the window but who could not leave it, its value is small, and no connection is left."""
    window = RedisWindow(lasting_redis.url, "http://host", "token-of-a-thousand")
    with redis.Redis(port=lasting_redis.port) as client:
        n_before = client.info("clients")["connected_clients"]

        async def come_and_go() -> None:
            for _ in range(250):
                pacer = Pacer(LIMITS, shared=RedisWindow(lasting_redis.url, "http://host", "token-of-a-thousand"))
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.001), pacer.slot() as slot:
                        slot.mark_answered()
                await pacer.leave()

        await asyncio.gather(*(come_and_go() for _ in range(4)))
        standing = await window.standing(6.0)
        await window.close()
        n_unanswered = sum("it does not answer" in line for line in caplog.messages)  # on a loaded machine
        assert len(standing.members) <= n_unanswered
        assert standing.n_used <= 20 + n_unanswered
        assert client.strlen(window._key) < 10_000
        assert client.info("clients")["connected_clients"] == n_before
