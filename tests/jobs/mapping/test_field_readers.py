"""Test how the values of each field are read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from planhat_async.jobs.mapping.field_readers import FieldReaders
from planhat_async.jobs.mapping.notation import Notation
from planhat_async.jobs.mapping.time_format import TimeFormat
from planhat_async.models import Invoice, Task, Timesheet
from planhat_async.records import Record

BERLIN = Notation(zone=ZoneInfo("Europe/Berlin"))


def read(record: type[Record], name: str, value: Any, *, form: str | None = None, **options: Any) -> Any:
    dates = {} if form is None else {name: TimeFormat(form)}
    return FieldReaders(record=record, dates=dates, **options).reader(name).read(value)


@pytest.mark.parametrize(
    ("record", "name", "value", "options", "found"),
    [
        (Task, "start_time", "31.05.2024", {"form": "%d.%m.%Y"}, "2024-05-30T22:00:00.000Z"),
        (Task, "start_time", datetime(2024, 5, 31, 2), {"form": "%d.%m.%Y"}, "2024-05-31T00:00:00.000Z"),  # noqa: DTZ001
        (Task, "custom.due", "31.05.2024", {"form": "%d.%m.%Y"}, "2024-05-30T22:00:00.000Z"),
        (Task, "custom.due", "31.05.2024", {"form": "%d.%m.%Y", "types": {"custom.due": "date"}}, "2024-05-31"),
        (Invoice, "due_date", "31.05.2024 23:30", {"form": "%d.%m.%Y %H:%M"}, "2024-05-31"),
        (Invoice, "due_date", 45443, {"types": {"due_date": "excel days"}}, "2024-05-31"),
        (Invoice, "due_date", 1717113600000, {"types": {"due_date": "epoch milliseconds"}}, "2024-05-31"),
        (Invoice, "due_date", "2024-05-31 23:30", {"types": {"due_date": "date"}}, "2024-05-31"),
        (Task, "start_time", 45443.5, {"types": {"start_time": "excel days"}}, "2024-05-31T10:00:00.000Z"),
        (Task, "start_time", "2024-05-31 23:30", {"types": {"start_time": "date"}}, "2024-05-30T22:00:00.000Z"),
        (Task, "action", 35436.0, {"types": {"action": "whole number"}}, "35436"),
        (Task, "custom.at", "1717147800", {"types": {"custom.at": "epoch seconds"}}, "2024-05-31T09:30:00.000Z"),
    ],
)
def test_a_value_is_read_by_its_form_or_type_and_then_by_its_field(
    record: type[Record], name: str, value: Any, options: dict[str, Any], found: Any
) -> None:
    """Days need no zone, and keep none; times get that of the file."""
    assert read(record, name, value, notation=BERLIN, **options) == found


def test_a_form_of_a_day_needs_no_zone() -> None:
    """A day is the same in all."""
    assert read(Invoice, "due_date", "31.05.2024", form="%d.%m.%Y") == "2024-05-31"


def test_a_time_that_is_no_midnight_is_no_day() -> None:
    """In another zone it would be another day."""
    with pytest.raises(ValueError, match=r"^due_date: 2024-05-31 09:30:00\+00:00 is a time, not a day"):
        read(Invoice, "due_date", 1717147800, types={"due_date": "epoch seconds"})


@pytest.mark.parametrize(("value", "sent"), [("19874", 19874), (19874, 19874), (date(2024, 5, 31), "2024-05-31")])
def test_a_day_number_of_an_export_is_read(value: Any, sent: Any) -> None:
    """Timesheets have days as numbers since 1970, and are sent either form."""
    assert read(Timesheet, "date_from", value) == sent


def test_values_of_unknown_fields_are_left() -> None:
    """Conversion refuses their names."""
    value = object()
    assert read(Task, "nope", value) is value
