"""Values of subclasses and of other libraries as Python's own types, where that loses nothing.

Rows come from numpy, pandas and databases: their scalars are recognised by what they offer, so that none of these
libraries is imported. A value that cannot be exact is refused here, or returned unchanged and refused by its field.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs

_MAX_SHOWN = 40
_LARGEST_EXPONENT = 308
"""That of the largest float, to which whole decimals are limited: the digits of 1E+1000000 would fill a megabyte."""
_MISSING_TYPES = {"NaTType": "NaT", "NAType": "NA"}
"""What pandas has in place of a value, by the name of its type."""
_NOUNS = {"text or a whole number": "text", "true or false": "truth value"}
_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    date: "a day",
    datetime: "a time",
    type(None): "nothing",
}
_HINTS: dict[type, str] = {
    bytes: "bytes: decode them",
    set: "a set: it has no order, sort it into a list",
    frozenset: "a set: it has no order, sort it into a list",
    types.GeneratorType: "a generator: make a list of it",
}


@attrs.frozen
class Missing:
    """A value that stands for none."""

    word: str
    """How its library writes it: `NaT`, `NA`, `masked`."""


def own_value(value: Any) -> Any:
    """A value of one of Python's own types that is equal to this one; `Missing`, or else the same object.

    Numbers, texts and truth values of numpy and of its protocol, 0-dimensional arrays and members of an `Enum` become
    what they hold, subclasses of `str`, `int`, `float`, `datetime` and `date` those types, a `UUID` text, a `Decimal` a
    number, and an array of more dimensions a list. Of a time, less than a microsecond is cut off.

    Raises:
        ValueError: A number has more digits than a float keeps.
    """
    kind = type(value)
    if kind in _KINDS or kind in {list, dict}:
        return value
    if kind.__name__ in _MISSING_TYPES:
        return Missing(_MISSING_TYPES[kind.__name__])
    if isinstance(value, Enum):
        return own_value(value.value)
    for cls, convert in _CONVERSIONS.items():
        if isinstance(value, cls):
            return convert(value)
    return _held_by(value) if all(hasattr(kind, name) for name in ("dtype", "shape", "tolist")) else value


def _plain_time(time: datetime) -> datetime:
    return datetime(
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        time.microsecond,
        tzinfo=time.tzinfo,
        fold=time.fold,
    )


def _number_of(decimal: Decimal) -> int | float:
    """The number with the same digits."""
    exponent = decimal.as_tuple().exponent
    if isinstance(exponent, str):
        return math.nan if decimal.is_nan() else float(decimal)
    is_large = decimal.adjusted() > _LARGEST_EXPONENT
    if exponent >= 0 and not is_large:
        return int(decimal)
    number = float(decimal)
    if Decimal(repr(number)) == decimal:
        return number
    if not is_large and decimal == (whole := int(decimal)):
        return whole
    raise ValueError(f"{excerpt_of(str(decimal))!r} has more digits than a number keeps: round it")


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    # The methods of the classes: a subclass may have its own.
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    datetime: _plain_time,
    date: lambda day: date(day.year, day.month, day.day),
    Decimal: _number_of,
    UUID: str,
}
"""In this order: a `datetime` is a `date`, too."""


def _held_by(array: Any) -> Any:
    """What an array, or a scalar of numpy's kind, holds."""
    kind = getattr(array.dtype, "kind", "")
    if array.shape != ():
        return list(array)
    held = array.tolist()
    if kind == "M":
        return _time_held_by(array, held)
    if kind == "f":
        return _float_held_by(array, held)
    if held is None:
        return Missing("masked")
    # A duration without its unit would become a number, and a record of fields a list.
    return array if kind in {"m", "V"} or type(held) is type(array) else own_value(held)


def _time_held_by(scalar: Any, held: Any) -> Any:
    """The day or the naive time of a `datetime64`, whose nanoseconds are held as a number."""
    if str(scalar) == "NaT":
        return Missing("NaT")
    cast = getattr(scalar, "astype", None)
    if type(held) is int and cast is not None:  # another library's look-alike may have no `astype`
        held = cast("datetime64[us]").tolist()
    return held if isinstance(held, date) else scalar


def _float_held_by(scalar: Any, held: Any) -> Any:
    if held is None:
        return Missing("masked")
    if type(held) is float:
        return held
    number = float(scalar)
    if number != scalar and not math.isnan(number):
        raise ValueError(f"{excerpt_of(str(scalar))!r} has more digits than a number keeps: round it")
    return number


def kind_of(value: Any) -> str:
    """What kind of value this is, for a message."""
    kind = type(value)
    return _KINDS.get(kind) or _HINTS.get(kind) or kind.__name__


def missing_word(value: Any) -> str | None:
    """How a value that stands for none is written, if it is one: NaN, NaT, NA."""
    if isinstance(value, Missing):
        return value.word
    return "NaN" if isinstance(value, float) and math.isnan(value) else None


def shown(value: Any) -> str:
    """A value for a message: a number or a short text itself, otherwise its kind."""
    if isinstance(value, bool) or (isinstance(value, float) and math.isinf(value)):
        return str(value)
    if isinstance(value, float):
        return f"the number {value!r}"
    if isinstance(value, int) and value.bit_length() <= 4 * _MAX_SHOWN:
        return f"the whole number {value}"
    if isinstance(value, str):
        return f"the text {excerpt_of(value)!r}"
    return kind_of(value)


def excerpt_of(text: str) -> str:
    """The beginning of a text, for a message."""
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def refusal(expected: str, value: Any, *, is_shown: bool = True) -> Exception:
    """The error for a value of another kind than expected.

    Args:
        expected: What the value has to be, such as `a whole number`.
        value: The value, a result of `own_value`.
        is_shown: Whether the message may contain a number or a text itself.
    """
    if (word := missing_word(value)) is not None:
        noun = _NOUNS.get(expected) or expected.partition(" ")[2]
        return ValueError(f"no {noun} ({word}): leave it out")
    cls = ValueError if isinstance(value, float) and math.isinf(value) else TypeError
    return cls(f"{expected}, not {shown(value) if is_shown else kind_of(value)}")
