"""Test times and days as texts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import Note, Task, Tasks
from planhat_async._convert import row_converter, to_wire, write_time
from planhat_async._convert.timestamps import check_day, check_day_number, check_time

PLANHATS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
OFFSETS = st.integers(-15 * 60 - 59, 15 * 60 + 59)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2024-05-31T09:30:00.000Z", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31T09:30:00Z", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31T09:30Z", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31 09:30:00Z", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31t09:30:00z", "2024-05-31T09:30:00.000Z"),
        (" 2024-05-31T09:30:00Z\n", "2024-05-31T09:30:00.000Z"),
        ("\u00a02024-05-31T09:30:00.000Z", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31T09:30:00.5Z", "2024-05-31T09:30:00.500Z"),
        ("2024-05-31T09:30:00.123456789Z", "2024-05-31T09:30:00.123Z"),
        ("2024-05-31T23:59:59.99999999999999999999Z", "2024-05-31T23:59:59.999Z"),
        ("2024-05-31T11:30:00+02:00", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31T11:30:00.000+0200", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31 11:30:00+02", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31T09:30:00-00:00", "2024-05-31T09:30:00.000Z"),
        ("2024-05-31T09:30:00+15:59", "2024-05-30T17:31:00.000Z"),
        ("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00.000Z"),
        ("2024-02-29T12:00:00.000Z", "2024-02-29T12:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_text_is_sent_as_planhat_writes_it(text: str, sent: str) -> None:
    """UTC with milliseconds and `Z`, without the blanks at its ends; what is beyond milliseconds is cut off."""
    assert check_time(text) == sent
    assert to_wire(Note, {"date": text}) == {"date": sent}
    assert to_wire(Note, Note(date=text)) == {"date": sent}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yesterday",
        "2024-05-31x09:30:00Z",
        "2024-05-31_09:30:00Z",
        "2024-05-31\U0001f60009:30:00Z",
        "2024-05-31  09:30:00Z",
        "2024-05-31\u00a009:30:00Z",
        "2024-05-31\n09:30:00Z",
        "2024-W22-5T09:30:00Z",
        "2024-W22-5T09:30:00.000Z",
        "2024-152T09:30:00Z",
        "20240531T093000Z",
        "20240531T09:30:00Z",
        "2024-05-31T093000Z",
        "2024-05-31T09Z",
        "2024-05-31T09:30:00,123Z",
        "2024-05-31T09:30.5Z",
        "2024-05-31T09:30:00.Z",
        "2024-05-31T09:30:60Z",
        "2024-05-31T24:00:00Z",
        "2024-05-31T25:00:00Z",
        "2024-05-31T09:60:00Z",
        "2024-05-31T9:30:00Z",
        "2024-05-31T09:30:00+16:00",
        "2024-05-31T09:30:00+02:60",
        "2024-05-31T09:30:00+2",
        "2024-05-31T09:30:00+02:00:30",
        "2024-05-31T09:30:00\u221202:00",
        "2024-05-31T09:30:00 +02:00",
        "2024-05-31T09:30:00Z+02:00",
        "2024-05-31Z",
        "\u0662024-05-31T09:30:00Z",
        "\uff12\uff10\uff12\uff14-05-31T09:30:00.000Z",
        "10000-01-01T00:00:00Z",
        "+002024-05-31T09:30:00Z",
        "-2024-05-31T09:30:00Z",
        "24-05-31T09:30:00Z",
        "31.05.2024 09:30",
        "1717147800",
    ],
)
def test_what_only_some_readers_understand_is_refused(text: str) -> None:
    """Among them all that only Python reads, and that only some versions of it read."""
    with pytest.raises(ValueError, match=r"^date: .* is not a time such as 2024-05-31T09:30:00Z$"):
        to_wire(Note, {"date": text})


@pytest.mark.parametrize("day", ["2023-02-29", "1900-02-29", "2024-02-30", "2024-04-31", "2024-13-01", "2024-00-10"])
def test_a_day_that_the_calendar_lacks_is_refused(day: str) -> None:
    """In each spelling of the time."""
    for text in (f"{day}T09:30:00.000Z", f"{day}T09:30:00Z", f"{day} 09:30+02"):
        with pytest.raises(ValueError, match=r"^'.*' is not a time: the calendar has no such day$"):
            check_time(text)


def test_the_year_zero_is_no_year() -> None:
    """JavaScript has it, and Python has not: the time could not be read back."""
    with pytest.raises(ValueError, match="the calendar has no such day"):
        check_time("0000-05-31T09:30:00.000Z")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_beyond_the_calendar_in_utc_is_refused(text: str) -> None:
    """The year would have five digits, or be the year zero."""
    with pytest.raises(ValueError, match=r"is out of range$"):
        check_time(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("2024-05-31", "write 2024-05-31T00:00:00Z if it is UTC"),
        ("2024-05-31 09:30", "write 2024-05-31T09:30:00Z if it is UTC"),
        ("2024-05-31T09:30:00.123", "write 2024-05-31T09:30:00.123000Z if it is UTC"),
    ],
)
def test_a_text_without_a_zone_is_refused_with_advice(text: str, advice: str) -> None:
    """It could be UTC as well as local time."""
    with pytest.raises(ValueError, match=f"^'{text}' has no time zone: {advice}$"):
        check_time(text)


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 - the zone is drawn
    OFFSETS,
    st.sampled_from("Tt "),
    st.sampled_from(["", ":"]),
    st.sampled_from(["", " ", "\t"]),
)
def test_every_spelling_of_a_time_is_sent_as_the_time_is(
    naive: datetime, minutes: int, separator: str, colon: str, blank: str
) -> None:
    """Whatever its separator, its offset and the blanks around it."""
    time = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"
    spelled = f"{blank}{naive.isoformat(separator)}{offset}{blank}"
    assert check_time(spelled) == write_time(time)


@given(st.text("0123456789-:.TtZz+ W", max_size=30) | st.datetimes().map(lambda time: f"{time.isoformat()}Z"))
def test_what_is_accepted_has_planhats_spelling(text: str) -> None:
    """Any text is either refused, or sent in the one form; sending that again changes nothing."""
    try:
        sent = check_time(text)
    except ValueError:
        return
    assert PLANHATS.fullmatch(sent)
    assert check_time(sent) == sent


def test_a_row_in_planhats_own_spelling_is_not_copied() -> None:
    """Such rows need no conversion at all."""
    row = {"sourceId": "1", "startTime": "2024-05-31T09:30:00.000Z"}
    assert row_converter(Tasks.model.record).to_wire(row) is row


class Stamp(datetime):
    """A subclass that writes itself in its own way."""

    def isoformat(self, *_: Any, **__: Any) -> str:
        raise AssertionError

    def astimezone(self, *_: Any) -> Stamp:
        raise AssertionError


def test_a_subclass_of_datetime_is_sent_as_the_time_it_is() -> None:
    """Its own methods are not called, except for its zone's."""
    stamp = Stamp(2024, 5, 31, 11, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    assert to_wire(Task, {"start_time": stamp}) == {"startTime": "2024-05-31T09:30:00.123Z"}


@pytest.mark.parametrize("day", ["2024-05-31", " 2024-05-31 ", date(2024, 5, 31)])
def test_a_day_is_sent_in_one_form(day: Any) -> None:
    """Without the blanks around it."""
    assert check_day(day) == "2024-05-31"
    assert check_day_number(day) == 19874


@pytest.mark.parametrize(
    "text", ["", "20240531", "2024-W22-5", "2024-152", "2024-5-31", "2023-02-29", "0000-01-01", "2024-05-31T00:00:00Z"]
)
def test_another_form_of_a_day_is_refused(text: str) -> None:
    """Python reads some of them, and Planhat documents none."""
    with pytest.raises(ValueError, match=r"^'.*' is not a day such as 2024-05-31$"):
        check_day(text)
    with pytest.raises(ValueError, match=r"^'.*' is not a day such as 2024-05-31$"):
        check_day_number(text)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (datetime(2024, 5, 31, tzinfo=UTC), "a day, not a time: call .date()"),
        (7.5, "a day, not the number 7.5"),
        (float("nan"), "no day (NaN): leave it out"),
    ],
)
def test_what_is_no_day_is_refused(value: Any, complaint: str) -> None:
    """A time has a day only in a zone."""
    with pytest.raises((TypeError, ValueError)) as caught:
        check_day(value)
    assert str(caught.value) == complaint
