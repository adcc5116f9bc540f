"""Upserts of one file in several formats, beside the usual scripts of data frames and `cruds`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks.jobs.costs import MAX_MEMORY, Cost, measured, median, taking, upsert_command
from benchmarks.jobs.files import FORMATS, Format, written
from benchmarks.tables import aligned, number
from benchmarks.targets import Target

OURS, BEFORE = "upsert", "upsert before"
LIBRARIES = ("pandas", "polars")
Upsert: TypeAlias = Callable[[Path, str, str], tuple[Cost, int]]
"""Given a file, its format and the server's URL, sends all rows; returns how many were stored."""


def run(formats: Iterable[str], n_rows: int, rounds: int, before: Path | None) -> None:
    """Measure each format, and show the results beside the targets."""
    targets: list[Target] = []
    for name in formats:
        costs, size = _costs(FORMATS[name], n_rows, rounds, before)
        print(f"\n{n_rows:,} rows of {name}, {size / 1e6:,.0f} MB; medians of {rounds} interleaved rounds\n")
        print(_table(costs, n_rows), flush=True)
        targets += _targets(FORMATS[name], costs)
    print("", *(one.line() for one in targets), sep="\n")


def _costs(format_: Format, n_rows: int, rounds: int, before: Path | None) -> tuple[Mapping[str, list[Cost]], int]:
    subjects = _subjects(before)
    costs: dict[str, list[Cost]] = {name: [] for name in subjects}
    with tempfile.TemporaryDirectory() as folder, taking() as url:
        file = Path(folder) / f"tickets.{format_.suffix}"
        written(file, format_, n_rows)
        for round_ in range(rounds):
            for name, upsert in subjects.items():
                cost, n_stored = upsert(file, format_.suffix, url)
                if n_stored != n_rows:
                    raise SystemExit(f"{name} stored {n_stored:,} rows of {n_rows:,}")
                costs[name].append(cost)
                print(f"round {round_ + 1}, {format_.suffix}, {name}: {cost}", file=sys.stderr)
        return costs, file.stat().st_size


def _subjects(before: Path | None) -> dict[str, Upsert]:
    ours: dict[str, Upsert] = {OURS: partial(_upsert, None)}
    if before is not None:
        ours[BEFORE] = partial(_upsert, before)
    return ours | {f"{name} + cruds": partial(_send_frame, name) for name in LIBRARIES}


def _upsert(checkout: Path | None, file: Path, _: str, url: str) -> tuple[Cost, int]:
    path = None if checkout is None else str(checkout.resolve())
    cost, out = measured(upsert_command(file), url, path=path)
    return cost, json.loads(out)["created"]


def _send_frame(library: str, file: Path, format_: str, url: str) -> tuple[Cost, int]:
    cost, out = measured(["-m", "benchmarks.jobs.frames", library, str(file), format_, url], url)
    return cost, int(out)


def _table(costs: Mapping[str, list[Cost]], n_rows: int) -> str:
    ours = median(costs[OURS], "cpu")
    return aligned(
        ("", "CPU us/row", f"x {OURS}", "seconds", "MB"),
        (
            (
                name,
                number(median(found, "cpu") / n_rows * 1e6, 2),
                number(median(found, "cpu") / ours, 2),
                number(median(found, "seconds"), 1),
                number(max(one.peak_bytes for one in found) / 1e6, 0),
            )
            for name, found in costs.items()
        ),
    )


def _targets(format_: Format, costs: Mapping[str, list[Cost]]) -> Iterator[Target]:
    if not format_.is_loaded_whole:
        memory = max(one.peak_bytes for one in costs[OURS]) / 1e6
        yield Target(f"{format_.suffix}: MB of memory", memory, MAX_MEMORY / 1e6)
    if BEFORE in costs:
        ratio = median(costs[OURS], "cpu") / median(costs[BEFORE], "cpu")
        yield Target(f"{format_.suffix}: CPU time, as a multiple of that before", ratio, 1.0)
