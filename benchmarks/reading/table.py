"""Results as text: aligned tables, one line a subject."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.reading.subjects import CRUDS, FLOOR, JOINED, PYDANTIC
from benchmarks.reading.targets import LATENCIES, LATENCY
from benchmarks.results import Results, Setting, ratio
from benchmarks.subjects import Subject
from benchmarks.tables import aligned, notes, number

AGAINST = (PYDANTIC, CRUDS, JOINED, FLOOR)


def table(results: Results, subjects: Sequence[Subject], small: int, large: int) -> str:
    """Return all results and a description of each subject."""
    costs = aligned(
        (f"{small:,} rows", "CPU us/row", *(f"x {one.name}" for one in AGAINST), "stall ms", "p99.9 ms", "calls"),
        (_costs(results, subject, small) for subject in subjects),
    )
    times = aligned(
        (
            "",
            "0 ms",
            *(f"{one * 1e3:.0f} ms" for one in LATENCIES),
            f"{large:,} at {LATENCY * 1e3:.0f} ms",
            f"MB at {small:,}",
            f"MB at {large:,}",
        ),
        (_times(results, subject, small, large) for subject in subjects),
    )
    return "\n\n".join((costs, f"seconds at each latency of the server, and peak memory\n{times}", notes(subjects)))


def _costs(results: Results, subject: Subject, n_rows: int) -> tuple[str, ...]:
    reading = results.summary(subject, Setting(n_rows=n_rows))
    ticking = results.summary(subject, Setting(n_rows=n_rows, is_ticking=True))
    others = [results.summary(other, Setting(n_rows=n_rows)) for other in AGAINST]
    return (
        subject.name,
        number(reading.cpu, 2),
        *(number(ratio(reading.cpu, other.cpu), 2) for other in others),
        number(ticking.longest_stall, 1),
        number(ticking.p999_stall, 1),
        number(reading.n_calls, 0),
    )


def _times(results: Results, subject: Subject, small: int, large: int) -> tuple[str, ...]:
    at_small = [results.summary(subject, Setting(n_rows=small, latency=latency)) for latency in (0.0, *LATENCIES)]
    at_large = results.summary(subject, Setting(n_rows=large, latency=LATENCY))
    larger = results.summary(subject, Setting(n_rows=large)) if at_large.peak is None else at_large
    return (
        subject.name,
        *(number(one.wall, 2) for one in (*at_small, at_large)),
        *(number(one.peak, 0) for one in (at_small[0], larger)),
    )
