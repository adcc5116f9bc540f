"""The targets of reading, and whether they are met."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.reading.readers import N_AT_A_TIME, PAGE_SIZE
from benchmarks.reading.subjects import CRUDS, FLOOR, JOINED, PYDANTIC, RAW_JSON, RECORDS
from benchmarks.results import Results, Setting, Summary, difference, ratio
from benchmarks.subjects import Subject
from benchmarks.targets import Target

RECORDS_TO_PEERS = 0.55
"""CPU time of records, as a ratio to that of models and of dicts."""
RAW_JSON_TO_FLOOR = 2.5
"""CPU time of raw JSON, as a ratio to that of undecoded bytes, joined (as for decoding) or discarded."""
STALL_ABOVE_FLOOR = 10.0
"""Milliseconds."""
PEAK = 150.0
"""MB."""
FLATNESS = 1.2
"""Peak memory of the large list, as a ratio to that of the small one; measurements differ by a tenth."""
WALL_TO_SEQUENTIAL = 0.35
"""Wall time, as a ratio to that of one page after another."""
LATENCIES = (0.05, 0.3)
"""The server's latencies in seconds, besides 0."""
LATENCY = LATENCIES[-1]
"""The latency for the large list."""


def targets(results: Results, small: int, large: int) -> Iterator[str]:
    """Yield a line for each target."""
    for target in (*_cpu(results, small), *_stalls(results, small), *_memory(results, small, large)):
        yield target.line()
    for target in (_wall(results, large), *_calls(results, small, large)):
        yield target.line()


def _cpu(results: Results, n_rows: int) -> Iterator[Target]:
    for subject, other, most in (
        (RECORDS, PYDANTIC, RECORDS_TO_PEERS),
        (RECORDS, CRUDS, RECORDS_TO_PEERS),
        (RAW_JSON, JOINED, RAW_JSON_TO_FLOOR),
        (RAW_JSON, FLOOR, RAW_JSON_TO_FLOOR),
    ):
        ours, theirs = _pair(results, subject, other, Setting(n_rows=n_rows))
        yield Target(f"CPU of {subject.name} / {other.name}", ratio(ours.cpu, theirs.cpu), most)


def _stalls(results: Results, n_rows: int) -> Iterator[Target]:
    for subject in (RECORDS, RAW_JSON):
        ours, floor = _pair(results, subject, FLOOR, Setting(n_rows=n_rows, is_ticking=True))
        yield Target(
            f"longest stall of {subject.name} beyond {FLOOR.name}, ms",
            difference(ours.longest_stall, floor.longest_stall),
            STALL_ABOVE_FLOOR,
        )


def _memory(results: Results, small: int, large: int) -> Iterator[Target]:
    for subject in (RECORDS, RAW_JSON):
        less, more = (results.summary(subject, Setting(n_rows=n, latency=LATENCY)) for n in (small, large))
        yield Target(f"peak memory of {subject.name}, MB", more.peak, PEAK)
        yield Target(
            f"peak memory of {subject.name} at {large:,} rows / at {small:,}",
            ratio(more.peak, less.peak),
            FLATNESS,
        )


def _wall(results: Results, n_rows: int) -> Target:
    ours, theirs = _pair(results, RECORDS, PYDANTIC, Setting(n_rows=n_rows, latency=LATENCY))
    return Target(
        f"wall time of {RECORDS.name} / {PYDANTIC.name}, {n_rows:,} rows at {LATENCY * 1e3:.0f} ms",
        ratio(ours.wall, theirs.wall),
        WALL_TO_SEQUENTIAL,
    )


def _calls(results: Results, small: int, large: int) -> Iterator[Target]:
    for n_rows, latency in ((small, 0.0), (large, LATENCY)):
        n_pages = math.ceil(n_rows / PAGE_SIZE)
        ours = results.summary(RECORDS, Setting(n_rows=n_rows, latency=latency))
        yield Target(f"calls for {n_pages} pages", ours.n_calls, n_pages + N_AT_A_TIME + 1)


def _pair(results: Results, subject: Subject, other: Subject, setting: Setting) -> tuple[Summary, Summary]:
    return results.summary(subject, setting), results.summary(other, setting)
