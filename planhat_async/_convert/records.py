"""Records from rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import cattrs

from planhat_async._convert.fields import cached, fields_of
from planhat_async._convert.json import decode_json, row_id
from planhat_async._convert.row_reader import RowReader
from planhat_async._convert.values import kind_of
from planhat_async.errors import DecodeError
from planhat_async.records import Part, Record

R = TypeVar("R", bound=Record)
_reader_of = cached(RowReader)


def decode_record(cls: type[R], row: bytes, *, position: int | None = None) -> R:
    """The record in a row's bytes.

    Raises:
        DecodeError: The row cannot be read; the error carries the row's `_id` and position.
    """
    reader = _reader_of(cls)
    try:
        record: R = reader.read(row)
    except (ValueError, RecursionError):
        record = _decode_unusual(cls, row, position)
        reader.learn(record)
    return record


def _decode_unusual(cls: type[R], row: bytes, position: int | None) -> R:
    try:
        return converter.structure(decode_json(row), cls)
    except (DecodeError, TypeError) as error:
        key = row_id(row)
        named = "" if key is None else f" {key}"
        where = "" if position is None else f" at position {position}"
        message = f"{cls.__name__}{named}{where} cannot be read: {error}"
        raise DecodeError(message, id=key, position=position) from error


def _is_ours(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Record | Part)


def _structure_hook(cls: type) -> Callable[[Any, Any], Any]:
    """A cattrs hook from a dict to `cls`: unknown keys and values that a field cannot hold are kept in `extra`.

    The hooks that cattrs generates drop unknown keys, and turn `None` into the text "None".
    """
    fields = [
        (field.name, field.wire, partial(_read_parts, field.part) if field.part else field.read)
        for field in fields_of(cls).values()
    ]

    def structure(row: Any, _: Any) -> Any:
        if type(row) is not dict:
            raise TypeError(f"it has to be an object, not {kind_of(row)}")
        made = cls()
        made.extra = extra = row.copy()
        for name, wire, read in fields:
            value = extra.pop(wire, None)
            if value is None:
                continue
            try:
                setattr(made, name, value if read is None else read(value))
            except (TypeError, ValueError, OverflowError):
                extra[wire] = value
        return made

    return structure


def _read_parts(part: type, value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"a list, not {kind_of(value)}")
    return [converter.structure(item, part) for item in value]


converter = cattrs.Converter()
converter.register_structure_hook_factory(_is_ours, _structure_hook)
