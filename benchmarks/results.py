"""Measurements and their medians."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

import attrs

from benchmarks.measurement import Measurement
from benchmarks.subjects import Subject


@attrs.frozen(kw_only=True)
class Setting:
    """The conditions of the work."""

    n_rows: int
    latency: float = 0.0
    """Seconds that the server waits before each answer."""
    is_ticking: bool = False
    """Whether stalls are measured, which takes CPU time itself."""


@attrs.frozen(kw_only=True)
class Result:
    """One measurement of one subject."""

    subject: Subject
    setting: Setting
    n_round: int
    n_calls: int
    server_cpu: float
    """Seconds of CPU time of the server's process."""
    measured: Measurement

    def line(self) -> str:
        """Return the result as a line of JSON."""
        counts = {"round": self.n_round, "n_calls": self.n_calls, "server_cpu": self.server_cpu}
        names = {"subject": self.subject.name, "versions": self.subject.versions()}
        return json.dumps({**names, **attrs.asdict(self.setting), **counts, **attrs.asdict(self.measured)})


@attrs.frozen(kw_only=True)
class Summary:
    """The medians of a subject under one setting, in the units of the table; `None` is a missing measurement."""

    cpu: float | None = None
    """Microseconds a row."""
    wall: float | None = None
    """Seconds."""
    peak: float | None = None
    """MB."""
    n_calls: float | None = None
    longest_stall: float | None = None
    """Milliseconds."""
    p999_stall: float | None = None
    """Milliseconds."""


class Results:
    """All results of a run."""

    def __init__(self) -> None:
        self._results: list[Result] = []

    def add(self, result: Result) -> None:
        """Add a result."""
        self._results.append(result)

    def summary(self, subject: Subject, setting: Setting) -> Summary:
        """Return the medians of all rounds."""
        found = [result for result in self._results if (result.subject, result.setting) == (subject, setting)]
        if not found:
            return Summary()
        measured = [result.measured for result in found]
        return Summary(
            cpu=statistics.median(one.cpu for one in measured) / setting.n_rows * 1e6,
            wall=statistics.median(one.wall for one in measured),
            peak=statistics.median(one.peak_bytes for one in measured) / 1e6,
            n_calls=statistics.median(result.n_calls for result in found),
            longest_stall=_milliseconds(one.longest_stall for one in measured),
            p999_stall=_milliseconds(one.p999_stall for one in measured),
        )

    def write(self, path: Path) -> None:
        """Write one line of JSON a result."""
        path.write_text("".join(f"{result.line()}\n" for result in self._results), encoding="utf-8")


def ratio(one: float | None, other: float | None) -> float | None:
    """Return the ratio of two measurements, or `None` if one is missing."""
    return None if one is None or other is None else one / other


def difference(one: float | None, other: float | None) -> float | None:
    """Return the difference of two measurements, or `None` if one is missing."""
    return None if one is None or other is None else one - other


def _milliseconds(seconds: Iterable[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return statistics.median(known) * 1e3 if known else None
