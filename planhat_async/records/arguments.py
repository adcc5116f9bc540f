"""Checks of arguments: each raises one short sentence with the argument's name and value, and what it must be.

`TypeError` if the type is wrong, `ValueError` if the value is. A check is a function of a name and a value; `valid`
makes an attrs validator of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

Check = Callable[[str, Any], None]
"""Raises if a value is invalid; the first argument is its name."""


def valid(check: Check) -> Callable[[Any, Any, Any], None]:
    """The check as an attrs validator."""
    return lambda _, attribute, value: check(attribute.name, value)


def whole(least: int, most: int | None = None, *, or_none: bool = False) -> Check:
    """A whole number within bounds; `True` and `4.0` are refused."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return _check(
        int, f"a whole number {bounds}", lambda value: value >= least and (most is None or value <= most), or_none
    )


def number(least: float, below: float | None = None, *, is_open: bool = False, or_none: bool = False) -> Check:
    """A finite number within bounds; with `is_open` it must be greater than `least`."""
    bounds = f"greater than {least:g}" if is_open else f"of at least {least:g}"
    bounds += "" if below is None else f" and below {below:g}"

    def is_within(value: float) -> bool:
        is_enough = value > least if is_open else value >= least
        return math.isfinite(value) and is_enough and (below is None or value < below)

    return _check((int, float), f"a number {bounds}", is_within, or_none)


def flag(*, or_none: bool = False) -> Check:
    """`True` or `False`; other values that Python regards as true or false are refused."""
    return _check(bool, "True, False" if or_none else "True or False", lambda _: True, or_none)


def choice(*choices: str) -> Check:
    """One of these texts."""
    return _check(str, " or ".join(map(repr, choices)), choices.__contains__)


def text(*, or_none: bool = False) -> Check:
    """A text that is not blank."""
    check_type = _check(str, "text", lambda _: True, or_none)

    def check(name: str, value: Any) -> None:
        check_type(name, value)
        if value is not None and not value.strip():
            raise ValueError(f"{name} must not be blank: {value!r}")

    return check


def several(name: str, value: Any, *, of: str) -> Iterable[Any]:
    """The value, which must be an iterable, and not one text, or TypeError is raised; `of` names the items."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be an iterable of {of}, not {value!r}")
    return value


def _check(
    types: type | tuple[type, ...], required: str, is_valid: Callable[[Any], bool], or_none: bool = False
) -> Check:
    required += " or None" * or_none

    def check(name: str, value: Any) -> None:
        if or_none and value is None:
            return
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            raise TypeError(f"{name} must be {required}, not {value!r}")
        if not is_valid(value):
            raise ValueError(f"{name} must be {required}, not {value!r}")

    return check
