"""One subject at work, measured in its own process: `python -m benchmarks.measurement --help`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import math
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

TICK = 0.001
"""Seconds between two ticks of the event loop."""

_SCHEDULED = Path("/proc/thread-self/schedstat")

Work = Callable[[str, int], Awaitable[int]]


@attrs.frozen(kw_only=True)
class Measurement:
    """The cost of the work for its process."""

    cpu: float
    """Seconds of user and system time, without imports."""
    wall: float
    peak_bytes: int
    """The maximum memory of the process, including the interpreter and its imports."""
    longest_stall: float | None = None
    """Seconds of the longest delay of a tick, without the time spent waiting for a CPU."""
    p999_stall: float | None = None
    """The delay at the 99.9th percentile of all ticks; the longest if there are fewer than a thousand."""


async def measure(work: Work, url: str, n_rows: int, *, is_ticking: bool) -> Measurement:
    """Do the work on `n_rows` once.

    Raises:
        ValueError: The number of rows was another.
    """
    # A full collection scans all imported objects, for 10 to 20 ms; no subject is responsible for that.
    gc.collect()
    gc.freeze()
    delays: list[float] = []
    async with _ticking(delays) if is_ticking else _silence():
        cpu, started = _cpu(), time.perf_counter()
        n_done = await work(url, n_rows)
        wall, cpu = time.perf_counter() - started, _cpu() - cpu
    if n_done != n_rows:
        raise ValueError(f"did {n_done:,} rows of {n_rows:,}")
    delays.sort()
    return Measurement(
        cpu=cpu,
        wall=wall,
        peak_bytes=_peak_bytes(),
        longest_stall=delays[-1] if delays else None,
        p999_stall=delays[math.ceil(0.999 * len(delays)) - 1] if delays else None,
    )


@asynccontextmanager
async def _ticking(delays: list[float]) -> AsyncIterator[None]:
    """Record the delay of each tick."""
    ticking = asyncio.create_task(_tick(delays))
    await asyncio.sleep(10 * TICK)
    yield
    await asyncio.sleep(10 * TICK)  # a delay of the loop until now shows in the next tick
    ticking.cancel()


async def _tick(delays: list[float]) -> None:
    while True:
        started, waited = time.perf_counter(), _seconds_waited()
        await asyncio.sleep(TICK)
        waited = _seconds_waited() - waited
        delays.append(max(0.0, time.perf_counter() - started - TICK - waited))


def _seconds_waited() -> float:
    """Return how long this thread was runnable without a CPU; 0 if the system does not report it."""
    try:
        return int(_SCHEDULED.read_bytes().split()[1]) / 1e9
    except OSError:
        return 0.0


@asynccontextmanager
async def _silence() -> AsyncIterator[None]:
    yield


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function", help="MODULE:NAME")
    parser.add_argument("url")
    parser.add_argument("n_rows", type=int)
    parser.add_argument("--ticking", action="store_true")
    options = parser.parse_args()
    module, name = options.function.split(":")
    work: Work = getattr(importlib.import_module(module), name)
    measured = asyncio.run(measure(work, options.url, options.n_rows, is_ticking=options.ticking))
    print(json.dumps(attrs.asdict(measured)))


if __name__ == "__main__":
    main()
