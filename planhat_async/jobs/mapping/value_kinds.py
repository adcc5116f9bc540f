"""What the values of a column are, as far as some of them show it: decisions only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any

import attrs

from planhat_async._convert.addresses import check_address
from planhat_async.jobs.mapping.cell_lists import json_in
from planhat_async.jobs.mapping.cell_numbers import number_in
from planhat_async.jobs.mapping.cell_times import time_in
from planhat_async.jobs.mapping.notation import Notation
from planhat_async.jobs.mapping.time_format import TimeFormat

_ID = re.compile(r"[0-9a-fA-F]{24}", re.ASCII)
_KEY = re.compile(r"[0-9a-fA-F]{24}|(?:extid|srcid)-.+", re.ASCII)
_BOOLEANS = {"true", "false", "yes", "no"}
_LEADING_ZERO = re.compile(r"0\d", re.ASCII)
_EPOCHS = (("epoch seconds", 10), ("epoch milliseconds", 13))
_MAX_ITEM = 40
_MAX_UNREAD, _MIN_READ = 0.05, 20
"""The greatest share of other cells in a column of times, and the fewest times in it."""
_MAY_BE_TIME = re.compile(r"(?=.{6,40}$).*\d.*\d")
_DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%y", "%d/%b/%Y",
)  # fmt: skip
_TIMES = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%H:%M %z", "%H:%M:%S %z")
_FORMS = (
    *_DAYS,
    *(f"{day}{between}{time}" for day in _DAYS for between in (" ", ", ") for time in _TIMES),
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
)


@cache
def _reader(form: str) -> TimeFormat:
    """Made when a column asks for it: each is a regular expression, and all of them together take 0.2 s."""
    return TimeFormat(form)


@attrs.frozen(kw_only=True)
class ValueKind:
    """What all values of a column are, but for a few that nothing reads."""

    name: str
    """One of the types of a mapping, or `address`, `id` (of Planhat), `key` (an id, or with a prefix) or `nothing`."""
    forms: tuple[str, ...] = ()
    """The `strptime` forms that read all of them; none if they are written as Planhat writes times."""
    needs_zone: bool = False
    """Whether times have no zone."""
    separator: str = ""
    """Of lists."""
    has_decimal_comma: bool = False
    is_float: bool = False
    """Whether numbers are floats, which have no digits of an id."""
    is_text: bool = True
    """Whether the values are texts, so that a custom field gets texts unless a type is given."""
    n_unread: int = 0
    """Cells that are of another kind: a few among many times."""
    first_unread: str = ""


NOTHING = ValueKind(name="nothing")
_TEXT = ValueKind(name="text")


def kind_of_values(values: Sequence[Any]) -> ValueKind:
    """The narrowest kind that fits all values, without missing ones."""
    if not values:
        return NOTHING
    if not all(isinstance(value, str) for value in values):
        return _typed(values)
    cells = Counter(value.strip() for value in values)
    finders = (_addresses, _ids, _keys, _booleans, _numbers, _iso_times, _times, partial(_mostly_times, cells), _lists)
    found = (find(list(cells)) for find in finders)
    return next((kind for kind in found if kind is not None), _TEXT)


def _typed(values: Sequence[Any]) -> ValueKind:
    """The kind of values that are not all texts."""
    if all(isinstance(value, bool) for value in values):
        return ValueKind(name="boolean", is_text=False)
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return ValueKind(name=_epoch(list(map(str, values))) or "whole number", is_text=False)
    if all(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values):
        is_whole = all(map(_is_whole, values))
        return ValueKind(name="whole number" if is_whole else "number", is_float=True, is_text=False)
    if all(isinstance(value, date) for value in values):
        times = [value for value in values if isinstance(value, datetime)]
        is_naive = any(value.tzinfo is None for value in times)
        return ValueKind(name="time" if times else "date", needs_zone=is_naive, is_text=False)
    if all(isinstance(value, list | tuple) for value in values):
        return ValueKind(name="list", is_text=False)
    return ValueKind(name="text", is_text=False)


def _is_whole(value: float | Decimal) -> bool:
    try:
        return int(value) == value
    except (ValueError, OverflowError):  # no number, or infinite
        return False


def _all(values: Sequence[str], read: Callable[[str], Any]) -> bool:
    """Whether a function accepts all values."""
    try:
        for value in values:
            read(value)
    except ValueError:
        return False
    return True


def _addresses(texts: Sequence[str]) -> ValueKind | None:
    return ValueKind(name="address") if _all(texts, check_address) else None


def _ids(texts: Sequence[str]) -> ValueKind | None:
    return ValueKind(name="id") if all(map(_ID.fullmatch, texts)) else None


def _keys(texts: Sequence[str]) -> ValueKind | None:
    return ValueKind(name="key") if all(map(_KEY.fullmatch, texts)) else None


def _booleans(texts: Sequence[str]) -> ValueKind | None:
    return ValueKind(name="boolean") if {text.lower() for text in texts} <= _BOOLEANS else None


def _numbers(texts: Sequence[str]) -> ValueKind | None:
    """Numbers; digits behind a zero are those of a code, not of a number."""
    if any(map(_LEADING_ZERO.match, texts)):
        return None
    if epoch := _epoch(texts):
        return ValueKind(name=epoch)
    if _all(texts, lambda text: number_in(text, "")):
        return ValueKind(name="whole number" if all(text.isdigit() for text in texts) else "number")
    if _all(texts, lambda text: number_in(text, "", decimal_comma=True)):
        return ValueKind(name="number", has_decimal_comma=True)
    return None


def _epoch(texts: Sequence[str]) -> str | None:
    """The type of whole numbers that all are times of this century until 2065."""
    for name, n_digits in _EPOCHS:
        if all(len(text) == n_digits and text.isdigit() and text[0] in "12" for text in texts):
            return name
    return None


def _iso_times(texts: Sequence[str]) -> ValueKind | None:
    if not _all(texts, _read_iso):
        return None
    if all(len(text) == len("2024-05-31") for text in texts):
        return ValueKind(name="date", needs_zone=True)
    return ValueKind(name="time", needs_zone=not _all(texts, lambda text: time_in(text, Notation(), "")))


def _read_iso(text: str) -> datetime:
    return time_in(text, Notation(zone=UTC), "")


def _times(texts: Sequence[str]) -> ValueKind | None:
    forms = [form for form in _FORMS if _all(texts, partial(_reader(form).read, name=""))]
    if not forms:
        return None
    is_day = all(form in _DAYS for form in forms)
    needs_zone = not all(_reader(form).names_zone for form in forms)
    return ValueKind(name="date" if is_day else "time", forms=tuple(forms), needs_zone=needs_zone)


def _mostly_times(cells: Mapping[str, int], texts: Sequence[str]) -> ValueKind | None:
    """Times, where a few of many cells hold something else; the form that reads most of them counts."""
    most = int(sum(cells.values()) * _MAX_UNREAD)
    if not most or _n_cells(cells, (text for text in texts if not _MAY_BE_TIME.match(text))) > most:
        return None
    readers: list[Callable[[str], Any]] = [_read_iso, *(partial(_reader(form).read, name="") for form in _FORMS)]
    found = (_unread(cells, read, most) for read in readers)
    unread = min((one for one in found if one is not None), key=partial(_n_cells, cells), default=None)
    if unread is None or sum(cells.values()) - (n_unread := _n_cells(cells, unread)) < _MIN_READ:
        return None
    times = [text for text in texts if text not in unread]
    kind = _iso_times(times) or _times(times)
    return None if kind is None else attrs.evolve(kind, n_unread=n_unread, first_unread=unread[0])


def _unread(cells: Mapping[str, int], read: Callable[[str], Any], most: int) -> list[str] | None:
    """The texts that a function does not accept; `None` if they are more than `most` cells."""
    unread, n_unread = [], 0
    for text, n in cells.items():
        if not _all([text], read):
            unread.append(text)
            n_unread += n
            if n_unread > most:
                return None
    return unread


def _n_cells(cells: Mapping[str, int], texts: Iterable[str]) -> int:
    return sum(cells[text] for text in texts)


def _lists(texts: Sequence[str]) -> ValueKind | None:
    """Lists of JSON, or of short items, of which several cells hold more than one."""
    if all(text.startswith("[") for text in texts) and _all(texts, lambda text: json_in(text, list, "")):
        return ValueKind(name="list")
    for separator in (";", "|", ","):
        n_lists = sum(separator in text for text in texts)
        items = [item.strip() for text in texts for item in text.split(separator)]
        if n_lists and all(len(item) <= _MAX_ITEM and len(item.split()) <= 2 for item in items):
            return ValueKind(name="list", separator=separator)
    return None
