"""Test real processes that share a window in a file, against a sandbox whose minute takes six seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from pathlib import Path

import pytest
from paced_worker import TOKEN
from test_pacer import most_within

from planhat_async._http.host_window import HostWindow
from planhat_async.sandbox import Sandbox

WORKER = Path(__file__).with_name("paced_worker.py")
pytestmark = pytest.mark.slow


async def started(*arguments: object) -> Process:
    """Start a worker."""
    return await asyncio.create_subprocess_exec(
        sys.executable, WORKER, *map(str, arguments), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
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


async def test_processes_share_a_minute_although_some_are_killed_or_stopped() -> None:
    """No six seconds hold more than 20 calls, none is refused, and those that live have equal shares of all of it."""
    async with Sandbox(TOKEN, per_minute=20, per_second=20, window=6.0) as planhat:
        killed, stopped = await started(planhat.url, "killed", 30), await started(planhat.url, "stopped", 30)
        workers = [await started(planhat.url, f"worker {n}", 15) for n in range(2)]
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
