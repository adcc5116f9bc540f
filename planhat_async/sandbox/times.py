"""Times as Planhat writes them: ISO 8601, UTC, milliseconds, `Z`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

_ISO = re.compile(r"\d{4}-\d\d-\d\d(T.+)?")
_EPOCH = date(1970, 1, 1)


def at(now: float) -> datetime:
    """The time of Unix seconds."""
    return datetime.fromtimestamp(now, UTC)


def written(moment: datetime) -> str:
    """A time in UTC as Planhat writes it."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def stamped(moment: datetime, *fields: str) -> dict[str, str]:
    """Fields that hold this time, as Planhat writes it."""
    return dict.fromkeys(fields, written(moment))


def normalised(value: object) -> object:
    """A time as Planhat stores it; any other value as it came."""
    moment = parsed(value)
    return value if moment is None else written(moment)


def parsed(value: object) -> datetime | None:
    """The time in an ISO 8601 string, in UTC if it names no zone; None for any other value."""
    if not (isinstance(value, str) and _ISO.fullmatch(value)):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def days(moment: datetime) -> int:
    """Whole days since 1970-01-01."""
    return (moment.date() - _EPOCH).days


def buckets(moment: datetime) -> list[str]:
    """The year, quarter, month and week a time falls in.

    Weeks begin on Sundays and the first is the one with 1 January in it, as in the documented tickets: no ISO weeks.
    """
    first_weekday = date(moment.year, 1, 1).isoweekday() % 7
    week = (moment.timetuple().tm_yday - 1 + first_weekday) // 7 + 1
    quarter = (moment.month + 2) // 3
    return [f"{moment.year}", f"{moment.year}-Q{quarter}", f"{moment.year}-{moment.month}", f"{moment.year}-W{week}"]
