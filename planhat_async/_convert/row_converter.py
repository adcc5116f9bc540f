"""Rows as Planhat's JSON: checked, and spelled in camelCase.

Every field of every row is converted here, so the wire name of each field and the one type whose values need no
further check are looked up beforehand. Any other value goes through the field's own check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from planhat_async._convert.addresses import PLAIN_ADDRESS
from planhat_async._convert.codegen import generated_function
from planhat_async._convert.fields import Field, cached, fields_of, spellings_of, unknown_field, writes_custom
from planhat_async._convert.json import encode_plain, is_plain, plain
from planhat_async._convert.row_objects import held_by_object
from planhat_async._convert.timestamps import PLANHATS_TIME
from planhat_async._convert.values import SCALAR_CHECKS, is_finite
from planhat_async.records import Record

Spelling: TypeAlias = tuple[str, type | None, Callable[[Any], Any]]
"""A field's wire name, the type whose values are sent unchanged, and the check of any other value."""


class RowConverter:
    """Converts rows of one model: records, or mappings with keys in either spelling.

    Its results hold nothing that JSON cannot express, so `encode_plain` encodes them.

    Args:
        cls: The model's class.
        match: The fields that rows are matched on: a key that is `None` is removed from a row afterwards.
    """

    def __init__(self, cls: type[Record], match: tuple[str, ...] = ()) -> None:
        self._cls = cls
        self._spelled: dict[str, Spelling] = {
            name: (field.wire, unchecked_type(field), _check_of(field)) for name, field in spellings_of(cls).items()
        }
        fields = fields_of(cls).values()
        self._types = dict.fromkeys(self._spelled) | {field.wire: unchecked_type(field) for field in fields}
        # A row from which a key is removed must not be the caller's own mapping.
        self._may_be_none = {field.wire for field in fields if field.name not in match}
        self._spellings = {field.wire: pattern.fullmatch for field in fields if (pattern := _spelling_of(field))}
        self._tests = {field.wire: test for field in fields if (test := _test_of(field))}
        self._from_record: Callable[[Record], dict[str, Any]] = generated_function(
            _lines_for_record(fields),
            {f"check_{field.name}": _check_of(field) for field in fields},
            name=f"{cls.__name__} to a row",
        )
        self.names_of_set: Callable[[Record], tuple[str | None, ...]] = generated_function(
            _lines_for_names_of_set(fields), name=f"names of set fields of {cls.__name__}"
        )
        """Returns `None` and the names of a record's writable fields that are set."""

    def to_wire(self, row: Any) -> dict[str, Any]:
        """A record's writable fields that are set, or exactly what a mapping holds.

        A pydantic model, a dataclass or an object of an attrs class is a mapping of its fields that are not `None`.

        A mapping that needs no change is returned itself: do not change the result.

        Raises:
            ValueError: An unknown field (Planhat would drop it silently), or a value that Planhat would not understand.
            TypeError: Not a record of this model, nor a mapping; or a value of the wrong type.
        """
        if type(row) is dict:
            types = self._types
            try:
                for name, value in row.items():
                    # Brackets take a third less time than `get`, and nearly every name is known.
                    if types[name] is not type(value) and not self.is_sendable(name, value):
                        break
                else:
                    return row
            except KeyError:
                pass
            return self._from_mapping(row)
        if isinstance(row, self._cls):
            return self._from_record(row)
        if isinstance(row, Mapping):
            return self._from_mapping(row)
        if (held := held_by_object(row)) is not None:
            return self._from_mapping(held)
        name = self._cls.__name__
        record = "" if self._cls.HAS_OTHER_FIELDS else f"{'an' if name[0] in 'AEIO' else 'a'} {name} or "
        raise TypeError(f"{record}a mapping, not {type(row).__name__}")

    def is_sendable(self, name: Any, value: Any) -> bool:
        """Whether a value that is not of the unchecked type of the field with this wire name is sent unchanged."""
        if type(value) is str:
            matches = self._spellings.get(name)
            return matches is not None and matches(value) is not None
        if value is None:
            return name in self._may_be_none
        test = self._tests.get(name)
        return test is not None and test(value)

    def _from_mapping(self, row: Mapping[str, Any]) -> dict[str, Any]:
        spelled = self._spelled
        out: dict[str, Any] = {}
        for name, value in row.items():
            spelling = spelled.get(name) or self._unknown(name)
            wire, plain_type, check = spelling
            out[wire] = value if value is None or type(value) is plain_type else check(value)
        if len(out) != len(row):
            fields = (field for field in fields_of(self._cls).values() if field.name != field.wire)
            twice = next(field.name for field in fields if {field.name, field.wire} <= row.keys())
            raise ValueError(f"{twice} is given twice, in both spellings")
        return out

    def _unknown(self, name: Any) -> Spelling:
        if not self._cls.HAS_OTHER_FIELDS or not isinstance(name, str):
            if isinstance(name, str) and writes_custom(self._cls) and (own := name.removeprefix("custom.")) != name:
                raise ValueError(f"{self._cls.__name__} has no field {name!r}: say custom={{{own!r}: …}}")
            raise ValueError(unknown_field(self._cls, name, is_written=True))
        return name, None, partial(_checked, name, plain)


row_converter = cached(RowConverter)
"""The converter of a class and of the fields that its rows are matched on, made once."""


def to_wire(cls: type[Record], row: Record | Mapping[str, Any]) -> dict[str, Any]:
    """The row as Planhat's JSON; see `RowConverter.to_wire`."""
    return row_converter(cls).to_wire(row)


def encode_row(cls: type[Record], wire: Mapping[str, Any]) -> bytes:
    """A result of `to_wire` as JSON; raises ValueError that names a field whose text or number has no form in JSON."""
    try:
        return encode_plain(wire)
    except ValueError:
        names = {field.wire: field.name for field in fields_of(cls).values()}
        for name, value in wire.items():
            _checked(names.get(name, name), encode_plain, value)
        raise


def unchecked_type(field: Field) -> type | None:
    """The type of which Planhat understands every value of a field."""
    if field.type is float:
        return int  # a float may be infinite
    return field.type if field.type in {str, bool, int} and not field.holds_addresses else None


def _spelling_of(field: Field) -> re.Pattern[str] | None:
    """The pattern of texts that are sent unchanged, of a field whose texts are checked."""
    if field.holds_addresses and field.type is str:
        return PLAIN_ADDRESS
    return PLANHATS_TIME if field.type is datetime else None


def _test_of(field: Field) -> Callable[[Any], bool] | None:
    """A quick test of a field's other values, if it has one: whether a value is sent unchanged."""
    if field.name == "custom":
        return is_plain
    if field.type is float:
        return is_finite
    return _are_texts if field.type == list[str] and not field.holds_addresses else None


def _lines_for_record(fields: Iterable[Field]) -> Iterator[str]:
    """Lines that convert a record's fields that are set."""
    yield "out = {}"
    for field in fields:
        if not field.is_writable:
            continue
        plain_type = unchecked_type(field)
        checked = f"check_{field.name}(value)"
        yield f"value = row.{field.name}"
        yield "if value:" if field.name == "custom" else "if value is not None:"
        written = f"value if type(value) is {plain_type.__name__} else {checked}" if plain_type else checked
        yield f"    out[{field.wire!r}] = {written}"
    yield "return out"


def _lines_for_names_of_set(fields: Iterable[Field]) -> Iterator[str]:
    """Lines that list a record's fields that are set."""
    yield "out = [None]"
    for field in fields:
        if field.is_writable:
            is_set = f"row.{field.name}" if field.name == "custom" else f"row.{field.name} is not None"
            yield f"if {is_set}: out.append({field.name!r})"
    yield "return tuple(out)"


def _check_of(field: Field) -> Callable[[Any], Any]:
    if field.type in SCALAR_CHECKS:
        return partial(_checked, field.name, field.check)
    if field.type == list[str] and not field.holds_addresses:
        return partial(_check_texts, partial(_checked, field.name, field.check))
    return partial(_checked, field.name, lambda value: plain(field.check(value)))


def _check_texts(check: Callable[[Any], Any], value: Any) -> Any:
    return value if _are_texts(value) else check(value)


def _are_texts(items: Any) -> bool:
    if type(items) is not list:
        return False
    for item in items:  # noqa: SIM110 - `all` with a generator takes longer
        if type(item) is not str:
            return False
    return True


def _checked(name: str, check: Callable[[Any], Any], value: Any) -> Any:
    """The value as it is sent; errors name the field."""
    try:
        return check(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
