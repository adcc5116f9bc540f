"""The cost of writing as text, one line a subject."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Results, Setting, difference, ratio
from benchmarks.subjects import Subject
from benchmarks.tables import aligned, notes, number
from benchmarks.writing.subjects import (
    ANY_SHAPE,
    ANY_SHAPE_ALONE,
    CRUDS,
    CRUDS_CHUNKS,
    DICTS_ALONE,
    ELASTIC,
    FLOOR,
    RECORDS,
    RECORDS_ALONE,
)

AGAINST = (FLOOR, CRUDS, CRUDS_CHUNKS, ELASTIC)
ROWS_ALONE = {RECORDS.name: RECORDS_ALONE, ANY_SHAPE.name: ANY_SHAPE_ALONE}
"""The generator of a subject's rows, if it is another than that of the dicts."""
LATENCY = 0.3
"""Seconds."""


def table(results: Results, subjects: Sequence[Subject], small: int, large: int) -> str:
    """Return all results and a description of each subject."""
    against = (f"x {one.name}" for one in AGAINST)
    costs = aligned(
        (f"{small:,} rows", "CPU us/row", "less the rows'", *against, "stall ms", "p99.9 ms", "calls"),
        (_costs(results, subject, small) for subject in subjects),
    )
    times = aligned(
        ("", "0 ms", "300 ms", f"{large:,} at 300 ms", "CPU us/row", f"MB at {small:,}", f"MB at {large:,}"),
        (_times(results, subject, small, large) for subject in subjects),
    )
    return "\n\n".join((costs, f"seconds at each latency of the server, and peak memory\n{times}", notes(subjects)))


def _costs(results: Results, subject: Subject, n_rows: int) -> tuple[str, ...]:
    writing = results.summary(subject, Setting(n_rows=n_rows))
    ticking = results.summary(subject, Setting(n_rows=n_rows, is_ticking=True))
    rows = results.summary(ROWS_ALONE.get(subject.name, DICTS_ALONE), Setting(n_rows=n_rows))
    others = [results.summary(other, Setting(n_rows=n_rows)) for other in AGAINST]
    return (
        subject.name,
        number(writing.cpu, 2),
        number(None if subject.is_alone else difference(writing.cpu, rows.cpu), 2),
        *(number(ratio(writing.cpu, other.cpu), 2) for other in others),
        number(ticking.longest_stall, 1),
        number(ticking.p999_stall, 1),
        number(writing.n_calls, 0),
    )


def _times(results: Results, subject: Subject, small: int, large: int) -> tuple[str, ...]:
    at_once = results.summary(subject, Setting(n_rows=small))
    later = [results.summary(subject, Setting(n_rows=n_rows, latency=LATENCY)) for n_rows in (small, large)]
    at_large = results.summary(subject, Setting(n_rows=large)) if subject.is_slow else later[1]
    return (
        subject.name,
        *(number(one.wall, 2) for one in (at_once, *later)),
        number(at_large.cpu, 2),
        *(number(one.peak, 0) for one in (later[0], at_large)),
    )
