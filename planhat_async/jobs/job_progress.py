"""A job's progress, and the time that the rest will take: decisions only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil

import attrs

from planhat_async.jobs.deletions import DeleteResult
from planhat_async.results import Outcome, UpsertResult

_WINDOW_SECONDS = 60.0
_FAILED = (Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)


@attrs.frozen
class _Sample:
    at: float
    n_rows: int
    waited: float = 0.0
    """The seconds until then in which no call could start."""
    is_waiting: bool = False


SecondsUntil = Callable[[int], float]
"""`(n) -> seconds`. The time until the `n`th call may start, those in flight counted."""


@attrs.define
class Meter:
    """Measures a job's speed over the last minute."""

    total_bytes: int | None = None
    """The input's size, if known."""
    _samples: deque[_Sample] = attrs.field(factory=deque)
    _rows_read: int = 0
    _bytes_read: int = 0
    _n_chunks: int = 0

    def record_progress(
        self,
        n_rows: int,
        *,
        rows_read: int,
        bytes_read: int,
        now: float,
        n_chunks: int = 0,
        is_waiting: bool = False,
    ) -> None:
        """Note that `n_rows` rows in `n_chunks` chunks have an outcome; `is_waiting` if no call can start now."""
        self._rows_read, self._bytes_read, self._n_chunks = rows_read, bytes_read, n_chunks
        _, last = self._ends()
        waited = last.waited + (now - last.at if is_waiting and last.is_waiting else 0.0)
        self._samples.append(_Sample(now, n_rows, waited, is_waiting))
        while len(self._samples) > 2 and self._samples[1].at <= now - _WINDOW_SECONDS:
            self._samples.popleft()

    @property
    def rows_per_second(self) -> float:
        """Over the last minute."""
        first, last = self._ends()
        seconds = last.at - first.at
        return (last.n_rows - first.n_rows) / seconds if seconds > 0 else 0.0

    @property
    def total_rows(self) -> int | None:
        """The input's number of rows, estimated from those that were read; `None` if its size is not known."""
        if not self.total_bytes or not self._bytes_read:
            return None
        return round(self._rows_read * self.total_bytes / self._bytes_read)

    def seconds_left(self, seconds_until: SecondsUntil | None = None) -> float | None:
        """The time that the rest takes at the speed of the last minute, in seconds; `None` if it is not known.

        With `seconds_until` it is at least the time until the last call may start, and the speed is that without the
        seconds in which no call could start: else the time left would rise while one waits.
        """
        if self.total_rows is None:
            return None
        first, last = self._ends()
        n_left, n_rows = max(0, self.total_rows - last.n_rows), last.n_rows - first.n_rows
        if seconds_until is None or not self._n_chunks or not last.n_rows:
            return n_left / self.rows_per_second if self.rows_per_second else None
        until_last = seconds_until(ceil(n_left * self._n_chunks / last.n_rows))
        busy = (last.at - last.waited) - (first.at - first.waited)
        if n_rows > 0 and busy > 0:
            return max(until_last, n_left * busy / n_rows)
        return until_last or None

    def _ends(self) -> tuple[_Sample, _Sample]:
        """The first and the last sample."""
        samples = self._samples or [_Sample(0.0, 0)]
        return samples[0], samples[-1]


def outcomes_in_words(result: UpsertResult) -> str:
    """The outcomes of the rows so far, in three numbers."""
    n_failed = sum(getattr(result, outcome.value) for outcome in _FAILED)
    return f"{result.stored:,} stored, {n_failed:,} failed, {result.unknown:,} unknown"


def progress_line(
    result: UpsertResult,
    meter: Meter,
    *,
    calls_left: int,
    seconds_until: SecondsUntil | None = None,
    n_members: int = 1,
) -> str:
    """A job's progress on one line; `n_members` sessions share the calls."""
    total = meter.total_rows
    rows = in_words(result.rows, "row") if total is None else f"{result.rows:,} of about {in_words(total, 'row')}"
    return f"{rows}, {_speed(meter, outcomes_in_words(result), calls_in_words(calls_left, n_members), seconds_until)}"


def deletion_line(
    result: DeleteResult,
    meter: Meter,
    *,
    calls_left: int,
    seconds_until: SecondsUntil | None = None,
    n_members: int = 1,
) -> str:
    """A deletion's progress on one line; `n_members` sessions share the calls."""
    rows = f"{n_processed(result):,} of {in_words(result.rows, 'row')}"
    return f"{rows}, {_speed(meter, deletions_in_words(result), calls_in_words(calls_left, n_members), seconds_until)}"


def n_processed(result: DeleteResult) -> int:
    """The rows of a deletion that have a final outcome."""
    return result.rows - result.unsent - result.unknown


def deletions_in_words(result: DeleteResult) -> str:
    """The outcomes of the rows so far, in four numbers."""
    n_failed = result.rejected + result.invalid
    return f"{result.deleted:,} deleted, {result.missing:,} missing, {n_failed:,} failed, {result.unknown:,} unknown"


def calls_in_words(calls_left: int, n_members: int) -> str:
    """The calls that are left, and who else makes some."""
    others = f", shared with {in_words(n_members - 1, 'other')}" if n_members > 1 else ""
    return f"{in_words(calls_left, 'call')} left this minute{others}"


def _speed(meter: Meter, outcomes: str, calls: str, seconds_until: SecondsUntil | None) -> str:
    left = meter.seconds_left(seconds_until)
    rest = "" if left is None else f"; about {duration(left)} left"
    return f"{meter.rows_per_second:,.0f} rows/s: {outcomes}; {calls}{rest}"


def in_words(number: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun; the plural defaults to the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A duration in words, with one unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
