"""The values of a column of Arrow as Python's own, for Parquet files and for tables.

pyarrow itself ends a whole batch at one value that Python cannot hold, and depends on pandas for nanoseconds. Here
times, days and floats are made from their numbers, and such a value becomes an `UnreadableValue` of its row.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pyarrow as pa
from pyarrow import types

from planhat_async._convert.json import decode_json
from planhat_async._convert.timestamps import placed_in
from planhat_async.errors import DecodeError
from planhat_async.results import UnreadableValue

JSON_COLUMN = {b"planhat_async.encoding": b"json"}
"""The metadata of a column of texts whose values are the JSON in them."""

_Convert: TypeAlias = Callable[[pa.Array], list[Any]]
_UNREADABLE = (pa.ArrowException, ValueError, OverflowError, TypeError, NotImplementedError)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MICROSECONDS_PER_DAY = 86_400 * 10**6
_UTC_NAMES = {"utc", "z", "etc/utc", "gmt", "+00:00"}


@attrs.frozen(kw_only=True)
class ValueRules:
    """How values are read for which Arrow leaves a choice."""

    zone: tzinfo | None = None
    """The zone of times without one, if they get one."""
    is_nan_missing: bool = False
    """Whether NaN is a missing value; otherwise it cannot be read."""


_AS_STORED = ValueRules()


def column_values(field: pa.Field, array: pa.Array, rules: ValueRules = _AS_STORED) -> list[Any]:
    """The values of a column: texts, numbers, `Decimal`, times, days, `bytes`, `UUID`, lists and dicts.

    Nothing changes its value, with two exceptions: a time is cut to microseconds, and a float of 32 or 16 bits becomes
    the shortest decimal number that is the same float: 0.1, not 0.10000000149011612.
    """
    return _converter(field, rules)(array)


def _converter(field: pa.Field, rules: ValueRules) -> _Convert:
    """The function for the arrays of a field."""
    kind, name = field.type, _extension_name(field)
    if isinstance(kind, pa.BaseExtensionType):
        plain = _converter(pa.field(field.name, kind.storage_type), rules)
        return lambda array: _extended(name, plain(array.storage))
    if name:
        plain = _converter(field.remove_metadata(), rules)
        return lambda array: _extended(name, plain(array))
    if types.is_dictionary(kind):
        of_values = _converter(pa.field(field.name, kind.value_type), rules)
        return partial(_dictionary_values, of_values)
    if types.is_nested(kind):
        return _nested_converter(kind, rules)
    if JSON_COLUMN.items() <= (field.metadata or {}).items():
        return lambda array: _each(_json_value, _plain_values(array))
    return next((make(kind, rules) for is_kind, make in _CONVERTERS if is_kind(kind)), _plain_values)


def _dictionary_values(of_values: _Convert, array: pa.DictionaryArray) -> list[Any]:
    try:
        return of_values(array.dictionary_decode())
    except pa.ArrowNotImplementedError:  # views of texts, which polars has in categories
        held = array.dictionary
        return [None if index is None else _value_of(held[index]) for index in array.indices.to_pylist()]


def _extension_name(field: pa.Field) -> str:
    """The name of an extension type; of one that is not registered the field's metadata has it."""
    name: bytes | str = getattr(field.type, "extension_name", "") or (field.metadata or {}).get(
        b"ARROW:extension:name", b""
    )
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _extended(name: str, values: list[Any]) -> list[Any]:
    """Values of an extension type, from those that are stored."""
    if name in {"arrow.uuid", "arrow.bool8"}:
        return _each((lambda stored: UUID(bytes=stored)) if name == "arrow.uuid" else bool, values)
    return values if name == "arrow.json" else _none_of(f"a value of the type {name}", values)


def _nested_converter(kind: Any, rules: ValueRules) -> _Convert:
    if types.is_map(kind):
        keys, items = _converter(kind.key_field, rules), _converter(kind.item_field, rules)
        return partial(_each_list, lambda entries: _dict_of(keys(entries.field(0)), items(entries.field(1))))
    if types.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        return partial(_structs, [field.name for field in fields], [_converter(field, rules) for field in fields])
    if not hasattr(kind, "value_field"):
        return partial(_none_of_array, f"a value of the type {kind}")
    of_items = _converter(kind.value_field, rules)
    if of_items is _plain_values:
        return _plain_values  # a few times faster
    return partial(_each_list, lambda items: _whole(of_items(items)))


def _each_list(convert: Callable[[pa.Array], Any], array: pa.Array) -> list[Any]:
    """What is made of the items of each list."""
    return [convert(scalar.values) if scalar.is_valid else None for scalar in array]


def _structs(names: list[str], converters: list[_Convert], array: pa.StructArray) -> list[Any]:
    if len(set(names)) < len(names):
        return _none_of_array("an object with two fields of one name", array)
    columns = [convert(child) for convert, child in zip(converters, array.flatten(), strict=True)]
    rows: Iterable[tuple[Any, ...]] = zip(*columns, strict=True) if columns else [()] * len(array)
    is_there = array.is_valid().to_pylist()
    return [_object(names, row) if is_valid else None for row, is_valid in zip(rows, is_there, strict=True)]


def _object(names: list[str], values: tuple[Any, ...]) -> Any:
    found = _whole(list(values))
    return found if isinstance(found, UnreadableValue) else dict(zip(names, found, strict=True))


def _dict_of(keys: list[Any], items: list[Any]) -> Any:
    """The dict of a map, whose keys must be texts, each once: it is sent as a JSON object."""
    found = _whole([*keys, *items])
    if isinstance(found, UnreadableValue):
        return found
    if not all(isinstance(key, str) for key in keys):
        return UnreadableValue("a map with a key that is not text")
    made = dict(zip(keys, items, strict=True))
    return made if len(made) == len(keys) else UnreadableValue("a map that has a key twice")


def _whole(values: list[Any]) -> Any:
    """The values, or the first of them that cannot be read."""
    return next((value for value in values if type(value) is UnreadableValue), values)


def _plain_values(array: pa.Array) -> list[Any]:
    """Values as pyarrow returns them; one by one if one of them cannot be read."""
    try:
        values: list[Any] = array.to_pylist()
    except _UNREADABLE:
        values = [*map(_value_of, array)]
    return values


def _value_of(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return UnreadableValue("text that is not UTF-8")
    except _UNREADABLE as error:
        return UnreadableValue(f"a value that cannot be read: {error}")


def _each(convert: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    """Convert each value; `ValueError` gives the reason why one cannot be read."""

    def converted(value: Any) -> Any:
        if value is None or type(value) is UnreadableValue:
            return value
        try:
            return convert(value)
        except ValueError as error:
            return UnreadableValue(str(error))

    return [*map(converted, values)]


def _none_of(what: str, values: Iterable[Any]) -> list[Any]:
    """Values that have no form in JSON."""
    refused = UnreadableValue(f"{what}, which has no form in JSON")
    return [None if value is None else refused for value in values]


def _none_of_array(what: str, array: pa.Array) -> list[Any]:
    return _none_of(what, (True if is_valid else None for is_valid in array.is_valid().to_pylist()))


def _json_value(text: str) -> Any:
    try:
        return decode_json(text.encode(), is_input=True)
    except DecodeError:
        raise ValueError("text that is not JSON") from None


def _times(kind: Any, rules: ValueRules) -> _Convert:
    zone = None if kind.tz is None else _zone(kind.tz)
    convert = partial(_time, _PER_SECOND[kind.unit], datetime(1970, 1, 1, tzinfo=zone and UTC), zone)
    if zone is None and rules.zone is not None:
        place = rules.zone
        return lambda array: _each(
            lambda number: placed_in(place, convert(number))[0], array.cast(pa.int64()).to_pylist()
        )
    return lambda array: _each(convert, array.cast(pa.int64()).to_pylist())


def _time(per_second: int, epoch: datetime, zone: tzinfo | None, number: int) -> datetime:
    try:
        at = epoch + timedelta(microseconds=number * 10**6 // per_second)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999") from None
    if zone is None or zone is UTC:
        return at
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at  # within hours of the calendar's end


def _zone(name: str) -> tzinfo:
    """The zone of a column; UTC, in which its times are stored, for an unknown one."""
    if name.lower() in _UTC_NAMES:
        return UTC
    try:
        if name[:1] in {"+", "-"}:
            offset = datetime.strptime(name, "%z").utcoffset()
            return UTC if offset is None else timezone(offset)
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def _days(kind: Any, _: ValueRules) -> _Convert:
    stored, per_day = (pa.int32(), 1) if types.is_date32(kind) else (pa.int64(), 86_400_000)
    return lambda array: _each(partial(_day, per_day), array.cast(stored).to_pylist())


def _day(per_day: int, number: int) -> date:
    try:
        return date.fromordinal(_EPOCH_DAY + number // per_day)
    except (ValueError, OverflowError):
        raise ValueError("a day outside the years 1 to 9999") from None


def _times_of_day(kind: Any, _: ValueRules) -> _Convert:
    stored = pa.int32() if types.is_time32(kind) else pa.int64()
    return lambda array: _each(partial(_time_of_day, _PER_SECOND[kind.unit]), array.cast(stored).to_pylist())


def _time_of_day(per_second: int, number: int) -> time:
    microseconds = number * 10**6 // per_second
    if not 0 <= microseconds < _MICROSECONDS_PER_DAY:
        raise ValueError("a time of day outside of 24 hours")
    return (datetime(1970, 1, 1) + timedelta(microseconds=microseconds)).time()  # noqa: DTZ001 - a time has no zone


def _floats(kind: Any, rules: ValueRules) -> _Convert:
    convert: Callable[[Any], float] = _finite
    if not types.is_float64(kind):
        code, digits = ("f", range(6, 10)) if types.is_float32(kind) else ("e", range(3, 6))
        convert = partial(_shortest_finite, code, digits)
    if not rules.is_nan_missing:
        return lambda array: _each(convert, array.to_pylist())
    return lambda array: _each(lambda number: None if math.isnan(number) else convert(number), array.to_pylist())


def _shortest_finite(code: str, digits: Iterable[int], number: Any) -> float:
    return shortest(_finite(number), code, digits)


def _finite(number: Any) -> float:
    if not math.isfinite(number):
        raise ValueError("NaN, which is not a number" if math.isnan(number) else "an infinite number")
    return float(number)


def shortest(number: float, code: str, digits: Iterable[int]) -> float:
    """The number with the fewest digits that is the same float of few bits, with this code in `struct`.

    A whole number stays what it is: 65504, not 65500.
    """
    if number.is_integer():
        return number
    packed = struct.pack(code, number)
    for n_digits in digits:
        rounded = float(f"{number:.{n_digits}g}")
        try:
            if struct.pack(code, rounded) == packed:
                return rounded
        except OverflowError:
            continue
    return number


_CONVERTERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, ValueRules], _Convert]], ...] = (
    (types.is_timestamp, _times),
    (types.is_date, _days),
    (types.is_time, _times_of_day),
    (types.is_floating, _floats),
    (lambda kind: types.is_duration(kind) or types.is_interval(kind), lambda *_: partial(_none_of_array, "a duration")),
)
