"""Test the types that a mapping can give to the values of a field."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from planhat_async._convert import fields_of
from planhat_async.jobs.mapping.notation import Notation
from planhat_async.jobs.mapping.value_types import READERS, check_type, type_named
from planhat_async.models import Company, Task, Ticket
from planhat_async.records import Record

BERLIN = Notation(zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("text", ["epoch seconds", "epoch-seconds", "Epoch_Seconds ", "EPOCH-SECONDS"])
def test_a_type_has_one_name_in_several_spellings(text: str) -> None:
    """A shell needs no quotes for one with hyphens."""
    assert type_named(text) == "epoch seconds"


@pytest.mark.parametrize("text", ["money", "", 5, None])
def test_an_unknown_type_is_refused(text: Any) -> None:
    """The message lists all types."""
    with pytest.raises(ValueError, match="is not one of text, number, whole number, boolean, date, time, list, json"):
        type_named(text)


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("text", 35436, "35436"),
        ("text", UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ("text", date(2024, 5, 31), "2024-05-31"),
        ("number", "1200.50", 1200.5),
        ("whole number", 35436.0, 35436),
        ("boolean", " TRUE ", True),
        ("boolean", 0, False),
        ("date", "2024-05-31 09:30", "2024-05-31"),
        ("time", date(2024, 5, 31), "2024-05-30T22:00:00.000Z"),
        ("time", "2024-05-31T09:30:00Z", "2024-05-31T09:30:00.000Z"),
        ("list", "a, b", ["a", "b"]),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("json", {"a": Decimal("0.5")}, {"a": 0.5}),
        ("excel days", "45443.5", datetime(2024, 5, 31, 12)),  # noqa: DTZ001
    ],
)
def test_a_value_is_read_by_its_type(kind: str, value: Any, found: Any) -> None:
    """It is a text, or typed already."""
    read = READERS[kind](value, BERLIN, "x")
    assert (read, type(read)) == (found, type(found))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (
            "text",
            35436.0,
            "x: 35436.0 is neither text nor a whole number; if it means one, --type x=whole-number reads it",
        ),
        ("text", 1.5, "x: 1.5 is neither text nor a whole number"),
        ("text", True, "x: True is neither text nor a whole number"),
        ("text", datetime(2024, 5, 31), "x: 2024-05-31 00:00:00 is neither text nor a whole number"),  # noqa: DTZ001
        ("boolean", "maybe", "x: 'maybe' is not true or false"),
        ("boolean", 2, "x: 2 is not true or false"),
        ("json", "{", "x: '{' is not JSON"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, value: Any, message: str) -> None:
    """The message cannot be read both ways."""
    with pytest.raises(ValueError, match="x: ") as caught:
        READERS[kind](value, BERLIN, "x")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("record", "name", "kinds"),
    [
        (Ticket, "title", "text, whole number, date, time"),
        (Ticket, "time_spent", "number, whole number"),
        (Ticket, "tags", "list, json"),
        (Task, "start_time", "date, time, epoch seconds, epoch milliseconds, excel days"),
        (Task, "is_archived", "boolean"),
        (Task, "checklist", "json"),
        (Task, "custom", "json"),
        (Company, "owner", ", ".join(READERS)),
    ],
)
def test_a_field_has_the_types_that_it_can_hold(record: type[Record], name: str, kinds: str) -> None:
    """All others would make every row invalid."""
    possible = []
    for kind in READERS:
        try:
            check_type(record, fields_of(record)[name], kind)
        except ValueError as error:
            assert f"cannot be read as {kind}, only as" in str(error)  # noqa: PT017 - either is right
        else:
            possible.append(kind)
    assert ", ".join(possible) == kinds


@pytest.mark.parametrize("kind", READERS)
def test_a_custom_field_can_have_any_type(kind: str) -> None:
    """Planhat keeps what it is sent."""
    check_type(Ticket, None, kind)
