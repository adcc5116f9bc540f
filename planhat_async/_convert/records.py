"""Records from rows, and back."""

from __future__ import annotations

import typing
from typing import Any, TypeVar

import cattrs

from planhat_async._convert import fields
from planhat_async._convert.fields import consumer
from planhat_async._convert.json import decode_json, row_id
from planhat_async._convert.row_reading import RowReader
from planhat_async._convert.values import kind_of
from planhat_async.errors import DecodeError
from planhat_async.records import Part, Record

R = TypeVar("R", bound=Record)


def _make_converter() -> cattrs.Converter:
    """A converter with a hook for each class of records and of the objects in them, made when it is first met."""
    converter = cattrs.Converter()
    converter.register_structure_hook_factory(_is_ours, consumer)
    converter.register_unstructure_hook_factory(_is_ours, lambda _: fields.unstructure)
    return converter


def _is_ours(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Record | Part)


converter = _make_converter()
_readers: dict[type, RowReader] = {}


def decode_record(cls: type[R], row: bytes, *, position: int | None = None) -> R:
    """The record in a row's bytes.

    Raises:
        DecodeError: The row cannot be read; it carries the row's `_id` and position.
    """
    reader = _readers.get(cls)
    if reader is None:
        reader = _readers.setdefault(cls, RowReader(cls))
    try:
        made: R = reader.read(row)
    except (ValueError, RecursionError):
        made = _decode_unusual(cls, row, position)
        reader.learn(made)
    return made


def _decode_unusual(cls: type[R], row: bytes, position: int | None) -> R:
    try:
        value = decode_json(row)
    except DecodeError as error:
        raise _unreadable(cls, row_id(row), position, error) from error
    if type(value) is not dict:
        raise _unreadable(cls, None, position, f"it has to be an object, not {kind_of(value)}")
    return converter.structure(value, cls)


def _unreadable(cls: type[Record], key: str | None, position: int | None, reason: object) -> DecodeError:
    named = "" if key is None else f" {key}"
    where = "" if position is None else f" at position {position}"
    return DecodeError(f"{cls.__name__}{named}{where} cannot be read: {reason}", id=key, position=position)


def unstructure(record: Record) -> dict[str, Any]:
    """The whole record as Planhat would send it, `extra` included."""
    return typing.cast("dict[str, Any]", converter.unstructure(record))
