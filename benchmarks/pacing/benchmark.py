"""`pace`: four processes call as often as they may on one token, at Planhat's limits, each way to share them in turn.

The sandbox logs when each call arrives: up to 0.3 seconds after its start. Redis is started for it. It takes 185
seconds for each way; `--quick` has 20 calls in 6 seconds for 30 seconds instead. The cost of one process alone is the
time of a call that the pace does not delay, without the call itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks.pacing.cost import cost_alone
from benchmarks.pacing.methods import METHODS
from benchmarks.pacing.outcome import Outcome, chart, table
from benchmarks.pacing.worker import Job
from benchmarks.redis_server import RedisServer
from planhat_async.sandbox import Sandbox

N_PROCESSES = 4
LATE = 0.3


@attrs.frozen(kw_only=True)
class Scale:
    """How long, and at which limits."""

    seconds: float
    per_minute: int
    per_second: int
    window: float


REAL = Scale(seconds=185.0, per_minute=200, per_second=150, window=60.0)
QUICK = Scale(seconds=30.0, per_minute=20, per_second=15, window=6.0)


def add_command(commands: Any) -> None:
    """Add `pace` to the command line."""
    parser = commands.add_parser(
        "pace",
        help="four processes that share the limits of a token",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="20 calls in 6 seconds, for 30 seconds each")
    parser.add_argument("--only", action="append", choices=METHODS, help="one way to share; may be repeated")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the chart there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and print a table."""
    asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    scale = QUICK if options.quick else REAL
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis:
        os.environ["XDG_RUNTIME_DIR"] = folder  # so that nothing else on this machine shares the file
        for method in options.only or METHODS:
            outcomes.append(await measured(method, scale, redis.url))
            print(table(outcomes[-1:], scale.window, scale.per_minute, has_head=len(outcomes) == 1), flush=True)
        for name in ("file of the host", "Redis"):
            print(f"{name}, one process alone: {await cost_alone(name, redis.url):,.0f} µs a call", flush=True)
    if options.svg:
        options.svg.write_text(chart(outcomes, scale.window, scale.per_minute), encoding="utf-8")


async def measured(method: str, scale: Scale, redis_url: str) -> Outcome:
    """Let processes share the limits in one way; returns what the sandbox saw."""
    token = f"token-of-{method.replace(' ', '-')}"
    async with Sandbox(token, per_minute=scale.per_minute, per_second=scale.per_second, window=scale.window) as planhat:
        job = Job(
            method=method, url=planhat.url, redis_url=redis_url, token=token, late=LATE, name="", **attrs.asdict(scale)
        )
        jobs = [attrs.evolve(job, name=f"worker {n}") for n in range(N_PROCESSES)]
        n_failed = await _work(jobs)
        calls = [(call.at, call.status, call.query["companyId"]) for call in planhat.requests]
    return Outcome.of(method, calls, [job.name for job in jobs], n_failed, scale.window, scale.seconds)


async def _work(jobs: Sequence[Job]) -> int:
    """Let processes start together, and end; returns how many calls failed in all of them."""
    processes = [await _started(job) for job in jobs]
    for process in processes:
        if process.stdout is None or await process.stdout.readline() != b"ready\n":
            raise SystemExit("a worker failed")
    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return sum(int(out.split()[-1]) for out, _ in ended)


async def _started(job: Job) -> Process:
    """Start a worker, which waits for a line."""
    command = (sys.executable, "-m", "benchmarks.pacing.worker", json.dumps(attrs.asdict(job)))
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
