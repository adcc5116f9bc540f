"""Rows of a model from the batches of a table: decisions only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, tzinfo
from functools import partial
from typing import Any

import pyarrow as pa
from pyarrow import types

from planhat_async._convert.arrow.arrow_values import ValueRules, column_values
from planhat_async._convert.arrow.table_columns import CUSTOM, TableColumn, refuse_times_without_zone, table_columns
from planhat_async._convert.column_mapping import ColumnMapping, TableRow
from planhat_async._convert.fields import spellings_of
from planhat_async._convert.json import decode_json
from planhat_async._convert.text import printable
from planhat_async._convert.timestamps import placed_in
from planhat_async.errors import DecodeError
from planhat_async.records import Record
from planhat_async.results import Unreadable, UnreadableValue

_ROWS_AT_A_TIME, _BYTES_AT_A_TIME, _WORK_AT_A_TIME = 256, 1 << 18, 20_000
"""How many rows are converted at once: a millisecond or two, and up to ten if they have hundreds of values."""
_WORK_OF_NESTED = 5
"""How much longer a value within an object or a list takes than one of a plain column."""


def opened_table(table: Any) -> pa.RecordBatchReader:
    """The batches of a table, which may take long and as much memory as the table: pandas converts a frame as a whole.

    Raises:
        ValueError: The table cannot be converted to Arrow, such as a column of pandas with values of several types.
    """
    try:
        return pa.RecordBatchReader.from_stream(table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        why = printable(" ".join(str(error).split()), 300)
        hint = "; give each column values of one type" if "Conversion failed" in why else ""
        raise ValueError(f"the table cannot be converted to Arrow: {why}{hint}") from None


class TableRows:
    """Makes rows, as mappings, of the batches of one table.

    A value that is null, NaN or NaT is missing: the row does not have the field. A row that cannot be read, or has no
    value at all, is an `Unreadable`, so that positions stay those of the table.

    Args:
        record: The model.
        schema: The columns of the table.
        mapping: Which column goes to which field.
        zone: The zone of times without one.

    Raises:
        ValueError: The columns do not fit the model or the mapping.
    """

    def __init__(
        self,
        record: type[Record],
        schema: pa.Schema,
        *,
        mapping: ColumnMapping | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self._rules = ValueRules(zone=zone, is_nan_missing=True)
        self._mapping: ColumnMapping | None = None
        columns = table_columns(record, schema, is_mapped=mapping is not None and bool(mapping.columns))
        if mapping is not None:
            _check_mapping(mapping, record)
            self._mapping = mapping.fitted([column.name for column in columns], holds_objects=True)
        elif zone is None:
            refuse_times_without_zone(record, columns)
        self._columns = [(column, self._converters(record, column)) for column in columns]
        self._has_nested = any(one.name.startswith(CUSTOM) or one.name in {"custom", "extra"} for one in columns)

    def parts(self, batch: pa.RecordBatch) -> Iterator[list[TableRow]]:
        """The rows of a batch, some at a time, each of which holds the event loop for some milliseconds."""
        n_rows = min(
            _ROWS_AT_A_TIME,
            _BYTES_AT_A_TIME * batch.num_rows // max(1, _n_bytes(batch)),
            _WORK_AT_A_TIME * batch.num_rows // max(1, sum(map(_work_of, batch.columns))),
        )
        n_rows = max(1, n_rows)
        for start in range(0, batch.num_rows, n_rows):
            yield list(self._made(batch.slice(start, n_rows)))

    def _made(self, batch: pa.RecordBatch) -> Iterator[TableRow]:
        names = [column.name for column, _ in self._columns]
        lists: list[list[Any]] = []
        is_whole = True
        for column, converters in self._columns:
            values = column_values(column.field, batch.column(column.index), self._rules)
            for convert in converters:
                values = [value if value is None or _is_unreadable(value) else convert(value) for value in values]
            is_whole = is_whole and UnreadableValue not in {*map(type, values)}
            lists.append(values)
        for row in zip(*lists, strict=True) if lists else [()] * batch.num_rows:
            unreadable = None if is_whole else self._unreadable(row)
            yield unreadable or self._row(dict(zip(names, row, strict=True)))

    def _unreadable(self, values: tuple[Any, ...]) -> Unreadable | None:
        for (column, _), value in zip(self._columns, values, strict=True):
            if type(value) is UnreadableValue:
                return Unreadable(f"{column.label}: {value.reason}")
        return None

    def _row(self, values: dict[str, Any]) -> TableRow:
        try:
            if self._mapping is not None:
                row = self._mapping.apply(values) or {}
            else:
                row = {name: value for name, value in values.items() if value is not None}
                row = _nested(row) if self._has_nested else row
        except ValueError as error:
            return Unreadable(str(error))
        return row or Unreadable("none of its columns has a value")

    def _converters(self, record: type[Record], column: TableColumn) -> list[Callable[[Any], Any]]:
        """What is done to the values of a column, one function after another."""
        known = spellings_of(record).get(column.name)
        found: list[Callable[[Any], Any]] = [_without_nulls] if column.has_structs else []
        if self._mapping is not None:
            return found
        if column.holds_days:
            found.append(_day)
        elif known is not None and known.type is datetime and self._rules.zone is not None:
            found.append(partial(_first_instant, self._rules.zone))
        if column.holds_json:
            found.append(partial(_written_out, record) if column.name == "extra" else _from_json)
        return found


def _check_mapping(mapping: ColumnMapping, record: type[Record]) -> None:
    if mapping.record is not record:
        raise ValueError(f"the mapping is one to {mapping.record.__name__}, not to {record.__name__}")
    if mapping.lookups:
        raise ValueError("lookups are for files: look up the ids beforehand, with key_lookup")


def _is_unreadable(value: Any) -> bool:
    return type(value) is UnreadableValue


def _without_nulls(value: Any) -> Any:
    """Objects without the keys that are null."""
    if type(value) is dict:
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [*map(_without_nulls, value)] if type(value) is list else value


def _day(value: Any) -> Any:
    """The day of a time at midnight; data frames have no other days."""
    if not isinstance(value, datetime):
        return value
    return value.date() if value.time() == time.min else UnreadableValue(f"{value} is a time, not a day")


def _first_instant(zone: tzinfo, value: Any) -> Any:
    if isinstance(value, datetime) or not isinstance(value, date):
        return value
    return placed_in(zone, datetime.combine(value, time.min))[0]


def _from_json(value: Any) -> Any:
    """The value in a text of JSON, as exports write objects and lists."""
    if not isinstance(value, str):
        return value
    try:
        return decode_json(value.encode(), is_input=True)
    except (DecodeError, UnicodeEncodeError):
        return UnreadableValue("text that is not JSON")


def _written_out(record: type[Record], value: Any) -> Any:
    """The fields in `extra` that are sent: those that Planhat does not fill in."""
    held, known = _from_json(value), spellings_of(record)
    if not isinstance(held, dict):
        return held if _is_unreadable(held) else UnreadableValue("not a JSON object")
    return {name: item for name, item in held.items() if name not in known or known[name].is_writable}


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the fields of `extra` in their places, and each `custom.NAME` in `custom`; without empty ones.

    Raises:
        ValueError: A field is there twice.
    """
    extra = row.pop("extra", None) or {}
    for name in extra:
        if name in row:
            raise ValueError(f"{name} is given twice: in a column, and in extra")
    row |= {name: value for name, value in extra.items() if value is not None}
    custom = {name[len(CUSTOM) :]: row.pop(name) for name in [*row] if name.startswith(CUSTOM)}
    held = row.get("custom")
    if held is not None and not isinstance(held, Mapping):
        return row  # which is refused
    if held or custom:
        held = {name: value for name, value in (held or {}).items() if value is not None}
        if twice := next((name for name in custom if name in held), None):
            raise ValueError(f"custom.{twice} is given twice: in a column, and in custom")
        row["custom"] = {**held, **custom}
    if "custom" in row and not row["custom"]:
        del row["custom"]
    return row


def _work_of(array: pa.Array) -> int:
    """How much work it is to convert an array; a value of a plain column counts 1."""
    return len(array) if not types.is_nested(array.type) else _WORK_OF_NESTED * _n_values(array)


def _n_values(array: pa.Array) -> int:
    """How many values an array has, those within lists and objects included."""
    kind = array.type
    if types.is_struct(kind):
        return len(array) + sum(_n_values(array.field(index)) for index in range(kind.num_fields))
    if types.is_map(kind):
        return len(array) + _n_values(array.keys) + _n_values(array.items)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return len(array) + _n_values(array.flatten())
    return len(array)


def _n_bytes(batch: pa.RecordBatch) -> int:
    try:
        return int(batch.nbytes)
    except (pa.ArrowException, NotImplementedError, TypeError):  # some types have no size
        return 0
