"""`simulate`: nights of interrupted jobs on virtual time, searched for one that breaks a promise.

A night is decided by its seed: rows, faults of the network, of Planhat and of the disk, the instants at which commands
are killed, the writes of others. Oracles judge it by what the server has stored. A night that fails is made smaller,
and printed with the command that repeats it; then the benchmark ends with an error.
"""

from __future__ import annotations

import argparse
import os
from typing import Any


def add_command(commands: Any) -> None:
    """Add `simulate` to the command line."""
    parser = commands.add_parser(
        "simulate",
        help="nights of interrupted jobs on virtual time",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", default="0-999", metavar="A-B", help="the nights from A to B; 0-999 by default")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", action="store_true", help="stop at the first night that fails; do not shrink it")
    parser.add_argument("--trace", action="store_true", help="print what happens in each night")
    parser.add_argument("--coverage", action="store_true", help="print what was seen, and what was never seen")
    parser.add_argument("--small-worlds", action="store_true", help="every position of a fault and of a kill, complete")
    parser.add_argument(
        "--mutations",
        nargs="?",
        const="",
        metavar="PART",
        help="damage the package, and see whether the nights find it; PART of a file or description limits which",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the nights, and print the results."""
    from benchmarks.simulation import search  # noqa: PLC0415 - needs a package that other benchmarks do not

    search.run(options)
