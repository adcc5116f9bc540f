"""Records in JSON as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from planhat_async._convert.arrow.arrow_values import JSON_COLUMN
from planhat_async._convert.arrow.record_columns import Column, column_of, custom_column
from planhat_async._convert.arrow.usual_rows import UsualRows
from planhat_async._convert.chosen_fields import chosen_values, object_in
from planhat_async._convert.fields import fields_of
from planhat_async._convert.json import encode_plain
from planhat_async.records import Record

EXTRA = "extra"
"""The last column: a JSON object of what no other column can hold."""
_ROWS_BETWEEN = 32
"""Unusual rows before undocumented fields are looked for again, twice as many the next time, and so on."""
_UNHOLDABLE = (pa.ArrowException, ValueError, TypeError, OverflowError)


class RecordTable:
    """Makes tables with one column per field, with Planhat's names and the model's types.

    Texts, booleans, whole numbers (64 bits), numbers, days, times (UTC, milliseconds) and lists of texts keep their
    types; anything nested becomes JSON, and the column's metadata says so. The last column, `extra`, is a JSON object
    of what no column can hold: fields that the model lacks, and values of another type than their column's. A field
    that Planhat did not send and one that is null look the same.

    Args:
        record: The model.
        fields: The columns instead of all fields: fields by Planhat's names or as `custom.NAME`. `extra` then holds
            only their values that no column can hold. A custom field has the type of its values in the first table:
            numbers, booleans, lists of texts, JSON, or else texts.
        leading: Columns of texts before the fields.
        columns: The columns of these fields, or of all, if their types are chosen by the caller.
        ignored: Fields that are left out, also of `extra`.
    """

    def __init__(
        self,
        record: type[Record],
        *,
        fields: Sequence[str] = (),
        leading: Sequence[str] = (),
        columns: Sequence[Column] = (),
        ignored: Sequence[str] = (),
    ) -> None:
        self._fields = (*leading, *fields) if fields else ()
        self._ignored = ignored
        self._known = {name: custom_column(name, []) for name in leading}
        self._known |= {field.wire: column_of(field) for field in fields_of(record).values()}
        self._columns: list[Column] = []
        self._custom: list[str] = []
        self.schema: pa.Schema = pa.schema([])
        """The schema of every table; empty while it depends on the values of the first one."""
        self._rows: list[bytes] = []
        self._unusual: list[int] = []
        self._made: list[pa.Table] = []
        self._n_unusual, self._n_learned = 0, 0
        self._usual_rows = UsualRows([], has_others=False)
        names = self._fields or [*self._known]
        if columns:
            self._choose(columns)
        elif all(name in self._known for name in names):
            self._choose([self._known[name] for name in names])

    @property
    def n_rows(self) -> int:
        """The records that `take` would return."""
        n_made: int = sum(table.num_rows for table in self._made)
        return len(self._rows) + n_made

    def add(self, row: bytes) -> None:
        """Add a record; costs some microseconds.

        Raises:
            DecodeError: It is not an object; it is not added.
        """
        if self._columns:
            try:
                self._usual_rows.add(row)
            except (ValueError, RecursionError):
                self._add_unusual(row)
        self._rows.append(row)

    def convert(self) -> None:
        """Convert what was added since the last time, if the columns are known: in parts it holds the GIL for less."""
        if self._columns:
            self._convert()

    def take(self) -> pa.Table:
        """The records added since the last time, in their order."""
        if not self._columns:
            held = [self._held_in(row) for row in self._rows]
            names = self._fields or [*self._known]
            self._choose(
                [self._known.get(name) or custom_column(name, [row.get(name) for row in held]) for name in names]
            )
            self._made.append(self._exact(held))
            self._rows = []
        self._convert()
        tables, self._made = self._made, []
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def take_batch(self) -> pa.RecordBatch:
        """As `take`, in one batch."""
        batches = self.take().combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.schema)

    def _choose(self, columns: Sequence[Column]) -> None:
        self._columns = list(columns)
        extra = pa.field(EXTRA, pa.string(), metadata=JSON_COLUMN)
        self.schema = pa.schema([*(column.field for column in self._columns), extra])
        self._custom = [column.name for column in columns if column.name.startswith("custom.")]
        self._usual_rows = UsualRows(self._columns, has_others=not self._fields, ignored=self._ignored)

    def _held_in(self, row: bytes) -> dict[str, Any]:
        held = object_in(row)
        if self._fields:
            return chosen_values(held, self._fields)
        for name in self._ignored:
            held.pop(name, None)
        if self._custom and type(held.get("custom")) is dict:
            held |= chosen_values({"custom": held.pop("custom")}, self._custom)
        return held

    def _add_unusual(self, row: bytes) -> None:
        held = object_in(row)
        self._unusual.append(len(self._rows))
        self._n_unusual += 1
        if not self._fields and self._n_unusual > _ROWS_BETWEEN * self._n_learned:
            self._convert(but_last=True)
            self._usual_rows.learn([*held])
            self._n_learned, self._n_unusual = self._n_learned * 2 or 1, 0

    def _convert(self, *, but_last: bool = False) -> None:
        """Make a table of the rows so far; the usual ones have been decoded for the same columns."""
        if but_last:
            self._unusual.pop()
        if self._rows:
            self._made.append(self._table())
        self._rows, self._unusual = [], [0] if but_last else []

    def _table(self) -> pa.Table:
        rows, unusual = self._rows, {*self._unusual}
        places = [index for index in range(len(rows)) if index not in unusual] if unusual else range(len(rows))
        try:
            arrays, left_out = self._usual_rows.take_arrays()
        except _UNHOLDABLE:
            return self._exact(map(self._held_in, rows))
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        exact = sorted([*unusual, *(places[index] for index in left_out)])
        if not exact:
            return table
        skipped = {*exact}
        order = [index for index in range(len(rows)) if index not in skipped] + exact
        rest = self._exact(self._held_in(rows[index]) for index in exact)
        back = [0] * len(order)
        for place, index in enumerate(order):
            back[index] = place
        return pa.concat_tables([table, rest]).take(pa.array(back, pa.int64()))

    def _exact(self, rows: Iterable[dict[str, Any]]) -> pa.Table:
        """The rows, value by value."""
        columns: list[list[Any]] = [[] for _ in self._columns]
        extras: list[str | None] = []
        plan = [(one.name, one.convert, values.append) for one, values in zip(self._columns, columns, strict=True)]
        for held in rows:
            for name, convert, append in plan:
                value = held.pop(name, None)
                try:
                    append(None if value is None else convert(value))
                except (TypeError, ValueError, OverflowError):
                    append(None)
                    held[name] = value
            extras.append(encode_plain(held).decode() if held else None)
        arrays = [pa.array(values, field.type) for values, field in zip([*columns, extras], self.schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.schema)
