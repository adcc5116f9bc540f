"""The targets of writing, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import Results, Setting, ratio
from benchmarks.subjects import Subject
from benchmarks.targets import Target
from benchmarks.writing.subjects import AIOHTTP, CRUDS, CRUDS_CHUNKS, DICTS, ELASTIC, FLOOR, RECORDS
from benchmarks.writing.table import LATENCY

CPU: tuple[tuple[Subject, Subject, float], ...] = (
    (DICTS, FLOOR, 1.5),
    (DICTS, AIOHTTP, 1.0),
    (DICTS, CRUDS_CHUNKS, 0.5),
    (DICTS, CRUDS, 0.5),
    (RECORDS, FLOOR, 1.9),
    (RECORDS, CRUDS, 0.75),
    (RECORDS, ELASTIC, 0.45),
)
"""The CPU time of each, as a ratio to that of another, including the cost of the rows."""
STALL = 10.0
"""Milliseconds."""
PEAK = 135.0
"""MB."""
FLATNESS = 1.2
"""Peak memory of many rows, as a ratio to that of few; measurements differ by a tenth."""


def targets(results: Results, small: int, large: int) -> Iterator[str]:
    """Yield a line for each target."""
    for target in (*_cpu(results, small), *_stalls(results, small), *_memory(results, small, large)):
        yield target.line()


def _cpu(results: Results, n_rows: int) -> Iterator[Target]:
    setting = Setting(n_rows=n_rows)
    for subject, other, most in CPU:
        ours, theirs = results.summary(subject, setting), results.summary(other, setting)
        yield Target(f"CPU of {subject.name} / {other.name}", ratio(ours.cpu, theirs.cpu), most)


def _stalls(results: Results, n_rows: int) -> Iterator[Target]:
    for subject in (DICTS, RECORDS):
        ticking = results.summary(subject, Setting(n_rows=n_rows, is_ticking=True))
        yield Target(f"longest stall of {subject.name}, ms", ticking.longest_stall, STALL)


def _memory(results: Results, small: int, large: int) -> Iterator[Target]:
    for subject in (DICTS, RECORDS):
        less, more = (results.summary(subject, Setting(n_rows=n, latency=LATENCY)) for n in (small, large))
        flatness = f"peak memory of {subject.name} at {large:,} rows / at {small:,}"
        yield Target(f"peak memory of {subject.name}, MB", more.peak, PEAK)
        yield Target(flatness, ratio(more.peak, less.peak), FLATNESS)
