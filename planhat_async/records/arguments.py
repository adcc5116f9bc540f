"""Checks of what a caller passes: each raises one short sentence that names the value and what it has to be.

`TypeError` where the type is wrong, `ValueError` where the value is. Each check comes as a function of a name and a
value, and `valid` makes a validator for attrs of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

Check = Callable[[str, Any], None]
"""Refuses a value; the first argument is its name."""


def valid(check: Check) -> Callable[[Any, Any, Any], None]:
    """The check as an attrs validator."""

    def validate(_: Any, attribute: Any, value: Any) -> None:
        check(attribute.name, value)

    return validate


def whole(least: int, most: int | None = None, *, or_none: bool = False) -> Check:
    """A whole number within bounds; `True` and `4.0` are none."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"

    def check(name: str, value: Any) -> None:
        if or_none and value is None:
            return
        message = f"{name} must be a whole number {bounds}{' or None' * or_none}, not {value!r}"
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(message)
        if value < least or (most is not None and value > most):
            raise ValueError(message)

    return check


def number(least: float, below: float | None = None, *, is_open: bool = False, or_none: bool = False) -> Check:
    """A finite number within bounds; with `is_open` the least one is out of bounds itself."""
    bounds = f"greater than {least:g}" if is_open else f"of at least {least:g}"
    bounds += "" if below is None else f" and below {below:g}"

    def check(name: str, value: Any) -> None:
        if or_none and value is None:
            return
        message = f"{name} must be a number {bounds}{' or None' * or_none}, not {value!r}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise TypeError(message)
        is_in = math.isfinite(value) and (value > least if is_open else value >= least)
        if not is_in or (below is not None and value >= below):
            raise ValueError(message)

    return check


def flag(*, or_none: bool = False) -> Check:
    """`True` or `False`; texts and numbers that Python takes for one of them are refused."""
    choices = "True, False or None" if or_none else "True or False"

    def check(name: str, value: Any) -> None:
        if not isinstance(value, bool) and not (or_none and value is None):
            raise TypeError(f"{name} must be {choices}, not {value!r}")

    return check


def choice(*choices: str) -> Check:
    """One of these texts."""
    listed = " or ".join(map(repr, choices))

    def check(name: str, value: Any) -> None:
        message = f"{name} must be {listed}, not {value!r}"
        if not isinstance(value, str):
            raise TypeError(message)
        if value not in choices:
            raise ValueError(message)

    return check


def text(*, or_none: bool = False) -> Check:
    """A text that is not blank."""
    wanted = "text or None" if or_none else "text"

    def check(name: str, value: Any) -> None:
        if or_none and value is None:
            return
        if not isinstance(value, str):
            raise TypeError(f"{name} must be {wanted}, not {value!r}")
        if not value.strip():
            raise ValueError(f"{name} must not be blank: {value!r}")

    return check


def several(name: str, value: Any, *, of: str) -> Iterable[Any]:
    """The value, which has to be an iterable of such things, and not one text.

    Raises:
        TypeError: It is not.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be an iterable of {of}, not {value!r}")
    return value
