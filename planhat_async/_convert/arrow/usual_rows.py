"""Usual rows of JSON as the values of columns, without an object for each value of a nested one.

A row is parsed into a struct with a field per column, whose values Arrow then converts a column at a time. An unusual
row, such as one with a value of another type, is refused, and converted exactly elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import accumulate
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import compute as pc

from planhat_async._convert.arrow.record_columns import JSON, Column
from planhat_async._convert.json import encode_plain

_CUSTOM = "custom."
_REFUSED = re.compile(r'["\\\x00-\x1f]')
"""Characters that JSON escapes: no field of a struct can be decoded from a name with one."""
_MAX_OTHERS = 200
"""Undocumented fields that are expected: a server that names them after its data must not fill memory."""
_TYPES: dict[Any, Any] = {datetime: str | None, date: str | None, float: int | float | None, JSON: msgspec.Raw}
"""The types whose values a column of a kind holds; a whole number is not a float yet, to keep its digits."""
_NULL = msgspec.Raw(b"null")
_DAY_OR_TIME = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d))?$"


class UsualRows:
    """Decodes usual rows.

    Args:
        columns: The columns of the rows.
        has_others: Whether fields without a column are returned too; otherwise they are ignored.
        ignored: Fields that are ignored nevertheless.
    """

    def __init__(self, columns: Sequence[Column], *, has_others: bool, ignored: Sequence[str] = ()) -> None:
        self._columns = [*columns]
        self._plain = [column for column in columns if not column.name.startswith(_CUSTOM)]
        self._custom = [column for column in columns if column.name.startswith(_CUSTOM)]
        self._has_others = has_others
        self._ignored = {*ignored}
        self._others: tuple[str, ...] = tuple(ignored)
        # Of all rows, one row behind the other: cut into columns in a third of the time that `zip` takes.
        self._values: list[Any] = []
        self._begin()

    def add(self, row: bytes) -> None:
        """Add a row.

        Raises:
            ValueError: It is unusual, and not added.
            RecursionError: It is nested too deep, and not added.
        """
        if b"\\" in row and (b"\\ud" in row or b"\\uD" in row):
            raise ValueError("it may hold half of a character, which is replaced")
        self._values += self._decode(row)

    def learn(self, names: Iterable[str]) -> None:
        """Expect these fields without a column in rows that follow; call `take_arrays` before."""
        known = {*self._others, *(column.name for column in self._plain)} | ({"custom"} if self._custom else set())
        new = [name for name in names if name not in known and not _REFUSED.search(name)]
        self._others = (*self._others, *new)[:_MAX_OTHERS]
        self._begin()

    def take_arrays(self) -> tuple[list[pa.Array], list[int]]:
        """The rows that were added, which then are no longer held.

        Returns:
            The columns in their order, then the texts of other fields; and the indexes of rows that are left out,
            because they have a time or a day in an unusual form, and must be converted exactly.

        Raises:
            ValueError, TypeError, OverflowError: A column cannot hold a value; these include Arrow's own errors. The
                rows are no longer held.
        """
        width = len(self._columns) + len(self._others)
        values = [self._values[place::width] for place in range(width)]
        self._values = []
        unusual = self._unusual_times(values)
        if unusual:
            skipped = {*unusual}
            values = [[one for index, one in enumerate(column) if index not in skipped] for column in values]
        n_plain, n_others = len(self._plain), len(self._others)
        by_name = dict(zip((column.name for column in self._plain), values, strict=False))
        by_name |= zip((column.name for column in self._custom), values[n_plain + n_others :], strict=True)
        arrays = [_array(column, by_name[column.name]) for column in self._columns]
        n_rows = len(arrays[0]) if arrays else 0
        return [*arrays, self._other_texts(values[n_plain : n_plain + n_others], n_rows)], unusual

    def _begin(self) -> None:
        self._decode = self._decoder()
        self._values = []

    def _unusual_times(self, values: Sequence[Sequence[Any]]) -> list[int]:
        """The indexes of rows with a time or a day that cannot be cast, and that is not in the usual form."""
        found: set[int] = set()
        n_plain, n_others = len(self._plain), len(self._others)
        for place, column in enumerate([*self._plain, *self._custom]):
            if column.kind in {datetime, date}:
                texts = pa.array(values[place + (n_others if place >= n_plain else 0)], pa.string())
                if not _can_cast(texts, column.type):
                    fits = pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(_DAY_OR_TIME))
                    fits = fits.fill_null(fill_value=True)
                    found |= {index for index, is_usual in enumerate(fits.to_pylist()) if not is_usual}
        return sorted(found)

    def _other_texts(self, columns: Sequence[Sequence[Any]], n_rows: int) -> pa.Array:
        if not columns:
            return pa.nulls(n_rows, pa.string())
        names, unset, ignored = self._others, msgspec.UNSET, self._ignored
        texts: list[bytes | None] = []
        for values in zip(*columns, strict=True):
            held = {
                name: value
                for name, value in zip(names, values, strict=True)
                if value is not unset and name not in ignored
            }
            texts.append(encode_plain(held) if held else None)
        return pa.array(texts, pa.string())

    def _decoder(self) -> Callable[[bytes], tuple[Any, ...]]:
        """A function from a row to its values: of plain columns, other fields, columns of custom fields."""
        if any(_REFUSED.search(column.name) for column in self._columns):
            return _refuse
        fields: list[tuple[str, Any, Any]] = [
            (f"field_{n}", _type_of(column.kind), _field(column, column.name)) for n, column in enumerate(self._plain)
        ]
        fields += [
            (f"other_{n}", msgspec.Raw, msgspec.field(name=name, default=msgspec.UNSET))
            for n, name in enumerate(self._others)
        ]
        unfold = msgspec.structs.astuple
        if not self._custom:
            decode = _struct_decoder(fields, is_strict=self._has_others)
            return lambda row: unfold(decode(row))
        within = [
            (f"field_{n}", _type_of(one.kind), _field(one, one.name.removeprefix(_CUSTOM)))
            for n, one in enumerate(self._custom)
        ]
        custom = msgspec.defstruct("Custom", within, gc=False)
        decode_both, nothing = (
            _struct_decoder([*fields, ("custom", custom | None, None)], is_strict=self._has_others),
            custom(),
        )

        def values(row: bytes) -> tuple[Any, ...]:
            *plain, held = unfold(decode_both(row))
            return (*plain, *unfold(held or nothing))

        return values


def _struct_decoder(fields: list[tuple[str, Any, Any]], *, is_strict: bool) -> Callable[[bytes], Any]:
    struct = msgspec.defstruct("Row", fields, forbid_unknown_fields=is_strict, gc=False)
    return msgspec.json.Decoder(struct).decode


def _can_cast(texts: pa.Array, kind: pa.DataType) -> bool:
    try:
        texts.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _field(column: Column, wire: str) -> Any:
    return msgspec.field(name=wire, default=_NULL if column.kind == JSON else None)


def _type_of(kind: Any) -> Any:
    """What the values of a column of a kind are decoded to."""
    return _TYPES.get(kind) or (Any if kind is None else kind | None)


def _refuse(row: bytes) -> tuple[Any, ...]:
    raise ValueError(f"no row is usual: {row[:1]!r}")


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    if column.kind in {datetime, date}:
        return pa.array(values, pa.string()).cast(column.type)
    if column.kind == JSON:
        return _json_texts(values)
    if column.kind is None:
        convert = column.convert
        values = [None if value is None else convert(value) for value in values]
    return pa.array(values, column.type)


def _json_texts(values: Sequence[msgspec.Raw]) -> pa.Array:
    """The texts, joined at once: an object for each would take as long as all other columns."""
    ends = pa.array(list(accumulate(map(len, values), initial=0)), pa.int32())
    texts = pa.StringArray.from_buffers(len(values), ends.buffers()[1], pa.py_buffer(b"".join(values)))
    are_null = pc.call_function("equal", [texts, pa.scalar("null")])
    return pc.call_function("if_else", [are_null, pa.scalar(None, pa.string()), texts])
