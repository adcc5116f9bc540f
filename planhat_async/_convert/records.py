"""Records from rows, and rows from records."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import cattrs

from planhat_async._convert import fields
from planhat_async._convert.fields import PARTS, Field, fields_of, spellings_of, structurer, unknown_field
from planhat_async._convert.json import RawRow, decode_json
from planhat_async.errors import DecodeError
from planhat_async.models import Note, Record, Task, Ticket

R = TypeVar("R", bound=Record)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for cls in (*PARTS, Note, Task, Ticket):
        structure = structurer(cls)
        converter.register_structure_hook(cls, lambda value, _, structure=structure: structure(value))
        converter.register_unstructure_hook(cls, fields.unstructure)
    return converter


converter = _make_converter()


def structure(cls: type[R], row: Any, *, position: int | None = None) -> R:
    """The record in a decoded row.

    Raises:
        DecodeError: The row cannot be read; it carries the row's `_id` and position.
    """
    try:
        return converter.structure(row, cls)
    except (TypeError, ValueError) as error:
        key = row.get("_id") if isinstance(row, Mapping) else None
        where = "" if position is None else f" at position {position}"
        raise DecodeError(f"{cls.__name__} {key}{where} cannot be read: {error}", id=key, position=position) from error


def decode_record(cls: type[R], row: bytes | RawRow, *, position: int | None = None) -> R:
    """The record in a row's bytes; see `structure`."""
    return structure(cls, decode_json(bytes(row)), position=position)


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
