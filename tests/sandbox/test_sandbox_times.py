"""Test times in Planhat's format."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_door import documented

from planhat_async.sandbox import times


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2021-07-29T00:00:00.00Z", "2021-07-29T00:00:00.000Z"),
        ("2021-07-29T00:00:00.000Z", "2021-07-29T00:00:00.000Z"),
        ("2021-07-29T02:00:00+02:00", "2021-07-29T00:00:00.000Z"),
        ("2021-07-29T00:00:00", "2021-07-29T00:00:00.000Z"),
        ("2021-07-29", "2021-07-29T00:00:00.000Z"),
        ("2021-07-29T00:00:00.123987Z", "2021-07-29T00:00:00.123Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_stored_in_utc_with_milliseconds(sent: str, stored: str) -> None:
    """Every notation of a time in ISO 8601 is stored in one format."""
    assert times.normalised(sent) == stored


@pytest.mark.parametrize(
    "sent", ["", "soon", "2021-13-45T00:00:00Z", "0001-01-01T00:00:00+05:00", "20210729", None, 12, ["2021-07-29"]]
)
def test_an_invalid_time_is_stored_unchanged(sent: object) -> None:
    """Values are not validated."""
    assert times.normalised(sent) == sent
    assert times.parsed(sent) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_a_round_trip(moment: datetime) -> None:
    """Only fractions of milliseconds are lost."""
    truncated = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert times.parsed(times.written(moment)) == truncated


def test_seconds_become_a_time() -> None:
    """Unix seconds are converted to a time in UTC."""
    assert times.written(times.at(1_657_015_336.5)) == "2022-07-05T10:02:16.500Z"


@pytest.mark.parametrize(
    ("day", "quarter", "month", "week"),
    [("2023-01-07", "Q1", "1", "W1"), ("2023-01-08", "Q1", "1", "W2"), ("2021-12-31", "Q4", "12", "W53")],
)
def test_a_week_begins_on_sunday(day: str, quarter: str, month: str, week: str) -> None:
    """The first week contains 1 January, whether it is a whole week, as in 2023, or not."""
    moment = times.parsed(day)
    assert moment is not None
    assert times.buckets(moment) == [day[:4], f"{day[:4]}-{quarter}", f"{day[:4]}-{month}", f"{day[:4]}-{week}"]


@pytest.mark.parametrize("ticket", documented("ticket-list.response"), ids=lambda ticket: str(ticket["date"]))
def test_days_and_buckets_are_those_of_the_documented_tickets(ticket: dict[str, object]) -> None:
    """The week and the day since 1970 of a date equal those of the documented tickets."""
    moment = times.parsed(ticket["date"])
    assert moment is not None
    assert (times.days(moment), times.buckets(moment)) == (ticket["days"], ticket["timeBucket"])
