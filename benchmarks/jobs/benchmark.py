"""`jobs`: upsert a large file with `planhat-async upsert`.

Every upsert and the server have a process of their own, and rounds are interleaved. Without `--format`, a CSV file with
and without a journal: the cost of the journal is the difference of the medians, in time and in CPU time. With it, files
of the same rows in these formats, beside the usual scripts: `pandas.read_*` or `polars.read_*`, and `cruds`, with calls
of the same size. CPU time is that of the whole process. A workbook is loaded whole by every subject.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.jobs import formats, journal
from benchmarks.jobs.files import FORMATS

ROWS, QUICK_ROWS = 1_000_000, 50_000
ROUNDS = 3


def add_command(commands: Any) -> None:
    """Add `jobs` to the command line."""
    parser = commands.add_parser(
        "jobs", help="upsert a large file", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--format", action="append", choices=[*FORMATS, "all"], help="may be repeated")
    parser.add_argument("--before", type=Path, help="another checkout of this repository, to compare with")
    parser.add_argument("--rows", type=int, help=f"{ROWS:,} by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="%(default)s by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} rows: to see that it works")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and show the results beside the targets."""
    n_rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    if options.format is None:
        journal.run(n_rows, options.rounds)
    else:
        chosen = FORMATS if "all" in options.format else dict.fromkeys(options.format)
        formats.run(chosen, n_rows, options.rounds, options.before)
