"""Times and days, from and to Planhat's texts.

Reading is lenient. Of a caller's texts, only those are accepted that JavaScript and people read alike: RFC 3339 with
`T` or one blank, where seconds may be missing and an offset may lack its colon or its minutes, as PostgreSQL writes it.
Python's `fromisoformat` would take weeks, basic forms and any separator, other ones in each version.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from planhat_async._convert.python_values import excerpt_of, own_value, refusal

_EPOCH = date(1970, 1, 1)
_MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC).time()
_DAY_LENGTH = len("YYYY-MM-DD")
_HOURS_AND_MINUTES = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
PLANHATS_TIME = re.compile(
    r"(?!0000)[0-9]{4}-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    rf"T{_HOURS_AND_MINUTES}:[0-5][0-9]\.[0-9]{{3}}Z"
)
"""A time as Planhat writes it, of any day but 29 February, which not every year has."""
_WITHOUT_MILLISECONDS = len("2024-05-31T09:30:00Z")
_TIME = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{_HOURS_AND_MINUTES}(?::[0-5][0-9](?:\.[0-9]+)?)?"
    r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)?)?"
)
"""Offsets go to 15:59, as those of PostgreSQL do: none of any country was greater."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_time(value: Any) -> datetime:
    """An aware time from JSON; without a zone it is UTC, as Planhat's times are."""
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


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


def placed_in(zone: tzinfo, naive: datetime) -> tuple[datetime, bool]:
    """A time without a zone, in the zone, and whether clocks are set back, so that it occurs twice: then the first one.

    Raises:
        ValueError: The zone's clocks skip the time. Midnight, which is a day, is moved forward.
    """
    placed = naive.replace(tzinfo=zone, fold=0)
    before, after = placed.utcoffset(), placed.replace(fold=1).utcoffset()
    if before is None or after is None or before == after:
        return placed, False
    if before < after and naive.time() != _MIDNIGHT:
        raise ValueError(f"{naive} does not exist in {zone}, where clocks are set forward over it")
    return placed, before > after


def check_time(value: Any) -> str:
    """A time with a zone, or a text of one, as Planhat writes it."""
    if type(value) is not str and type(value) is not datetime:
        value = own_value(value)
    if isinstance(value, str):
        return value if PLANHATS_TIME.fullmatch(value) else _rewritten(value)
    if isinstance(value, datetime):
        return write_time(value)
    error = refusal("a time", value)
    raise TypeError(f"{error}: write a datetime with a time zone") if isinstance(value, date) else error


def _rewritten(text: str) -> str:
    """The time in a text, as Planhat writes it; what is beyond milliseconds is cut off."""
    if len(text) == _WITHOUT_MILLISECONDS and PLANHATS_TIME.fullmatch(usual := f"{text[:-1]}.000{text[-1]}"):
        return usual
    spelled = text.strip().upper()
    if not _TIME.fullmatch(spelled):
        raise ValueError(f"{excerpt_of(text)!r} is not a time such as 2024-05-31T09:30:00Z")
    try:
        time = datetime.fromisoformat(spelled)
    except ValueError:
        raise ValueError(f"{excerpt_of(text)!r} is not a time: the calendar has no such day") from None
    if time.tzinfo is None:
        raise ValueError(f"{excerpt_of(text)!r} has no time zone: write {time.isoformat()}Z if it is UTC")
    return write_time(time)


def read_day(value: Any) -> date:
    """A day from a JSON text that begins with `YYYY-MM-DD`; a time's zone does not change it."""
    return date.fromisoformat(value) if len(value) <= _DAY_LENGTH else read_time(value).date()


def check_day(value: Any) -> str:
    """A day as `YYYY-MM-DD`, which may be given as such."""
    value = own_value(value)
    if isinstance(value, datetime):
        raise TypeError("a day, not a time: call .date()")
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise refusal("a day", value)
    text = value.strip()
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueError(f"{excerpt_of(value)!r} is not a day such as 2024-05-31")


def read_day_number(value: Any) -> date:
    """A day from a JSON number of days since 1970-01-01."""
    if type(value) is not int:
        raise refusal("a whole number of days", value)
    try:
        return _EPOCH + timedelta(days=value)
    except OverflowError:
        raise ValueError(f"{value} days after 1970-01-01 are beyond the calendar") from None


def check_day_number(value: Any) -> int:
    """A day as the number of days since 1970-01-01, which may be given as such."""
    value = own_value(value)
    day = read_day_number(value) if type(value) is int else date.fromisoformat(check_day(value))
    return (day - _EPOCH).days
