"""`jobs`: upsert a large CSV file with `planhat-async upsert`, with and without a journal.

Every upsert and the server have a process of their own. Rounds are interleaved; the cost of the journal is the
difference of the medians, in time and in CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

ROWS, QUICK_ROWS = 1_000_000, 50_000
ROUNDS = 3
_TEXT = "We tried a restart, cleared the cache and signed in again; since Tuesday the page stays blank. "
MAX_MEMORY, MAX_JOURNAL, MAX_COST = 250e6, 5e6, 0.05


@attrs.frozen
class Cost:
    """The cost of one upsert."""

    seconds: float
    cpu: float
    peak_bytes: int
    journal_bytes: int


def add_command(commands: Any) -> None:
    """Add `jobs` to the command line."""
    parser = commands.add_parser(
        "jobs", help="upsert a large file", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, help=f"{ROWS:,} by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="%(default)s by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} rows: to see that it works")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and show the results beside the targets."""
    n_rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    with tempfile.TemporaryDirectory() as folder, taking() as url:
        file = Path(folder) / "tickets.csv"
        write(file, n_rows)
        costs: dict[bool, list[Cost]] = {False: [], True: []}
        for number in range(options.rounds):
            for has_journal in (False, True):
                journal = Path(folder) / f"{number}.db" if has_journal else None
                costs[has_journal].append(upsert(file, url, n_rows, journal))
                print(f"round {number + 1}, journal: {has_journal}: {costs[has_journal][-1]}", file=sys.stderr)
        size = file.stat().st_size
    print(f"{n_rows:,} rows of CSV, {size / 1e6:,.0f} MB; medians of {options.rounds} rounds\n")
    print("\n".join(verdicts(costs[False], costs[True])))


def verdicts(without: list[Cost], having: list[Cost]) -> Iterator[str]:
    """Yield the measurements beside the targets."""
    for name in ("seconds", "cpu"):
        before, after = (statistics.median(getattr(one, name) for one in costs) for costs in (without, having))
        cost = after / before - 1
        yield f"{name}: {before:.2f} without, {after:.2f} with a journal: {cost:+.1%} (at most {MAX_COST:.0%})"
    memory = max(one.peak_bytes for one in having)
    yield f"memory: {memory / 1e6:,.0f} MB (at most {MAX_MEMORY / 1e6:,.0f})"
    yield f"journal: {max(one.journal_bytes for one in having) / 1e6:.2f} MB (at most {MAX_JOURNAL / 1e6:,.0f})"


def write(file: Path, n_rows: int) -> None:
    """Write this many tickets of about 500 bytes each."""
    with file.open("w", encoding="utf-8") as out:
        out.write("source_id,email,company_external_id,title,description\n")
        for number in range(n_rows):
            text = _TEXT * (1 + number * 7919 % 8)
            out.write(f'T-{number},ada.{number}@acme.example,acme,Blank page {number},"Hello,\n{text}"\n')


def upsert(file: Path, url: str, n_rows: int, journal: Path | None) -> Cost:
    """Upsert the file in a process of its own.

    Raises:
        SystemExit: Not every row was created.
    """
    command = [
        sys.executable,
        "-m",
        "planhat_async",
        "upsert",
        "tickets",
        str(file),
        "--json",
        "--per-minute",
        "100000",
    ]
    if journal is not None:
        command += ["--journal", str(journal)]
    environment = {**os.environ, "PLANHAT_BASE_URL": url, "PLANHAT_API_TOKEN": "any", "NO_PROXY": "127.0.0.1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or json.loads(out)["created"] != n_rows:
        raise SystemExit(f"the upsert failed: {out[:500]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * unit,
        journal_bytes=journal.stat().st_size if journal else 0,
    )


@contextmanager
def taking() -> Iterator[str]:
    """Run a server that accepts every row; yield its URL."""
    command = [sys.executable, "-m", "benchmarks.taking"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        # The server ends with its standard input, even if this process is killed.
        yield (process.stdout.readline() if process.stdout else "").strip()
        if process.stdin:
            process.stdin.close()
