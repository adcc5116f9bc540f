"""`sync`: records a second through the API without `async`, beside the async API, in one process.

A server in another process sends existing bytes. Each method reads the whole list, in turns, over several rounds; the
medians count. The CPU time is that of this process, with both threads.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

import attrs

from benchmarks.processes import serving
from benchmarks.reading.readers import PAGE_SIZE, TOKEN
from planhat_async import Session, Tasks, sync

N_ROWS = 200_000
ROUNDS = 5
MIN_RATE = 60_000
"""Records a second of the blocking `iter`."""


@attrs.frozen
class Spent:
    """What one reading cost."""

    wall: float
    cpu: float


def add_command(commands: Any) -> None:
    """Add `sync` to the command line."""
    parser = commands.add_parser(
        "sync",
        help="records a second without async",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=N_ROWS, help=f"{N_ROWS:,} by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS} by default")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and print a table and the target."""
    spent: dict[str, list[Spent]] = {name: [] for name in MEASURED}
    with serving("benchmarks.reading.server", str(options.rows)) as server:
        for _ in range(options.rounds):
            for name, read in MEASURED.items():
                spent[name].append(_spent(read, server.url, options.rows))
    print(f"{options.rows:,} tasks, medians of {options.rounds} rounds\n")
    print(f"{'':20}{'records/s':>12}{'CPU µs/record':>16}")
    rates = {name: options.rows / statistics.median(one.wall for one in found) for name, found in spent.items()}
    for name, found in spent.items():
        cpu = statistics.median(one.cpu for one in found) / options.rows
        print(f"{name:20}{rates[name]:12,.0f}{cpu * 1e6:16.1f}")
    verdict = "met" if rates["sync iter"] >= MIN_RATE else "NOT MET"
    print(f"\n{verdict}: sync iter {rates['sync iter']:,.0f} records/s, at least {MIN_RATE:,}")


def _spent(read: Callable[[str], int], url: str, n_rows: int) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    n_read = read(url)
    spent = Spent(time.perf_counter() - wall, time.process_time() - cpu)
    if n_read != n_rows:
        raise SystemExit(f"{n_read:,} of {n_rows:,} rows were read")
    return spent


def async_iter(url: str) -> int:
    """Read records with the async API."""

    async def read() -> int:
        n_read = 0
        async with Session(TOKEN, base_url=url) as session:
            async for task in Tasks(session).iter(archived=False, page_size=PAGE_SIZE):
                n_read += bool(task.id)
        return n_read

    return asyncio.run(read())


def sync_iter(url: str) -> int:
    """Read records without `async`."""
    with sync.Session(TOKEN, base_url=url) as session:
        return sum(bool(task.id) for task in session.tasks.iter(archived=False, page_size=PAGE_SIZE))


def sync_iter_one_by_one(url: str) -> int:
    """Read records without `async`, each of which crosses between the threads by itself."""
    with sync.Session(TOKEN, base_url=url) as session:
        tasks = session.tasks.repository.iter(archived=False, page_size=PAGE_SIZE)
        return sum(bool(task.id) for task in session.iterate(tasks))


def sync_iter_json(url: str) -> int:
    """Read JSON without `async`."""
    with sync.Session(TOKEN, base_url=url) as session:
        return sum(bool(row) for row in session.tasks.iter_json(archived=False, page_size=PAGE_SIZE))


MEASURED: dict[str, Callable[[str], int]] = {
    "async iter": async_iter,
    "sync iter": sync_iter,
    "sync iter, by one": sync_iter_one_by_one,
    "sync iter_json": sync_iter_json,
}
