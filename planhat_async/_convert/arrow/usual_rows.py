"""Usual rows of JSON as the values of columns, without an object for each value of a nested one.

A row is parsed into a struct with a field per column, whose values Arrow then converts a column at a time. An unusual
row, such as one with a value of another type, is refused, and converted exactly elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
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
"""The types whose values a column of a kind holds; a whole number is no float yet, to keep its digits."""
_DAY_OR_TIME = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d))?$"


class UsualRows:
    """Decodes usual rows.

    Args:
        columns: The columns of the rows.
        has_others: Whether fields without a column are returned too; otherwise they are ignored.
    """

    def __init__(self, columns: Sequence[Column], *, has_others: bool) -> None:
        self._columns = [*columns]
        self._plain = [column for column in columns if not column.name.startswith(_CUSTOM)]
        self._custom = [column for column in columns if column.name.startswith(_CUSTOM)]
        self._has_others = has_others
        self._others: tuple[str, ...] = ()
        self._decode = self._decoder()

    def values(self, row: bytes) -> tuple[Any, ...]:
        """The row's values, for `arrays`.

        Raises:
            ValueError: It is unusual.
            RecursionError: It is nested too deep.
        """
        if b"\\ud" in row or b"\\uD" in row:
            raise ValueError("it may hold half of a character, which is replaced")
        return self._decode(row)

    def learn(self, names: Sequence[str]) -> None:
        """Expect these fields without a column in rows that follow; what `values` returned before is lost."""
        known = {*self._others, *(column.name for column in self._plain)}
        new = [name for name in names if name not in known and not _REFUSED.search(name)]
        self._others = (*self._others, *new)[:_MAX_OTHERS]
        self._decode = self._decoder()

    def arrays(self, rows: Sequence[tuple[Any, ...]]) -> tuple[list[pa.Array], Sequence[int]]:
        """The columns in their order, then the texts of other fields; and the indexes of rows that are left out.

        A row with a time or a day in an unusual form is left out: it is to be converted exactly.

        Raises:
            ValueError, TypeError, OverflowError: A column cannot hold a value; these include Arrow's own errors.
        """
        unusual = self._unusual_times(rows)
        if unusual:
            skipped = {*unusual}
            rows = [row for index, row in enumerate(rows) if index not in skipped]
        columns: list[Sequence[Any]] = [*zip(*rows, strict=True)] if rows else [()] * self._width
        n_plain, n_others = len(self._plain), len(self._others)
        by_name = dict(zip((column.name for column in self._plain), columns, strict=False))
        by_name |= zip((column.name for column in self._custom), columns[n_plain + n_others :], strict=True)
        arrays = [_array(column, by_name[column.name]) for column in self._columns]
        return [*arrays, self._other_texts(columns[n_plain : n_plain + n_others], len(rows))], unusual

    @property
    def _width(self) -> int:
        return len(self._columns) + len(self._others)

    def _unusual_times(self, rows: Sequence[tuple[Any, ...]]) -> list[int]:
        found: set[int] = set()
        n_others = len(self._others)
        for place, column in enumerate([*self._plain, *self._custom]):
            if column.kind not in {datetime, date}:
                continue
            at = place if place < len(self._plain) else place + n_others
            texts = pa.array([row[at] for row in rows], pa.string())
            try:
                texts.cast(column.type)
            except pa.ArrowInvalid:
                fits = pc.match_substring_regex(texts, _DAY_OR_TIME).fill_null(fill_value=True)
                found |= {index for index, is_usual in enumerate(fits.to_pylist()) if not is_usual}
        return sorted(found)

    def _other_texts(self, columns: Sequence[Sequence[Any]], n_rows: int) -> pa.Array:
        if not columns:
            return pa.nulls(n_rows, pa.string())
        names, unset = self._others, msgspec.UNSET
        texts: list[bytes | None] = []
        for values in zip(*columns, strict=True):
            held = {name: value for name, value in zip(names, values, strict=True) if value is not unset}
            texts.append(encode_plain(held) if held else None)
        return pa.array(texts, pa.string())

    def _decoder(self) -> Callable[[bytes], tuple[Any, ...]]:
        """A function from a row to its values: of plain columns, other fields, columns of custom fields."""
        if any(_REFUSED.search(column.name) for column in self._columns):
            return _refuse
        fields: list[tuple[str, Any, Any]] = [
            (f"field_{n}", _type_of(column.kind), _named(column.name)) for n, column in enumerate(self._plain)
        ]
        fields += [
            (f"other_{n}", msgspec.Raw, msgspec.field(name=name, default=msgspec.UNSET))
            for n, name in enumerate(self._others)
        ]
        unfold = msgspec.structs.astuple
        if not self._custom:
            struct = msgspec.defstruct("Row", fields, forbid_unknown_fields=self._has_others, gc=False)
            decode = msgspec.json.Decoder(struct).decode
            return lambda row: unfold(decode(row))
        custom = msgspec.defstruct(
            "Custom",
            [
                (f"field_{n}", _type_of(one.kind), _named(one.name.removeprefix(_CUSTOM)))
                for n, one in enumerate(self._custom)
            ],
            gc=False,
        )
        struct = msgspec.defstruct(
            "Row", [*fields, ("custom", custom | None, None)], forbid_unknown_fields=self._has_others, gc=False
        )
        decode_both, nothing = msgspec.json.Decoder(struct).decode, custom()

        def values(row: bytes) -> tuple[Any, ...]:
            *plain, within = unfold(decode_both(row))
            return (*plain, *unfold(within or nothing))

        return values


def _named(wire: str) -> Any:
    return msgspec.field(name=wire, default=None)


def _type_of(kind: Any) -> Any:
    """What the values of a column of a kind are decoded to."""
    return _TYPES.get(kind) or (Any if kind is None else kind | None)


def _refuse(row: bytes) -> tuple[Any, ...]:
    raise ValueError(f"no row is usual: {row[:1]!r}")


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    if column.kind in {datetime, date}:
        return pa.array(values, pa.string()).cast(column.type)
    if column.kind == JSON:
        values = [None if value is None or (text := bytes(value)) == b"null" else text for value in values]
    elif column.kind is None:
        convert = column.convert
        values = [None if value is None else convert(value) for value in values]
    return pa.array(values, column.type)
