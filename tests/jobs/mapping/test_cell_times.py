"""Test times and days from texts, typed values and numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.mapping.cell_times import day_in, epoch_in, sendable_time_in, time_text_in
from planhat_async.jobs.mapping.notation import Notation

ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe")
UNZONED = "has no time zone: give one with --time-zone, such as --time-zone UTC"
COUNTS = "is a number: say what it counts with --type start_time=epoch-seconds, epoch-milliseconds or excel-days"


def in_zone(name: str) -> Notation:
    return Notation(zone=ZoneInfo(name))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-05-31", "2024-05-30T22:00:00.000Z"),
        ("2024-05-31 09:30", "2024-05-31T07:30:00.000Z"),
        ("2024-05-31T09:30:00.5", "2024-05-31T07:30:00.500Z"),
        (" 2024-05-31 09:30:00.123987654 ", "2024-05-31T07:30:00.123Z"),
        ("2024-12-31 09:30:00,5", "2024-12-31T08:30:00.500Z"),
        ("2024-05-31 09:30:00 UTC", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31t09:30z", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31 09:30:00+00", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31 09:30:00 -0430", "2024-05-31T14:00:00.000Z"),
        (datetime(2024, 5, 31, 9, 30), "2024-05-31T07:30:00.000Z"),  # noqa: DTZ001
        (datetime(2024, 5, 31, 9, 30, tzinfo=UTC), "2024-05-31T09:30:00.000Z"),
        (date(2024, 5, 31), "2024-05-30T22:00:00.000Z"),
    ],
)
def test_a_time_without_a_zone_gets_that_of_the_file(value: Any, text: str) -> None:
    """One with a zone keeps it; a day is its first instant."""
    assert time_text_in(value, in_zone("Europe/Berlin"), "start_time") == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2024-05-31 09:30", f"2024-05-31 09:30:00 {UNZONED}"),
        (date(2024, 5, 31), f"2024-05-31 00:00:00 {UNZONED}"),
        (time(9, 30), "09:30:00 is a time of day without a day"),
        (True, "True is not a time"),
        (timedelta(1), "1 day, 0:00:00 is not a time"),
        (1717147800, f"1717147800 {COUNTS}"),
        ("45443.5", f"'45443.5' {COUNTS}"),
        ("2024-02-30T00:00:00Z", "'2024-02-30T00:00:00Z' is not a time: day "),
        ("2024-05-31T24:00:00Z", "'2024-05-31T24:00:00Z' is not a time: hour must be in 0..23"),
        ("2024-05-31T23:59:60Z", "'2024-05-31T23:59:60Z' is not a time: second must be in 0..59"),
        ("2024-05-31T09:30:00+15:00", "'2024-05-31T09:30:00+15:00' is not a time: there is no offset +15:00"),
        ("0001-01-01T00:00:00+14:00", "'0001-01-01T00:00:00+14:00' is beyond the calendar"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(value: Any, message: str) -> None:
    """The message names the field and what to do; how it ends may be up to the version of Python."""
    with pytest.raises(ValueError, match="start_time: ") as caught:
        time_text_in(value, Notation(), "start_time")
    assert str(caught.value).startswith(f"start_time: {message}")


@pytest.mark.parametrize(
    "text",
    [
        "20240531T093000Z",
        "2024-W22-5T09:30:00Z",
        "2024-152T09:30:00Z",
        "2024-05-31_09:30:00Z",
        "2024-05-31x09:30:00Z",
        "2024-05-31🙂09:30:00Z",
        "2024-05-31  09:30:00Z",
        "2024-05-31T09Z",
        "2024-05-31Z",
        "2024-05-31T09:30:00 CET",
        "2024-05-31T09:30:00\u221202:00",
        "٢٠٢٤-05-31T09:30:00Z",
        "31.05.2024",
        "",
    ],
)
@pytest.mark.parametrize("read", [time_text_in, sendable_time_in])
def test_a_time_that_others_may_not_understand_is_refused(text: str, read: Any) -> None:
    """Only the common form of ISO 8601 is read without a form under [dates]."""
    with pytest.raises(ValueError, match=r"^x: .* is not a time such as 2024-05-31T09:30:00Z; .* under \[dates\]$"):
        read(text, in_zone("UTC"), "x")


def test_a_time_that_clocks_skip_is_refused() -> None:
    """No instant has this name; which one was meant is not known."""
    with pytest.raises(ValueError, match=r"^x: 2024-03-31 02:30:00 does not exist in Europe/Berlin, where clocks"):
        time_text_in("2024-03-31 02:30", in_zone("Europe/Berlin"), "x")


def test_a_day_without_a_midnight_begins_later() -> None:
    """In Brazil clocks were set forward at midnight."""
    assert time_text_in("2018-11-04", in_zone("America/Sao_Paulo"), "x") == "2018-11-04T03:00:00.000Z"


def test_of_a_time_that_occurs_twice_the_first_is_taken() -> None:
    """It is in summer time, and a remark says so."""
    notation = in_zone("Europe/Berlin")
    assert time_text_in("2024-10-27 02:30", notation, "x") == "2024-10-27T00:30:00.000Z"
    assert notation.remarks.repeated_times == {"x": 1}


@pytest.mark.parametrize("value", ["2024-05-31T09:30:00.000Z", "2024-05-31T09:30:00+02:00"])
def test_a_text_in_the_usual_form_is_left_to_conversion(value: str) -> None:
    """It is checked here, and rewritten once."""
    assert sendable_time_in(value, Notation(), "x") is value


def test_an_impossible_text_in_the_usual_form_is_refused() -> None:
    """Its form alone is not enough."""
    with pytest.raises(ValueError, match="x: '2024-02-30T09:30:00Z' is not a time: day "):
        sendable_time_in("2024-02-30T09:30:00Z", Notation(), "x")


def test_a_typed_time_with_a_zone_is_left_to_conversion() -> None:
    """It is the same object."""
    at = datetime(2024, 5, 31, tzinfo=timezone(timedelta(hours=2)))
    assert sendable_time_in(at, Notation(), "x") is at


@settings(derandomize=True, deadline=None)
@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), st.sampled_from(ZONES), st.sampled_from("T "))  # noqa: DTZ001
def test_a_time_is_that_of_the_zone(naive: datetime, zone: str, separator: str) -> None:
    """Text and typed value are the instant whose name in the zone is this, cut to milliseconds; or clocks skip it."""
    expected = naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    exists = expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == naive
    for value in (naive, naive.isoformat(separator)):
        if not exists and naive.time() != time.min:
            with pytest.raises(ValueError, match="does not exist"):
                time_text_in(value, in_zone(zone), "x")
        else:
            text = time_text_in(value, in_zone(zone), "x")
            assert datetime.fromisoformat(text) == expected.replace(microsecond=expected.microsecond // 1000 * 1000)
            assert time_text_in(text, in_zone(zone), "x") == text


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet="0123456789-:.,T zZ+UTC", max_size=30) | st.text(max_size=12))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """A text is never an error of another kind."""
    try:
        read = time_text_in(text, in_zone("Europe/Berlin"), "x")
    except ValueError as error:
        assert str(error).startswith("x: ")  # noqa: PT017 - either is right
    else:
        assert datetime.fromisoformat(read).tzinfo is not None


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2024-05-31", "2024-05-31"),
        (" 2024-05-31 00:00:00 ", "2024-05-31"),
        ("2024-05-31T00:00:00.000Z", "2024-05-31"),
        (date(2024, 5, 31), "2024-05-31"),
        (datetime(2024, 5, 31), "2024-05-31"),  # noqa: DTZ001
        (datetime(2024, 5, 31, tzinfo=timezone(timedelta(hours=14))), "2024-05-31"),
    ],
)
def test_a_day_is_read(value: Any, day: str) -> None:
    """Spreadsheets and data frames write days as midnights, whose zone does not change them."""
    assert day_in(value, "x") == day_in(value, "x", drops_time=True) == day


def test_a_time_of_day_is_dropped_only_on_request() -> None:
    """A day that is made of a time depends on the zone."""
    assert day_in("2024-05-31 23:30", "x", drops_time=True) == "2024-05-31"
    with pytest.raises(ValueError, match=r"^x: .* is a time, not a day: --type x=date drops its time of day"):
        day_in("2024-05-31 23:30", "x")


@pytest.mark.parametrize("value", ["31.05.2024", "20240531", 5, True, time(9), "2024-02-30", "soon"])
def test_what_is_no_day_is_refused(value: Any) -> None:
    """The message shows a day, or what is wrong with the date."""
    with pytest.raises(ValueError, match=r"^x: .* is not a (day such as 2024-05-31|time: day )"):
        day_in(value, "x")


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (1717147800, "epoch seconds", datetime(2024, 5, 31, 9, 30, tzinfo=UTC)),
        ("1717147800.5", "epoch seconds", datetime(2024, 5, 31, 9, 30, 0, 500_000, UTC)),
        (1717147800.1239, "epoch seconds", datetime(2024, 5, 31, 9, 30, 0, 123_000, UTC)),
        ("1717147800000", "epoch milliseconds", datetime(2024, 5, 31, 9, 30, tzinfo=UTC)),
        (Decimal("1717147800000.0"), "epoch milliseconds", datetime(2024, 5, 31, 9, 30, tzinfo=UTC)),
        (45443, "excel days", datetime(2024, 5, 31)),  # noqa: DTZ001
        ("45443.39583333334", "excel days", datetime(2024, 5, 31, 9, 30)),  # noqa: DTZ001
        (61, "excel days", datetime(1900, 3, 1)),  # noqa: DTZ001
        (date(2024, 5, 31), "excel days", date(2024, 5, 31)),
    ],
)
def test_a_number_is_a_time_in_its_unit(value: Any, kind: str, found: date) -> None:
    """Seconds and milliseconds count from 1970 in UTC, days of a spreadsheet from 1899 without a zone."""
    assert epoch_in(value, kind, Notation(), "x") == found


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1717147800, "epoch milliseconds"),
        (1717147800000, "epoch seconds"),
        (0, "epoch seconds"),
        (-5, "epoch milliseconds"),
        (10**30, "epoch seconds"),
        (60, "excel days"),
        (1717147800, "excel days"),
    ],
)
def test_a_number_with_the_wrong_unit_is_refused(value: int, kind: str) -> None:
    """It would be a time in 1970, or in a far future."""
    with pytest.raises(ValueError, match=rf"^x: {value} in {kind} is not between 19\d\d and 2199: does it count"):
        epoch_in(value, kind, Notation(), "x")


@settings(derandomize=True, deadline=None)
@given(st.datetimes(datetime(1971, 1, 2), datetime(2199, 12, 31)))  # noqa: DTZ001
def test_numbers_survive_a_round_trip(naive: datetime) -> None:
    """A time as milliseconds, seconds and days of a spreadsheet is read back to the millisecond."""
    cut = naive.replace(microsecond=naive.microsecond // 1000 * 1000)
    milliseconds = (cut - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001
    seconds = f"{milliseconds // 1000}.{milliseconds % 1000:03}"
    days = (cut - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
    assert epoch_in(milliseconds, "epoch milliseconds", Notation(), "x") == cut.replace(tzinfo=UTC)
    assert epoch_in(seconds, "epoch seconds", Notation(), "x") == cut.replace(tzinfo=UTC)
    assert epoch_in(days, "excel days", Notation(), "x") == cut
