"""Records from rows, and rows from records."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import cattrs

from planhat_async._convert import fields
from planhat_async._convert.fields import PARTS, Field, consumer, fields_of, spellings_of, unknown_field
from planhat_async._convert.json import decode_json, row_id
from planhat_async._convert.values import kind_of
from planhat_async.errors import DecodeError
from planhat_async.models import Note, Record, Task, Ticket

R = TypeVar("R", bound=Record)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for cls in (*PARTS, Note, Task, Ticket):
        converter.register_structure_hook(cls, consumer(cls))
        converter.register_unstructure_hook(cls, fields.unstructure)
    return converter


converter = _make_converter()
_HOOKS = {cls: converter.get_structure_hook(cls) for cls in (Note, Task, Ticket)}
"""Fetched once: cattrs would look each up for every row."""


def decode_record(cls: type[R], row: bytes, *, position: int | None = None) -> R:
    """The record in a row's bytes.

    Raises:
        DecodeError: The row cannot be read; it carries the row's `_id` and position.
    """
    try:
        value = decode_json(row)
    except DecodeError as error:
        raise _unreadable(cls, row_id(row), position, error) from error
    if type(value) is not dict:
        raise _unreadable(cls, None, position, f"an object, not {kind_of(value)}")
    made: R = _HOOKS[cls](value, cls)  # type: ignore[index]
    return made


def _unreadable(cls: type[Record], key: str | None, position: int | None, reason: object) -> DecodeError:
    where = "" if position is None else f" at position {position}"
    return DecodeError(f"{cls.__name__} {key}{where} cannot be read: {reason}", id=key, position=position)


def unstructure(record: Record) -> dict[str, Any]:
    """The whole record as Planhat would send it, `extra` included."""
    return typing.cast("dict[str, Any]", converter.unstructure(record))


def to_write(cls: type[Record], row: Record | Mapping[str, Any]) -> dict[str, Any]:
    """What is sent for a row: a record's writable fields that are set, or exactly what a mapping holds.

    A mapping's keys may be in either spelling.

    Raises:
        ValueError: A field nobody knows (Planhat would drop it silently), or a value Planhat would not understand.
        TypeError: Not a record of this model, nor a mapping; or a value of the wrong type.
    """
    if isinstance(row, cls):
        held = ((f, getattr(row, f.name)) for f in fields_of(cls).values() if f.is_writable)
        items = ((f, value) for f, value in held if value is not None and (value or f.name != "custom"))
    elif isinstance(row, Mapping):
        items = ((_named(cls, key), value) for key, value in row.items())
    else:
        raise TypeError(f"a {cls.__name__} or a mapping, not {type(row).__name__}")
    out: dict[str, Any] = {}
    for field, value in items:
        if field.wire in out:
            raise ValueError(f"{field.name} is given twice, in both spellings")
        out[field.wire] = None if value is None else _checked(field, value)
    return out


def _checked(field: Field, value: Any) -> Any:
    try:
        return field.check(value)
    except TypeError as error:
        raise TypeError(f"{field.name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from None


def _named(cls: type[Record], name: Any) -> Field:
    field = spellings_of(cls).get(name)
    if field is None:
        raise ValueError(unknown_field(cls, name))
    return field
