"""A benchmark: its subjects do the same work, each in a new process, in interleaved rounds."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from benchmarks.chart import chart
from benchmarks.processes import Server, measured
from benchmarks.results import Result, Results, Setting
from benchmarks.subjects import Subject

ROWS = (200_000, 1_000_000)
QUICK_ROWS = (50_000, 100_000)
ROUNDS = 5

Subjects: TypeAlias = Sequence[Subject]


@attrs.frozen
class Step:
    """The measurements under one setting, round after round."""

    setting: Setting
    subjects: Subjects
    n_rounds: int = 1


@attrs.frozen(kw_only=True)
class Benchmark:
    """The measurements and their presentation, for a small and a large number of rows."""

    name: str
    help: str
    description: str
    subjects: Subjects
    serving: Callable[[int], AbstractContextManager[Server]]
    """Runs a server for work on this many rows."""
    steps: Callable[[Subjects, int, int, int], Iterator[Step]]
    """Yields the steps in order, for this many rounds."""
    table: Callable[[Results, Subjects, int, int], str]
    targets: Callable[[Results, int, int], Iterable[str]]
    title: str
    """The title of the chart, with a placeholder for `n_rows`."""

    def add_command(self, commands: Any) -> None:
        """Add it to the command line."""
        parser = commands.add_parser(
            self.name,
            help=self.help,
            description=self.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--rows", type=int, nargs=2, metavar=("SMALL", "LARGE"), help="{:,} and {:,} by default".format(*ROWS)
        )
        parser.add_argument("--rounds", type=int, help=f"over the small number of rows; {ROUNDS} by default")
        quick = "one round of {:,} and {:,} rows: to see that it works".format(*QUICK_ROWS)
        parser.add_argument("--quick", action="store_true", help=quick)
        names = [one.name for one in self.subjects]
        parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help="%(choices)s")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write a line of JSON for each measurement")
        parser.add_argument("--svg", type=Path, metavar="FILE", help="write a chart")
        parser.set_defaults(run=self.run)

    def run(self, options: argparse.Namespace) -> None:
        """Measure, and show the results."""
        small, large = options.rows or (QUICK_ROWS if options.quick else ROWS)
        rounds = options.rounds or (1 if options.quick else ROUNDS)
        subjects = tuple(one for one in self.subjects if not options.only or one.name in options.only)
        for subject in subjects:
            subject.versions()  # fails now if a package is missing
        results = Results()
        for result in self._measure(self.steps(subjects, small, large, rounds)):
            results.add(result)
        if options.json:
            results.write(options.json)
        if options.svg:
            title = self.title.format(n_rows=small)
            drawn = [one for one in subjects if not one.is_alone]
            options.svg.write_text(chart(results, drawn, small, title=title), encoding="utf-8")
        machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
        print(f"{machine}; medians (rounds: {rounds}),\nof {large:,} rows, and with latency, one measurement each\n")
        print(self.table(results, subjects, small, large))
        print("\n".join(("", *self.targets(results, small, large))))

    def _measure(self, wanted: Iterator[Step]) -> Iterator[Result]:
        """Measure one step after another, with one server for each number of rows."""
        for n_rows, group in groupby(wanted, key=lambda step: step.setting.n_rows):
            with self.serving(n_rows) as server:
                for step in group:
                    for n_round in range(1, step.n_rounds + 1):
                        for subject in step.subjects:
                            yield _result(server, subject, step.setting, n_round)


def _result(server: Server, subject: Subject, setting: Setting, n_round: int) -> Result:
    print(f"{setting.n_rows:,} rows, {setting.latency * 1e3:.0f} ms, round {n_round}: {subject.name}", file=sys.stderr)
    server.reset(latency=setting.latency)
    measurement = measured(subject.function, server, setting.n_rows, is_ticking=setting.is_ticking)
    account = server.account()
    if account["n_rows"] < setting.n_rows and not subject.is_alone:
        raise SystemExit(f"{account['n_rows']:,} rows only passed between the server and {subject.name}")
    return Result(
        subject=subject,
        setting=setting,
        n_round=n_round,
        n_calls=account["n_calls"],
        server_cpu=account["cpu"],
        measured=measurement,
    )
