"""How far a job has come, and how long the rest will take: decisions only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil

import attrs

from planhat_async.results import Outcome, UpsertResult

_WINDOW_SECONDS = 60.0
_FAILED = (Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)


@attrs.frozen
class _Sample:
    at: float
    n_rows: int
    waited: float = 0.0
    """Seconds of all those until then in which no call could start."""
    is_waiting: bool = False


SecondsUntil = Callable[[int], float]
"""Seconds until the `n`th call may start, those in flight counted."""


@attrs.define
class Meter:
    """Measures a job's speed over the last minute.

    Args:
        total_bytes: How large the input is, where that is known.
    """

    total_bytes: int | None = None
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
        """Note how far the job has come.

        Args:
            n_rows: Rows that are done.
            rows_read: Rows that were read, which is more.
            bytes_read: How many bytes that took.
            now: The time.
            n_chunks: How many chunks the rows that are done were in.
            is_waiting: Whether no call can start at the moment.
        """
        self._rows_read, self._bytes_read, self._n_chunks = rows_read, bytes_read, n_chunks
        waited = self._last.waited + (now - self._last.at if is_waiting and self._last.is_waiting else 0.0)
        self._samples.append(_Sample(now, n_rows, waited, is_waiting))
        while len(self._samples) > 2 and self._samples[1].at <= now - _WINDOW_SECONDS:
            self._samples.popleft()

    @property
    def rows_per_second(self) -> float:
        """Over the last minute."""
        seconds = self._last.at - self._first.at
        return (self._last.n_rows - self._first.n_rows) / seconds if seconds > 0 else 0.0

    @property
    def total_rows(self) -> int | None:
        """How many rows there are, as far as those that were read tell."""
        if not self.total_bytes or not self._bytes_read:
            return None
        return round(self._rows_read * self.total_bytes / self._bytes_read)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace of the last minute."""
        rate = self.rows_per_second
        return self._rows_left / rate if self._rows_left is not None and rate else None

    def seconds_left_at(self, seconds_until: SecondsUntil) -> float | None:
        """How long the rest takes, as the pace lets its calls start.

        That is until the last call may start, or as long as the rows take at the speed of the last minute, if that is
        longer: the speed without the seconds in which no call could start, or the time left would rise while one waits.
        """
        if self._rows_left is None or not self._n_chunks or not self._last.n_rows:
            return self.seconds_left
        until_last = seconds_until(ceil(self._rows_left * self._n_chunks / self._last.n_rows))
        busy = (self._last.at - self._last.waited) - (self._first.at - self._first.waited)
        n_rows = self._last.n_rows - self._first.n_rows
        if n_rows > 0 and busy > 0:
            return max(until_last, self._rows_left * busy / n_rows)
        return until_last or None

    @property
    def _rows_left(self) -> int | None:
        total = self.total_rows
        return None if total is None else max(0, total - self._last.n_rows)

    @property
    def _first(self) -> _Sample:
        return self._samples[0] if self._samples else _Sample(0.0, 0)

    @property
    def _last(self) -> _Sample:
        return self._samples[-1] if self._samples else _Sample(0.0, 0)


def outcomes_in_words(result: UpsertResult) -> str:
    """The outcomes of the rows so far, in brief."""
    n_failed = sum(getattr(result, outcome.value) for outcome in _FAILED)
    return f"{result.stored:,} stored, {n_failed:,} failed, {result.unknown:,} unknown"


def line(result: UpsertResult, meter: Meter, *, calls_left: int, seconds_until: SecondsUntil | None = None) -> str:
    """How far a job has come, as one plain line."""
    total = meter.total_rows
    rows = in_words(result.rows, "row") if total is None else f"{result.rows:,} of about {in_words(total, 'row')}"
    left = meter.seconds_left if seconds_until is None else meter.seconds_left_at(seconds_until)
    rest = "" if left is None else f"; about {duration(left)} left"
    return (
        f"{rows}, {meter.rows_per_second:,.0f} rows/s: {outcomes_in_words(result)}; "
        f"{in_words(calls_left, 'call')} left this minute{rest}"
    )


def in_words(number: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun; the plural defaults to the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """So many seconds as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
