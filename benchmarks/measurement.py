"""One subject at work, measured in a process of its own: `python -m benchmarks.measurement --help`."""

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
"""Seconds between two looks at the event loop."""

_SCHEDULED = Path("/proc/thread-self/schedstat")

Work = Callable[[str, int], Awaitable[int]]


@attrs.frozen(kw_only=True)
class Measurement:
    """What the work cost its process."""

    cpu: float
    """Seconds of user and system time; imports came before."""
    wall: float
    peak_bytes: int
    """The most memory the process had, the interpreter and its imports included."""
    longest_stall: float | None = None
    """Seconds that the event loop came late to a tick, at worst; what it waited for a CPU is not its fault."""
    p999_stall: float | None = None
    """The same, at the 99.9th percentile of all ticks; of fewer than a thousand, the longest."""


async def measure(work: Work, url: str, n_rows: int, *, is_ticking: bool) -> Measurement:
    """Do the work on `n_rows` once.

    Raises:
        ValueError: It was done on fewer or more rows.
    """
    # What was imported is looked through by every full collection, 10 to 20 ms at a time: that is nobody's doing here.
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
    """Note how late each tick comes."""
    ticking = asyncio.create_task(_tick(delays))
    await asyncio.sleep(10 * TICK)
    yield
    await asyncio.sleep(10 * TICK)  # what held the loop until now shows in the tick that follows
    ticking.cancel()


async def _tick(delays: list[float]) -> None:
    while True:
        started, waited = time.perf_counter(), _seconds_waited()
        await asyncio.sleep(TICK)
        waited = _seconds_waited() - waited
        delays.append(max(0.0, time.perf_counter() - started - TICK - waited))


def _seconds_waited() -> float:
    """How long this thread was ready to run, and others had the CPU; 0 where the system does not tell."""
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
    """Measure, and print what came out as JSON."""
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
