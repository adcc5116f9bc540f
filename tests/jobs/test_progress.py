"""Progress: how far, how fast, how long still."""

from __future__ import annotations

import pytest

from planhat_async.jobs.progress import Meter, duration, in_words, line
from planhat_async.results import UpsertResult

RESULT = UpsertResult(created=900, unreported=90, rejected=4, invalid=3, dropped=2, unknown=1)


def test_a_line_says_how_far_a_job_has_come() -> None:
    """Rows done and to be done, rows a second, what became of them, calls and time left."""
    meter = Meter(10_000)
    meter.take(0, rows_read=0, bytes_read=0, now=0.0)
    meter.take(1000, rows_read=2000, bytes_read=5000, now=10.0)
    assert line(RESULT, meter, calls_left=180) == (
        "1,000 of about 4,000 rows, 100 rows/s: 990 stored, 9 failed, 1 unknown; "
        "180 calls left this minute; about 30 s left"
    )


@pytest.mark.parametrize("meter", [Meter(), Meter(0), Meter(100)])
def test_what_is_not_known_is_not_said(meter: Meter) -> None:
    """Neither a total nor the time that is left."""
    assert line(UpsertResult(), meter, calls_left=200) == (
        "0 rows, 0 rows/s: 0 stored, 0 failed, 0 unknown; 200 calls left this minute"
    )


def test_what_an_earlier_run_has_done_is_soon_forgotten() -> None:
    """The pace is that of the last minute."""
    meter = Meter(100_000)
    meter.take(0, rows_read=0, bytes_read=0, now=0.0)
    for second in range(1, 100):
        n_rows = 50_000 + 10 * second
        meter.take(n_rows, rows_read=n_rows, bytes_read=n_rows, now=float(second))
    assert meter.rows_per_second == 10
    assert meter.seconds_left == (50_000 - 990) / 10


def test_a_job_that_waits_has_no_pace_after_a_while() -> None:
    """And nobody knows then how long it takes."""
    meter = Meter(10_000)
    for second in (0, 1, *range(10, 80, 10)):
        meter.take(2500 * (second > 0), rows_read=5000, bytes_read=5000, now=float(second))
        if second:
            assert meter.rows_per_second == (2500 / second if second <= 60 else 0)
    assert (meter.total_rows, meter.seconds_left) == (10_000, None)


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    """No finer than anybody needs."""
    assert duration(seconds) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1000, "1,000 rows")])
def test_one_row_is_no_rows(number: int, said: str) -> None:
    """Wherever rows are counted."""
    assert in_words(number, "row") == said
    meter = Meter()
    meter.take(number, rows_read=0, bytes_read=0, now=0.0)
    assert line(UpsertResult(created=number), meter, calls_left=1).startswith(f"{said}, 0 rows/s: {number:,} stored")
