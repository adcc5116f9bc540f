"""Times and days from texts and from typed values: decisions only."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from planhat_async._convert import write_time
from planhat_async.jobs.mapping.cell_numbers import number_in, shown
from planhat_async.jobs.mapping.notation import Notation

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"(?: ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII | re.IGNORECASE,
)
_ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)", re.ASCII)
_DIGITS = re.compile(r"[+-]?\d+(?:[.,]\d+)?", re.ASCII)
_MAX_OFFSET = timedelta(hours=14, minutes=59)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's times have no zone
_EXCEL_DAY, _EXCEL_FIRST = 86_400_000, 61  # days before March 1900 count a day that never was
EPOCHS = {"epoch seconds": 1000, "epoch milliseconds": 1, "excel days": _EXCEL_DAY}
"""Types of numbers that are times, and the milliseconds in one."""
_FIRST_YEAR, _LAST_YEAR = 1971, 2199
"""Of epochs. With the wrong unit every time of this century is outside."""


def time_in(value: Any, notation: Notation, name: str) -> datetime:
    """The aware time that a text or a typed value stands for; a day is its first instant.

    Raises:
        ValueError: It is not a time, or has no zone and none is given; see `Notation.in_zone`.
    """
    if isinstance(value, str):
        value = _time_in_text(value, name)
    if isinstance(value, datetime):
        return notation.in_zone(value, name) if value.tzinfo is None else value
    if isinstance(value, date):
        return notation.in_zone(datetime.combine(value, time.min), name)
    if isinstance(value, time):
        raise ValueError(f"{name}: {value} is a time of day without a day")  # noqa: TRY004 - the value is wrong, not its type
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        raise ValueError(_number_message(name, value))  # noqa: TRY004 - the value is wrong, not its type
    raise ValueError(f"{name}: {shown(value)} is not a time")


def _number_message(name: str, value: Any) -> str:
    return (
        f"{name}: {shown(value)} is a number: say what it counts with --type {name}=epoch-seconds, "
        "epoch-milliseconds or excel-days"
    )


def _time_in_text(text: str, name: str) -> datetime:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        if _DIGITS.fullmatch(text.strip()):
            raise ValueError(_number_message(name, text))
        raise ValueError(
            f"{name}: {shown(text)} is not a time such as 2024-05-31T09:30:00Z; "
            "a mapping file can say its form under [dates]"
        )
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    numbers = [int(part or 0) for part in (year, month, day, hour, minute, second, (fraction or "")[:6].ljust(6, "0"))]
    try:
        return datetime(*numbers, tzinfo=zone and _offset(zone))  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise ValueError(f"{name}: {shown(text)} is not a time: {error}") from None


def _offset(text: str) -> tzinfo:
    if text.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if int(digits[2:]) > 59 or offset > _MAX_OFFSET:
        raise ValueError(f"there is no offset {text}")
    return timezone(-offset if text[0] == "-" else offset)


def time_text_in(value: Any, notation: Notation, name: str) -> str:
    """As `time_in`, as Planhat writes it.

    Raises:
        ValueError: As `time_in`, or it is beyond the calendar.
    """
    found = time_in(value, notation, name)
    try:
        return write_time(found)
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: {shown(value)} is beyond the calendar") from None


def sendable_time_in(value: Any, notation: Notation, name: str) -> str | datetime:
    """As `time_text_in`, but what has a zone in the usual form is returned as it is, because conversion rewrites it.

    Raises:
        ValueError: As `time_text_in`.
    """
    if isinstance(value, str) and _ZONED.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{name}: {shown(value)} is not a time: {error}") from None
        return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    return time_text_in(value, notation, name)


def day_in(value: Any, name: str, *, drops_time: bool = False) -> str:
    """The day that a text or a typed value stands for, as `YYYY-MM-DD`.

    Args:
        value: A text, a day or a time.
        name: The field, for messages.
        drops_time: Whether a time of day is dropped. Otherwise it must be midnight, in the value's own zone.

    Raises:
        ValueError: It is not a day.
    """
    found = value
    if isinstance(value, str):
        if _TIME.fullmatch(value.strip()) is None:
            raise ValueError(f"{name}: {shown(value)} is not a day such as 2024-05-31")
        found = _time_in_text(value, name)
    if isinstance(found, datetime):
        if found.time() != time.min and not drops_time:
            raise ValueError(f"{name}: {shown(value)} is a time, not a day: --type {name}=date drops its time of day")
        found = found.date()
    if not isinstance(found, date):
        raise ValueError(f"{name}: {shown(value)} is not a day such as 2024-05-31")  # noqa: TRY004 - the value is wrong, not its type
    return found.isoformat()


def epoch_in(value: Any, kind: str, notation: Notation, name: str) -> datetime | date:
    """The time that a number stands for: aware, but for days of a spreadsheet. Times are returned as they are.

    Args:
        value: A number, or its text; a fraction of a millisecond is dropped.
        kind: One of `EPOCHS`.
        notation: How the file writes numbers.
        name: The field, for messages.

    Raises:
        ValueError: It is not a number, or so small or large that it must have another unit.
    """
    if isinstance(value, date):
        return value
    number = Decimal(repr(number_in(value, name, decimal_comma=notation.decimal_comma)))
    is_excel = kind == "excel days"
    start = _EXCEL_EPOCH if is_excel else _EPOCH
    # A spreadsheet's day holds a time with an error of less than a millisecond.
    exact = (number * EPOCHS[kind]).to_integral_value(ROUND_HALF_EVEN if is_excel else ROUND_FLOOR)
    try:
        found = start + timedelta(milliseconds=int(exact))
    except OverflowError:
        found = datetime.min  # noqa: DTZ901 - refused below
    first = _EXCEL_EPOCH.year + 1 if is_excel else _FIRST_YEAR
    if not first <= found.year <= _LAST_YEAR or (is_excel and number < _EXCEL_FIRST):
        raise ValueError(
            f"{name}: {shown(value)} in {kind} is not between {first} and {_LAST_YEAR}: does it count something else?"
        )
    return found
