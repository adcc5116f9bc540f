"""Checks of single values that a caller hands in, before they become JSON.

They are strict, because Planhat silently stores or drops values that it does not understand.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from planhat_async._convert.python_values import own_value, refusal
from planhat_async._convert.timestamps import check_day, check_time


def check_text(value: Any) -> str:
    """A text. A whole number has only one form as text, so its digits are sent; a float such as 35436.0 has several."""
    value = own_value(value)
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise refusal("text or a whole number", value)
    return value


def check_flag(value: Any) -> bool:
    """True or false; 0 and 1 are not."""
    value = own_value(value)
    if type(value) is not bool:
        raise refusal("true or false", value)
    return value


def check_whole(value: Any) -> int:
    """A whole number, which may be given as a float such as 5.0."""
    value = own_value(value)
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise refusal("a whole number", value)
    return value


def check_number(value: Any) -> float:
    """A finite number; a whole number of any size is sent with all of its digits."""
    value = own_value(value)
    if type(value) is not int and not is_finite(value):
        raise refusal("a number", value)
    return typing.cast("float", value)


def is_finite(value: Any) -> bool:
    """Whether a value is a float that JSON has."""
    return type(value) is float and math.isfinite(value)


SCALAR_CHECKS: dict[Any, Callable[[Any], Any]] = {
    str: check_text,
    bool: check_flag,
    int: check_whole,
    float: check_number,
    datetime: check_time,
    date: check_day,
}


def check_object(value: Any) -> Mapping[Any, Any]:
    """An object of any content."""
    if not isinstance(value, Mapping):
        raise refusal("an object", own_value(value), is_shown=False)
    return value


def check_reference(value: Any) -> Any:
    """An `_id` as the object that Planhat takes; other values unchanged."""
    return {"_id": value} if isinstance(value, str) else value


def check_list(check_item: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """A check of a list or a tuple, or of what holds items in order like an array of numpy."""

    def check(value: Any) -> list[Any]:
        value = own_value(value)
        if not isinstance(value, list | tuple):
            raise refusal("a list", value, is_shown=False)
        return [check_item(item) for item in value]

    return check


def type_in_words(hint: Any) -> str:
    """A field's type in words, for tables."""
    return _WORDS.get(hint) or ("object" if typing.get_origin(hint) is dict else "list of objects")


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
