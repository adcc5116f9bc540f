"""Test the progress of a job: rows done, rate, and time left."""

from __future__ import annotations

from functools import partial

import pytest

from planhat_async._http.pace import Pace, RateLimits
from planhat_async.jobs.job_progress import Meter, duration, in_words, progress_line
from planhat_async.results import UpsertResult

RESULT = UpsertResult(created=900, unreported=90, rejected=4, invalid=3, dropped=2, unknown=1)


def test_a_line_shows_the_progress_of_a_job() -> None:
    """It contains rows done, total rows, rows a second, outcomes, calls and time left."""
    meter = Meter(10_000)
    meter.record_progress(0, rows_read=0, bytes_read=0, now=0.0)
    meter.record_progress(1000, rows_read=2000, bytes_read=5000, now=10.0)
    assert progress_line(RESULT, meter, calls_left=180) == (
        "1,000 of about 4,000 rows, 100 rows/s: 990 stored, 9 failed, 1 unknown; "
        "180 calls left this minute; about 30 s left"
    )


@pytest.mark.parametrize(("n_members", "said"), [(1, ""), (2, ", shared with 1 other"), (4, ", shared with 3 others")])
def test_a_line_says_who_shares_the_calls(n_members: int, said: str) -> None:
    """With a window that nobody else is on there is nothing to say."""
    line = progress_line(UpsertResult(), Meter(), calls_left=7, n_members=n_members)
    assert line.endswith(f"; 7 calls left this minute{said}")


@pytest.mark.parametrize("meter", [Meter(), Meter(0), Meter(100)])
def test_unknown_values_are_not_shown(meter: Meter) -> None:
    """The line omits the total and the time left."""
    assert progress_line(UpsertResult(), meter, calls_left=200) == (
        "0 rows, 0 rows/s: 0 stored, 0 failed, 0 unknown; 200 calls left this minute"
    )


def test_the_rate_covers_the_last_minute() -> None:
    """Rows of an earlier run soon stop counting."""
    meter = Meter(100_000)
    meter.record_progress(0, rows_read=0, bytes_read=0, now=0.0)
    for second in range(1, 100):
        n_rows = 50_000 + 10 * second
        meter.record_progress(n_rows, rows_read=n_rows, bytes_read=n_rows, now=float(second))
    assert meter.rows_per_second == 10
    assert meter.seconds_left() == (50_000 - 990) / 10


def test_a_waiting_job_has_no_rate_after_a_while() -> None:
    """The time left is unknown then."""
    meter = Meter(10_000)
    for second in (0, 1, *range(10, 80, 10)):
        meter.record_progress(2500 * (second > 0), rows_read=5000, bytes_read=5000, now=float(second))
        if second:
            assert meter.rows_per_second == (2500 / second if second <= 60 else 0)
    assert (meter.total_rows, meter.seconds_left()) == (10_000, None)


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_are_readable(seconds: float, said: str) -> None:
    """They are rounded to useful units."""
    assert duration(seconds) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1000, "1,000 rows")])
def test_one_row_is_singular(number: int, said: str) -> None:
    """This applies wherever rows are counted."""
    assert in_words(number, "row") == said
    meter = Meter()
    meter.record_progress(number, rows_read=0, bytes_read=0, now=0.0)
    assert progress_line(UpsertResult(created=number), meter, calls_left=1).startswith(
        f"{said}, 0 rows/s: {number:,} stored"
    )


@pytest.mark.parametrize(
    ("seconds_until", "left"),
    [
        (0.0, 30.0),  # slots for all calls: as fast as in the last minute
        (45.0, 45.0),  # the last call may start in 45 seconds
        (20.0, 30.0),  # Planhat is slower than the rate limit
    ],
)
def test_the_time_left_respects_the_rate_limit(seconds_until: float, left: float) -> None:
    """It is the wait for the last call or the time the rows take, whichever is longer."""
    meter = Meter(10_000)
    meter.record_progress(0, rows_read=0, bytes_read=0, now=0.0)
    meter.record_progress(1000, rows_read=2000, bytes_read=5000, now=10.0, n_chunks=10)
    n_to_make = []

    def until(n: int) -> float:
        n_to_make.append(n)
        return seconds_until

    assert meter.seconds_left(until) == left
    assert n_to_make == [30]
    said = "about 45 s left" if left == 45 else "about 30 s left"
    assert progress_line(RESULT, meter, calls_left=0, seconds_until=until).endswith(
        f"; 0 calls left this minute; {said}"
    )


def test_the_time_left_falls_while_a_job_waits_for_the_rate_limit() -> None:
    """Without a call left this minute, it counts down to the start of the last one."""
    pace, meter = Pace(RateLimits(reserve=0)), Meter(300_000)
    meter.record_progress(0, rows_read=0, bytes_read=0, now=0.0)
    for number in range(200):
        now = number * 0.05
        pace.end_attempt(pace.start_attempt(now, is_bulk=True), now, is_answered=True)
    lefts = []
    for now in range(10, 60, 5):
        is_waiting = pace.seconds_until_bulk_call(now, 1) > 0
        meter.record_progress(200, rows_read=200, bytes_read=200_000, now=now, n_chunks=200, is_waiting=is_waiting)
        lefts.append(meter.seconds_left(partial(pace.seconds_until_bulk_call, now)))
    # The last of a hundred calls starts when the slot of the hundredth is free, 60 s after its answer at 4.95 s.
    assert lefts == pytest.approx([64.95 - now for now in range(10, 60, 5)])


def test_seconds_of_waiting_do_not_lower_the_rate() -> None:
    """A minute counts as half a minute if no call could start during half of it."""
    meter = Meter(1000)
    for now, n_rows, is_waiting in ((0.0, 0, False), (10.0, 100, True), (40.0, 100, True), (50.0, 200, False)):
        meter.record_progress(
            n_rows, rows_read=n_rows, bytes_read=n_rows, now=now, n_chunks=n_rows, is_waiting=is_waiting
        )
    assert meter.seconds_left(lambda _: 0.0) == 80.0


def test_the_time_left_depends_on_the_rate_before_the_first_chunk_ends() -> None:
    """The number of remaining calls is unknown then."""
    meter = Meter(10_000)
    meter.record_progress(0, rows_read=2000, bytes_read=5000, now=0.0)
    assert meter.seconds_left(lambda _: 10.0) is None
