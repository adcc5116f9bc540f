"""`reading`: whole lists, by this library and by what people use instead.

Every reading has a process of its own, and the server another. CPU time, stalls and most of the rest come from the
small list, in interleaved rounds; what takes long is read once: with latency, and the large list. Subjects that
would need minutes for that with latency read it without, for their memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import attrs

from benchmarks.chart import chart
from benchmarks.processes import Server, measured, serving
from benchmarks.results import Result, Results, Setting
from benchmarks.subjects import SUBJECTS, Subject
from benchmarks.table import table
from benchmarks.targets import targets

ROWS = (200_000, 1_000_000)
QUICK_ROWS = (50_000, 100_000)
ROUNDS = 5
LATENCIES = (0.05, 0.3)
"""Seconds, besides none."""


@attrs.frozen
class Step:
    """What is measured under one setting, round after round."""

    setting: Setting
    subjects: tuple[Subject, ...]
    n_rounds: int = 1


def add_command(commands: Any) -> None:
    """Add `reading` to the command line."""
    parser = commands.add_parser(
        "reading", help="read whole lists", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, nargs=2, metavar=("SMALL", "LARGE"), help="{:,} and {:,} by default".format(*ROWS)
    )
    parser.add_argument("--rounds", type=int, help=f"over the small list; {ROUNDS} by default")
    parser.add_argument(
        "--quick", action="store_true", help="one round of {:,} and {:,} rows: to see that it works".format(*QUICK_ROWS)
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[one.name for one in SUBJECTS], help="%(choices)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a line of JSON for each reading")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a chart")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and show what came out."""
    small, large = options.rows or (QUICK_ROWS if options.quick else ROWS)
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    subjects = tuple(one for one in SUBJECTS if not options.only or one.name in options.only)
    for subject in subjects:
        subject.versions()  # says now what is not installed
    results = Results()
    for result in measure(steps(subjects, small, large, rounds)):
        results.add(result)
    if options.json:
        results.write(options.json)
    if options.svg:
        options.svg.write_text(chart(results, subjects, small), encoding="utf-8")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; medians (rounds: {rounds}),"
    )
    print(f"one reading of {large:,} rows, and one with latency\n")
    print(table(results, subjects, small, large))
    print("\n".join(("", *targets(results, small, large))))


def steps(subjects: tuple[Subject, ...], small: int, large: int, rounds: int) -> Iterator[Step]:
    """What is measured, in order."""
    yield Step(Setting(n_rows=small), subjects, rounds)
    yield Step(Setting(n_rows=small, is_ticking=True), subjects, rounds)
    for latency in LATENCIES:
        yield Step(Setting(n_rows=small, latency=latency), subjects)
    yield Step(Setting(n_rows=large, latency=LATENCIES[-1]), tuple(one for one in subjects if not one.is_slow))
    yield Step(Setting(n_rows=large), tuple(one for one in subjects if one.is_slow))


def measure(wanted: Iterator[Step]) -> Iterator[Result]:
    """Measure one step after another, with one server for each list."""
    for n_rows, group in groupby(wanted, key=lambda step: step.setting.n_rows):
        with serving(n_rows) as server:
            for step in group:
                for n_round in range(1, step.n_rounds + 1):
                    for subject in step.subjects:
                        yield _result(server, subject, step.setting, n_round)


def _result(server: Server, subject: Subject, setting: Setting, n_round: int) -> Result:
    print(f"{setting.n_rows:,} rows, {setting.latency * 1e3:.0f} ms, round {n_round}: {subject.name}", file=sys.stderr)
    server.reset(latency=setting.latency)
    measurement = measured(subject.module, server, setting.n_rows, is_ticking=setting.is_ticking)
    account = server.account()
    if account["n_rows"] < setting.n_rows:
        raise SystemExit(f"{subject.name} was sent {account['n_rows']:,} rows only")
    return Result(
        subject=subject,
        setting=setting,
        n_round=n_round,
        n_calls=account["n_calls"],
        server_cpu=account["cpu"],
        measured=measurement,
    )
