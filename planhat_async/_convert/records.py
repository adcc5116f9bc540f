"""Records from rows, and back."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import cattrs

from planhat_async._convert import fields
from planhat_async._convert.fields import PARTS, structurer
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
