"""Numbers from texts and from typed values, with all of their digits: decisions only."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_MAX_DIGITS = 400
"""Longer than any number that JSON's readers accept."""
EXACT_FLOATS = 2**53
"""Up to here a float holds every whole number."""


def shown(value: Any) -> str:
    """A value as messages show it."""
    return repr(value[:80]) if isinstance(value, str) else str(value)[:80]


def number_in(value: Any, name: str, *, decimal_comma: bool = False) -> int | float:
    """The number that a text or a typed value stands for; an `int` if it is written as one.

    Raises:
        ValueError: It is not a number, or has more digits than a number keeps.
    """
    if isinstance(value, str):
        return _number_in_text(value, name, decimal_comma=decimal_comma)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _MAX_DIGITS:
        return int(value) if value == value.to_integral_value() else _exact_float(value, value, name)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise ValueError(f"{name}: {shown(value)} is not a number")


def _number_in_text(text: str, name: str, *, decimal_comma: bool) -> int | float:
    plain = _with_point(text, decimal_comma=decimal_comma)
    if not _NUMBER.fullmatch(plain) or len(plain) > _MAX_DIGITS:
        hint = "; see --decimal-comma" if "," in text and not decimal_comma else ""
        raise ValueError(f"{name}: {shown(text)} is not a number{hint}")
    if _WHOLE.fullmatch(plain) and "." not in plain:
        return int(plain)
    try:
        return _exact_float(Decimal(plain), text, name)
    except InvalidOperation:  # an exponent of twenty digits, which is no `ValueError`
        raise ValueError(f"{name}: {shown(text)} is not a number") from None


def _with_point(text: str, *, decimal_comma: bool) -> str:
    """The text of a number with a decimal point; unreadable if it has separators of thousands."""
    plain = text.strip()
    if not decimal_comma:
        return plain
    return "" if "." in plain else plain.replace(",", ".", 1)


def _exact_float(number: Decimal, given: Any, name: str) -> float:
    """The float that is written with the same digits."""
    found = float(number)
    if not math.isfinite(found):
        raise ValueError(f"{name}: {shown(given)} is not a number")
    if Decimal(repr(found)) != number:
        raise ValueError(f"{name}: {shown(given)} has more digits than a number keeps: it would become {found}")
    return found


def float_in(value: Any, name: str, *, decimal_comma: bool = False) -> int | float:
    """As `number_in`; of texts a `float` wherever it is exact."""
    found = number_in(value, name, decimal_comma=decimal_comma)
    return float(found) if isinstance(value, str) and abs(found) <= EXACT_FLOATS else found


def whole_number_in(value: Any, name: str, *, decimal_comma: bool = False) -> int:
    """The whole number that a text or a typed value stands for; one with a fraction of zero is whole.

    Raises:
        ValueError: It is not a whole number, or is in scientific notation, to which spreadsheets shorten long numbers.
    """
    if isinstance(value, str):
        match = _WHOLE.fullmatch(_with_point(value, decimal_comma=decimal_comma))
        if match and len(match[1]) <= _MAX_DIGITS:
            return int(match[1])
        is_scientific = _NUMBER.fullmatch(value.strip()) and "e" in value.lower()
        hint = ": it is written in scientific notation, which may have lost digits" if is_scientific else ""
        raise ValueError(f"{name}: {shown(value)} is not a whole number{hint}")
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_FLOATS:
        return int(value)
    if isinstance(value, Decimal) and isinstance(found := number_in(value, name), int):
        return found
    raise ValueError(f"{name}: {shown(value)} is not a whole number")
