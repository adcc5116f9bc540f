"""Lists in a cell, and values of JSON: decisions only."""

from __future__ import annotations

import csv
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from planhat_async._convert import decode_json
from planhat_async.errors import DecodeError
from planhat_async.jobs.mapping.cell_numbers import number_in, shown
from planhat_async.jobs.mapping.notation import Notation

_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})


def list_in(value: Any, notation: Notation, name: str, *, separator: str | None = None) -> list[Any]:
    """The list that a text or a typed value stands for: JSON, or items between separators.

    Raises:
        ValueError: The value is not a list.
    """
    if isinstance(value, list | tuple):
        return list(json_value(value, notation, name))
    if not isinstance(value, str) or not value.strip():  # an empty list would empty the field
        raise ValueError(f"{name}: {shown(value)} is not a list")
    if value.lstrip().startswith("["):
        return list(json_in(value, list, name))
    if not (items := split_list(value, notation.separates(value, name) if separator is None else separator)):
        raise ValueError(f"{name}: {shown(value)} is a list without items; write [] to empty the field")
    return items


def split_list(text: str, separator: str) -> list[str]:
    """The items of a list, without blanks around them and without blank ones; an item in quotes may hold separators."""
    parts: list[str] = []
    if '"' in text and len(separator) == 1 and separator not in '"\r\n':
        try:
            parts = next(csv.reader([text], delimiter=separator, skipinitialspace=True, strict=True), [])
        except csv.Error:
            parts = []  # the quotes are part of the items
    return [item for part in parts or text.split(separator) if (item := part.strip())]


def json_in(text: str, expected: type, name: str) -> Any:
    """The JSON list, or object, in a text.

    Raises:
        ValueError: The text is not of the expected type.
    """
    try:
        value = decode_json(text.encode(), is_input=True)
        if isinstance(value, expected):
            return value
    except (DecodeError, ValueError):
        pass
    what = "a JSON list" if expected is list else "a JSON object" if expected is dict else "JSON"
    raise ValueError(f"{name}: {shown(text)} is not {what}")


def json_value(value: Any, notation: Notation, name: str) -> Any:
    """A typed value as JSON can express it, with all of its digits; the same object if nothing has to be changed.

    Raises:
        ValueError: JSON has nothing for it, or it is a time without a zone, or nested too deep.
    """
    try:
        return _json_value(value, notation, name)
    except RecursionError:
        raise ValueError(f"{name}: nested too deep") from None


def _json_value(value: Any, notation: Notation, name: str) -> Any:
    if type(value) in _PLAIN_TYPES:
        return value
    if isinstance(value, dict):
        if set(map(type, value.values())) <= _PLAIN_TYPES:
            return value
        return {key: _json_value(item, notation, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item, notation, name) for item in value]
    return _scalar(value, notation, name)


def _scalar(value: Any, notation: Notation, name: str) -> Any:
    """As `json_value`, of a value that holds no others. Conversion writes a time with a zone."""
    if isinstance(value, datetime):
        return notation.in_zone(value, name) if value.tzinfo is None else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number_in(value, name)
    if isinstance(value, UUID):
        return str(value)
    raise ValueError(f"{name}: {shown(value)} ({type(value).__name__}) cannot be sent as JSON")
