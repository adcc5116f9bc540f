"""`arrow`: read a list of tasks into columns, beside records and a data frame of their fields.

Each measurement has a process of its own, the server another; rounds are interleaved.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from benchmarks.processes import measured, serving
from benchmarks.targets import Target

ROWS, QUICK_ROWS, ROUNDS = 1_000_000, 50_000, 3
CPU_RATIO = 0.7
"""CPU time of `to_arrow`, as a ratio to that of `iter` and pandas."""
STALL = 10.0
"""Milliseconds that the event loop may be blocked."""
_WAYS = {"iter + pandas": "from_records", "to_arrow": "to_columns"}


def add_command(commands: Any) -> None:
    """Add `arrow` to the command line."""
    parser = commands.add_parser(
        "arrow",
        help="read lists into columns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, help=f"{ROWS:,} by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="%(default)s by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} rows: to see that it works")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and show the results beside the target."""
    n_rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    found: dict[str, list[Any]] = {way: [] for way in _WAYS}
    with serving("benchmarks.reading.server", str(n_rows)) as server:
        for _ in range(options.rounds):
            for way, name in _WAYS.items():
                server.reset(latency=0)
                found[way].append(measured(f"benchmarks.arrow.list_frames:{name}", server, n_rows, is_ticking=False))
        server.reset(latency=0)
        ticked = measured("benchmarks.arrow.list_frames:to_columns", server, n_rows, is_ticking=True)
    cpu = {way: statistics.median(one.cpu for one in results) for way, results in found.items()}
    for way, results in found.items():
        peak = max(one.peak_bytes for one in results) / 1e6
        print(f"{way:<16}{cpu[way] / n_rows * 1e6:7.2f} µs a row of CPU time, peak memory {peak:,.0f} MB")
    print(Target("CPU of to_arrow / iter + pandas", cpu["to_arrow"] / cpu["iter + pandas"], CPU_RATIO).line())
    print(Target("longest stall of to_arrow, ms", (ticked.longest_stall or 0) * 1e3, STALL).line())
