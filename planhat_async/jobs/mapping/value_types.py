"""The types that a mapping can give to the values of a field: decisions only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import Any, TypeAlias, get_origin
from uuid import UUID

from planhat_async._convert import Field, type_in_words
from planhat_async.jobs.mapping.cell_lists import json_in, json_value, list_in
from planhat_async.jobs.mapping.cell_numbers import EXACT_FLOATS, float_in, number_in, shown, whole_number_in
from planhat_async.jobs.mapping.cell_times import EPOCHS, day_in, epoch_in, sendable_time_in, time_text_in
from planhat_async.jobs.mapping.notation import Notation
from planhat_async.records import Record

Read: TypeAlias = Callable[[Any, Notation, str], Any]
"""Reads a text or a typed value, given the field's name for messages; raises `ValueError`."""

_TRUE = {"true", "yes", "1"}
_FALSE = {"false", "no", "0"}


def text_in(value: Any, _: Notation, name: str) -> str:
    """The one text form of a value: also of a whole number, a UUID or a day."""
    if isinstance(value, str):
        return value
    if type(value) in (int, UUID):
        return str(value)
    if type(value) is date:
        return value.isoformat()
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_FLOATS
    hint = f"; if it means one, --type {name}=whole-number reads it" if whole else ""
    raise ValueError(f"{name}: {shown(value)} is neither text nor a whole number{hint}")


def _boolean_in(value: Any, _: Notation, name: str) -> bool:
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if text not in _TRUE | _FALSE:
        raise ValueError(f"{name}: {shown(value)} is not true or false")
    return text in _TRUE


def _number_in(value: Any, notation: Notation, name: str) -> int | float:
    return number_in(value, name, decimal_comma=notation.decimal_comma)


def _float_in(value: Any, notation: Notation, name: str) -> int | float:
    return float_in(value, name, decimal_comma=notation.decimal_comma)


def _whole_number_in(value: Any, notation: Notation, name: str) -> int:
    return whole_number_in(value, name, decimal_comma=notation.decimal_comma)


def _day_of_time(value: Any, _: Notation, name: str) -> str:
    return day_in(value, name, drops_time=True)


def _epoch_of(kind: str, value: Any, notation: Notation, name: str) -> datetime | date:
    return epoch_in(value, kind, notation, name)


def _json_of(expected: type, value: Any, notation: Notation, name: str) -> Any:
    if isinstance(value, str):
        return json_in(value, expected, name)
    if isinstance(value, expected):
        return json_value(value, notation, name)
    raise ValueError(f"{name}: {shown(value)} is not a JSON {'list' if expected is list else 'object'}")


def _object_or_value(value: Any, notation: Notation, name: str) -> Any:
    """A value of a field that may hold texts and objects: an object may be given as its JSON, as an export has it."""
    if isinstance(value, str):
        with suppress(ValueError):
            return json_in(value, dict, name) if value.startswith("{") else value
        return value
    return json_value(value, notation, name)


READERS: Mapping[str, Read] = {
    "text": text_in,
    "number": _number_in,
    "whole number": _whole_number_in,
    "boolean": _boolean_in,
    "date": _day_of_time,
    "time": time_text_in,
    "list": list_in,
    "json": partial(_json_of, object),
    **{kind: partial(_epoch_of, kind) for kind in EPOCHS},
}
"""What reads the values of each type."""

_POSSIBLE: Mapping[Any, set[str]] = {
    str: {"text", "whole number", "date", "time"},
    float: {"number", "whole number"},
    int: {"number", "whole number"},
    bool: {"boolean"},
    date: {"date", *EPOCHS},
    datetime: {"time", "date", *EPOCHS},
    list: {"list", "json"},
    dict: {"json"},
}
"""The types that the values of a field can have, by its own type."""


def type_named(text: Any) -> str:
    """A type by its name, in which hyphens and underscores may stand for spaces.

    Raises:
        ValueError: No type has this name.
    """
    name = text.strip().lower().replace("-", " ").replace("_", " ") if isinstance(text, str) else ""
    if name not in READERS:
        raise ValueError(f"{text!r} is not one of {', '.join(READERS)}")
    return name


def check_type(record: type[Record], field: Field | None, kind: str) -> None:
    """Refuse a type whose values the field cannot have; a custom field can have any.

    Raises:
        ValueError: The message names the possible types.
    """
    if field is None or field.type is Any:
        return
    possible = {"json"} if field.part is not None else _POSSIBLE[get_origin(field.type) or field.type]
    if kind not in possible:
        names = " or ".join(name for name in READERS if name in possible)
        words = type_in_words(field.type)
        raise ValueError(f"{record.__name__}.{field.name} ({words}) cannot be read as {kind}, only as {names}")


def reader_for(field: Field) -> tuple[frozenset[type], Read]:
    """The types of values that are sent as they are in a field, and what reads any other value."""
    kind = get_origin(field.type) or field.type
    if field.type is date:
        return frozenset(), partial(_day_in_field, field)
    if kind is list and field.part is not None:
        return frozenset(), partial(_json_of, list)
    return _OF_FIELDS[kind]


def _day_in_field(field: Field, value: Any, _: Notation, name: str) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < len("20260105"):
        value = int(value)  # days since 1970-01-01, as an export has them
    if type(value) is not int:
        return day_in(value, name)
    try:
        return field.check(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value} is not a day such as 2024-05-31") from None


_OF_FIELDS: Mapping[Any, tuple[frozenset[type], Read]] = {
    str: (frozenset({str}), text_in),
    float: (frozenset({int, float}), _float_in),
    int: (frozenset({int}), _whole_number_in),
    bool: (frozenset({bool}), _boolean_in),
    datetime: (frozenset(), sendable_time_in),
    list: (frozenset(), list_in),
    dict: (frozenset(), partial(_json_of, dict)),
    Any: (frozenset({int, float, bool}), _object_or_value),
}
OF_CUSTOM: tuple[frozenset[type], Read] = (frozenset({str, int, float, bool}), json_value)
"""As `reader_for`, for a custom field whose type is not given."""
