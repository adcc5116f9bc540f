"""Rows on their way out: checked and spelled as Planhat has it.

Every field of every row passes here, so what can be known beforehand is looked up: for each field its wire name,
and the one type whose values need no further check. Everything unusual goes through the field's own check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from planhat_async._convert.fields import Field, fields_of, spellings_of, unknown_field
from planhat_async._convert.generating import generate
from planhat_async._convert.json import is_plain, plain
from planhat_async.records import Record

Spelling: TypeAlias = tuple[str, type | None, Callable[[Any], Any]]
"""A field's wire name, the type whose values are sent as they are, and what checks any other value."""


class Writer:
    """Writes rows of one model: records, or mappings with keys in either spelling.

    What it makes holds nothing that JSON has no form for, so `encode_plain` encodes it.

    Args:
        cls: The model's class.
        match: The fields that rows are matched on: a key that is `None` is taken out of a row afterwards.
    """

    def __init__(self, cls: type[Record], match: tuple[str, ...] = ()) -> None:
        self._cls = cls
        self._spelled: dict[str, Spelling] = {name: _spelling_of(field) for name, field in spellings_of(cls).items()}
        fields = fields_of(cls).values()
        self._types = dict.fromkeys(self._spelled) | {f.wire: _type_that_passes(f) for f in fields}
        # A row from which a key is taken must not be the caller's own mapping.
        self._may_be_none = {field.wire for field in fields if field.name not in match}
        self._texts = {field.wire for field in fields if field.type == list[str]}
        self._write_record: Callable[[Record], dict[str, Any]] = generate(
            _lines_for_record(fields),
            {f"check_{f.name}": _check_of(f) for f in fields},
            name=f"{cls.__name__} to a row",
        )

    def write(self, row: Any) -> dict[str, Any]:
        """What is sent for a row: a record's writable fields that are set, or exactly what a mapping holds.

        Where a mapping needs no change it is the mapping itself: leave what comes back as it is.

        Raises:
            ValueError: An unknown field (Planhat would drop it silently), or a value that Planhat would not understand.
            TypeError: Not a record of this model, nor a mapping; or a value of the wrong type.
        """
        if type(row) is dict:
            types = self._types
            try:
                for name, value in row.items():
                    # Brackets take a third less time than `get`, and nearly every name is known.
                    if types[name] is not type(value) and not self._passes(name, value):
                        break
                else:
                    return row
            except KeyError:
                pass
            return self._write_mapping(row)
        if isinstance(row, self._cls):
            return self._write_record(row)
        if isinstance(row, Mapping):
            return self._write_mapping(row)
        name = self._cls.__name__
        raise TypeError(f"{'an' if name[0] in 'AEIO' else 'a'} {name} or a mapping, not {type(row).__name__}")

    def _passes(self, name: Any, value: Any) -> bool:
        """Whether a value that is no simple one is sent as it is."""
        if value is None:
            return name in self._may_be_none
        if name in self._texts:
            return type(value) is list and _are_texts(value)
        return name == "custom" and is_plain(value)

    def _write_mapping(self, row: Mapping[str, Any]) -> dict[str, Any]:
        spelled = self._spelled
        out: dict[str, Any] = {}
        for name, value in row.items():
            spelling = spelled.get(name)
            if spelling is None:
                raise ValueError(unknown_field(self._cls, name))
            wire, passes, check = spelling
            out[wire] = value if value is None or type(value) is passes else check(value)
        if len(out) != len(row):
            raise ValueError(f"{self._given_twice(row)} is given twice, in both spellings")
        return out

    def _given_twice(self, row: Mapping[str, Any]) -> str:
        fields = (field for field in fields_of(self._cls).values() if field.name != field.wire)
        return next(field.name for field in fields if {field.name, field.wire} <= row.keys())


_known: dict[tuple[type[Record], tuple[str, ...]], Writer] = {}


def writer_of(cls: type[Record], match: tuple[str, ...] = ()) -> Writer:
    """The writer of a class, made once.

    Args:
        cls: The class.
        match: The fields that rows are matched on, if they are to be upserted.
    """
    if (cls, match) not in _known:
        _known[cls, match] = Writer(cls, match)
    return _known[cls, match]


def to_write(cls: type[Record], row: Record | Mapping[str, Any]) -> dict[str, Any]:
    """What is sent for a row; see `Writer.write`."""
    return writer_of(cls).write(row)


def _type_that_passes(field: Field) -> type | None:
    """The type whose values Planhat understands for a field, whatever they are."""
    if field.type is float:
        return int  # a float may be infinite
    return field.type if field.type in {str, bool, int} else None


def _lines_for_record(fields: Iterable[Field]) -> Iterator[str]:
    """Lines that write a record's fields that are set."""
    yield "out = {}"
    for field in fields:
        if not field.is_writable:
            continue
        passes = _type_that_passes(field)
        checked = f"check_{field.name}(value)"
        yield f"value = row.{field.name}"
        yield "if value:" if field.name == "custom" else "if value is not None:"
        written = f"value if type(value) is {passes.__name__} else {checked}" if passes else checked
        yield f"    out[{field.wire!r}] = {written}"
    yield "return out"


def _spelling_of(field: Field) -> Spelling:
    return field.wire, _type_that_passes(field), _check_of(field)


def _check_of(field: Field) -> Callable[[Any], Any]:
    if field.type is datetime:
        return partial(_checked, field, field.check)
    if field.type == list[str]:
        return partial(_check_texts, partial(_checked, field, field.check))
    return partial(_checked, field, lambda value: plain(field.check(value)))


def _check_texts(careful: Callable[[Any], Any], value: Any) -> Any:
    return value if type(value) is list and _are_texts(value) else careful(value)


def _are_texts(items: list[Any]) -> bool:
    for item in items:
        if type(item) is not str:
            break
    else:
        return True
    return False


def _checked(field: Field, check: Callable[[Any], Any], value: Any) -> Any:
    """The value as it is sent, or an error that names the field."""
    try:
        return check(value)
    except TypeError as error:
        raise TypeError(f"{field.name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from None
