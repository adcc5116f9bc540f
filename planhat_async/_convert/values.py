"""Conversion of single values from and to JSON.

Reading is lenient, so that an unusual value does not lose the record. Writing is strict, because Planhat silently
stores or drops values that it does not understand.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

_EPOCH = date(1970, 1, 1)
_DAY_LENGTH = len("YYYY-MM-DD")


def read_time(value: Any) -> datetime:
    """An aware time from JSON; without a zone it is UTC, as Planhat's times are."""
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def write_time(time: datetime) -> str:
    """A time as Planhat writes it: UTC, milliseconds, `Z`.

    Raises:
        ValueError: The time has no zone, or is out of range.
    """
    if time.utcoffset() is None:
        raise ValueError(f"{time} has no time zone")
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{time} is out of range") from None
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_time(value: Any) -> str:
    """A time with a zone as text, which may be given as such."""
    if isinstance(value, datetime):
        return write_time(value)
    if not isinstance(value, str):
        hint = ": write a datetime with a time zone" if isinstance(value, date) else ""
        raise TypeError(f"a time, not {kind_of(value)}{hint}")
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a time such as 2024-05-31T09:30:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: write {time.isoformat()}Z if it is UTC")
    return value


def read_day(value: Any) -> date:
    """A day from a JSON text that begins with `YYYY-MM-DD`; a time's zone does not change it."""
    return date.fromisoformat(value) if len(value) <= _DAY_LENGTH else read_time(value).date()


def check_day(value: Any) -> str:
    """A day as `YYYY-MM-DD`, which may be given as such."""
    if isinstance(value, datetime):
        raise TypeError("a day, not a time: call .date()")
    if not isinstance(value, date | str):
        raise TypeError(f"a day, not {kind_of(value)}")
    try:
        return (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()
    except ValueError:
        raise ValueError(f"{value!r} is not a day such as 2024-05-31") from None


def read_day_number(value: Any) -> date:
    """A day from a JSON number of days since 1970-01-01."""
    if type(value) is not int:
        raise TypeError(f"a whole number of days, not {kind_of(value)}")
    try:
        return _EPOCH + timedelta(days=value)
    except OverflowError:
        raise ValueError(f"{value} days after 1970-01-01 are beyond the calendar") from None


def check_day_number(value: Any) -> int:
    """A day as the number of days since 1970-01-01, which may be given as such."""
    day = read_day_number(value) if type(value) is int else date.fromisoformat(check_day(value))
    return (day - _EPOCH).days


def check_scalar(*allowed: type, called: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{called}, not {value}")
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise TypeError(f"{called}, not {kind_of(value)}")
        return value

    return check


SCALAR_CHECKS: dict[Any, Callable[[Any], Any]] = {
    str: check_scalar(str, called="text"),
    bool: check_scalar(bool, called="true or false"),
    int: check_scalar(int, called="a whole number"),
    float: check_scalar(int, float, called="a number"),
    datetime: check_time,
    date: check_day,
}


def check_key(value: Any) -> str:
    """An id of another system: text, or a whole number, which Planhat returns as text."""
    check: Callable[[Any], Any] = SCALAR_CHECKS[str]
    return str(value) if type(value) is int else check(value)


def check_reference(value: Any) -> Any:
    """An `_id` as the object that Planhat takes; other values unchanged."""
    return {"_id": value} if isinstance(value, str) else value


def check_list(check_item: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise TypeError(f"a list, not {kind_of(value)}")
        return [check_item(item) for item in value]

    return check


def kind_of(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def type_in_words(hint: Any) -> str:
    """A field's type in words, for tables."""
    return _WORDS.get(hint) or ("object" if typing.get_origin(hint) is dict else "list of objects")


_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    date: "a day",
    datetime: "a time",
    type(None): "nothing",
}
_WORDS = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    datetime: "time",
    date: "day",
    Any: "anything",
    list[str]: "list of texts",
    list[Any]: "list of anything",
}
