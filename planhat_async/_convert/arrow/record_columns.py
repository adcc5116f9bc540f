"""The columns of records: one per field, with Planhat's names and the model's types.

Texts, booleans, whole numbers (64 bits), numbers, days, times (UTC, milliseconds) and lists of texts keep their types;
anything nested becomes JSON, and the column's metadata says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pyarrow as pa

from planhat_async._convert.arrow.arrow_values import JSON_COLUMN
from planhat_async._convert.fields import Field
from planhat_async._convert.json import encode_plain
from planhat_async._convert.timestamps import read_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
JSON = "JSON"
"""The kind of a column of JSON texts."""


@attrs.frozen
class Column:
    """The column of a field."""

    name: str
    """Planhat's name of the field; `custom.NAME` for a custom field."""
    type: pa.DataType
    convert: Callable[[Any], Any]
    """From the wire to the column; raises `TypeError`, `ValueError` or `OverflowError` if it cannot hold the value."""
    kind: Any = None
    """`JSON`, or the Python type of the values that the column holds as they are sent; `None` if it converts them."""

    @property
    def field(self) -> pa.Field:
        """Its field in the schema."""
        return pa.field(self.name, self.type, metadata=JSON_COLUMN if self.kind == JSON else None)


def column_of(field: Field) -> Column:
    """The column with the type of a field."""
    if field.type is datetime:
        return Column(field.wire, _TIME, lambda value: _milliseconds(field, value), datetime)
    if field.type is date:
        is_text = field.check(_EPOCH.date()) == "1970-01-01"  # other days are numbers
        return Column(field.wire, pa.date32(), lambda value: _day(field, value), date if is_text else None)
    return Column(field.wire, *_KINDS.get(field.type, _KINDS[JSON]))


def typed_column(name: str, kind: Any) -> Column:
    """A column with values of a Python type; for `object` texts, of JSON where a value is not text."""
    if kind is datetime:
        return Column(name, _TIME, lambda value: _whole_milliseconds(read_time(_text(value))), datetime)
    return Column(name, *_KINDS[kind])


def custom_column(name: str, values: list[Any]) -> Column:
    """The column of a custom field, whose type Planhat does not say, given its first values."""
    types = {type(value) for value in values if value is not None}
    if types and types <= {int, float}:
        return Column(name, *_KINDS[float])
    if types == {bool}:
        return Column(name, *_KINDS[bool])
    if types == {list} and all(type(item) is str for value in values for item in value or ()):
        return Column(name, *_KINDS[list[str]])
    return Column(name, *_KINDS[JSON if types & {dict, list} else str])


def _milliseconds(field: Field, value: Any) -> int:
    assert field.read is not None  # noqa: S101 - times have a reader
    return _whole_milliseconds(field.read(value))


def _whole_milliseconds(time: datetime) -> int:
    n_whole, rest = divmod(time - _EPOCH, _MILLISECOND)
    if rest:
        raise ValueError("a time between two milliseconds")
    return int(n_whole)


def _day(field: Field, value: Any) -> date:
    assert field.read is not None  # noqa: S101 - days have a reader
    day: date = field.read(value)
    if field.check(day) != value:
        raise ValueError("a day with a time, or written in another way")
    return day


def _of_type(*types: type) -> Callable[[Any], Any]:
    """A function that returns values of exactly these types, and raises `TypeError` for others."""

    def checked(value: Any) -> Any:
        if type(value) not in types:
            raise TypeError("a value of another type")
        return value

    return checked


_text, _whole, _number = _of_type(str), _of_type(int), _of_type(int, float)


def _int64(value: Any) -> Any:
    if not -(2**63) <= _whole(value) < 2**63:
        raise OverflowError("beyond 64 bits")
    return value


def _float(value: Any) -> float:
    number = float(_number(value))
    if number != value:
        raise ValueError("more digits than a float holds")
    return number


def _texts(value: Any) -> list[str]:
    if type(value) is not list:
        raise TypeError("not a list")
    return [_text(item) for item in value]


def _json(value: Any) -> str:
    return encode_plain(value).decode()


def _as_text(value: Any) -> str:
    return value if type(value) is str else _json(value)


_TIME = pa.timestamp("ms", tz="UTC")
_KINDS: dict[Any, tuple[pa.DataType, Callable[[Any], Any], Any]] = {
    str: (pa.string(), _text, str),
    bool: (pa.bool_(), _of_type(bool), bool),
    int: (pa.int64(), _int64, int),
    float: (pa.float64(), _float, float),
    list[str]: (pa.list_(pa.string()), _texts, list[str]),
    object: (pa.string(), _as_text, None),
    JSON: (pa.string(), _json, JSON),
}
