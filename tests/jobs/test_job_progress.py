"""Progress: how far, how fast, how long still."""

from __future__ import annotations

from functools import partial

import pytest

from planhat_async._http.pace import Pace, RateLimits
from planhat_async.jobs.job_progress import Meter, duration, in_words, progress_line
from planhat_async.results import UpsertResult

RESULT = UpsertResult(created=900, unreported=90, rejected=4, invalid=3, dropped=2, unknown=1)


def test_a_line_says_how_far_a_job_has_come() -> None:
    """Rows done and to be done, rows a second, their outcomes, calls and time left."""
    meter = Meter(10_000)
    meter.record_progress(0, rows_read=0, bytes_read=0, now=0.0)
    meter.record_progress(1000, rows_read=2000, bytes_read=5000, now=10.0)
    assert progress_line(RESULT, meter, calls_left=180) == (
        "1,000 of about 4,000 rows, 100 rows/s: 990 stored, 9 failed, 1 unknown; "
        "180 calls left this minute; about 30 s left"
    )


@pytest.mark.parametrize("meter", [Meter(), Meter(0), Meter(100)])
def test_what_is_not_known_is_not_said(meter: Meter) -> None:
    """Neither a total nor the time that is left."""
    assert progress_line(UpsertResult(), meter, calls_left=200) == (
        "0 rows, 0 rows/s: 0 stored, 0 failed, 0 unknown; 200 calls left this minute"
    )


def test_what_an_earlier_run_has_done_is_soon_forgotten() -> None:
    """The pace is that of the last minute."""
    meter = Meter(100_000)
    meter.record_progress(0, rows_read=0, bytes_read=0, now=0.0)
    for second in range(1, 100):
        n_rows = 50_000 + 10 * second
        meter.record_progress(n_rows, rows_read=n_rows, bytes_read=n_rows, now=float(second))
    assert meter.rows_per_second == 10
    assert meter.seconds_left() == (50_000 - 990) / 10


def test_a_job_that_waits_has_no_pace_after_a_while() -> None:
    """The time left is unknown then."""
    meter = Meter(10_000)
    for second in (0, 1, *range(10, 80, 10)):
        meter.record_progress(2500 * (second > 0), rows_read=5000, bytes_read=5000, now=float(second))
        if second:
            assert meter.rows_per_second == (2500 / second if second <= 60 else 0)
    assert (meter.total_rows, meter.seconds_left()) == (10_000, None)


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    """No finer than anybody needs."""
    assert duration(seconds) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1000, "1,000 rows")])
def test_one_row_is_no_rows(number: int, said: str) -> None:
    """Wherever rows are counted."""
    assert in_words(number, "row") == said
    meter = Meter()
    meter.record_progress(number, rows_read=0, bytes_read=0, now=0.0)
    assert progress_line(UpsertResult(created=number), meter, calls_left=1).startswith(
        f"{said}, 0 rows/s: {number:,} stored"
    )


@pytest.mark.parametrize(
    ("seconds_until", "left"),
    [
        (0.0, 30.0),  # there are places for all: as fast as in the last minute
        (45.0, 45.0),  # the last call may start in 45 seconds
        (20.0, 30.0),  # Planhat is slower than the pace
    ],
)
def test_the_time_left_reckons_with_the_pace(seconds_until: float, left: float) -> None:
    """Until the last call may start, or as long as the rows take: whichever is longer."""
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


def test_the_time_left_falls_while_a_job_waits_for_the_pace() -> None:
    """Without a call left this minute it counts down to the start of the last one."""
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
    # The last of a hundred calls starts when the place of the hundredth is free, 60 s after its answer at 4.95 s.
    assert lefts == pytest.approx([64.95 - now for now in range(10, 60, 5)])


def test_seconds_of_waiting_make_a_job_no_slower() -> None:
    """A minute half of which no call could start counts as half a minute."""
    meter = Meter(1000)
    for now, n_rows, is_waiting in ((0.0, 0, False), (10.0, 100, True), (40.0, 100, True), (50.0, 200, False)):
        meter.record_progress(
            n_rows, rows_read=n_rows, bytes_read=n_rows, now=now, n_chunks=n_rows, is_waiting=is_waiting
        )
    assert meter.seconds_left(lambda _: 0.0) == 80.0


def test_without_a_chunk_that_ended_only_the_speed_tells_the_time_left() -> None:
    """It is not known then how many calls are to come."""
    meter = Meter(10_000)
    meter.record_progress(0, rows_read=2000, bytes_read=5000, now=0.0)
    assert meter.seconds_left(lambda _: 10.0) is None
