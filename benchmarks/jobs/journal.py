"""Upserts of a CSV file with and without a journal."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from benchmarks.jobs.costs import MAX_MEMORY, Cost, measured, median, taking, upsert_command
from benchmarks.jobs.files import write_csv

MAX_JOURNAL, MAX_COST = 5e6, 0.05


def run(n_rows: int, rounds: int) -> None:
    """Measure, and show the results beside the targets."""
    with tempfile.TemporaryDirectory() as folder, taking() as url:
        file = Path(folder) / "tickets.csv"
        write_csv(file, n_rows)
        costs: dict[bool, list[Cost]] = {False: [], True: []}
        for number in range(rounds):
            for has_journal in (False, True):
                journal = Path(folder) / f"{number}.db" if has_journal else None
                costs[has_journal].append(upsert(file, url, n_rows, journal))
                print(f"round {number + 1}, journal: {has_journal}: {costs[has_journal][-1]}", file=sys.stderr)
        size = file.stat().st_size
    print(f"{n_rows:,} rows of CSV, {size / 1e6:,.0f} MB; medians of {rounds} rounds\n")
    print("\n".join(verdicts(costs[False], costs[True])))


def verdicts(without: list[Cost], having: list[Cost]) -> Iterator[str]:
    """Yield the measurements beside the targets."""
    for name in ("seconds", "cpu"):
        before, after = (median(costs, name) for costs in (without, having))
        cost = after / before - 1
        yield f"{name}: {before:.2f} without, {after:.2f} with a journal: {cost:+.1%} (at most {MAX_COST:.0%})"
    memory = max(one.peak_bytes for one in having)
    yield f"memory: {memory / 1e6:,.0f} MB (at most {MAX_MEMORY / 1e6:,.0f})"
    yield f"journal: {max(one.journal_bytes for one in having) / 1e6:.2f} MB (at most {MAX_JOURNAL / 1e6:,.0f})"


def upsert(file: Path, url: str, n_rows: int, journal: Path | None) -> Cost:
    """Upsert the file in a process of its own.

    Raises:
        SystemExit: Not every row was created.
    """
    cost, out = measured(upsert_command(file, *([] if journal is None else ["--journal", str(journal)])), url)
    if json.loads(out)["created"] != n_rows:
        raise SystemExit(f"the upsert failed: {out[:500]}")
    return attrs.evolve(cost, journal_bytes=journal.stat().st_size if journal else 0)
