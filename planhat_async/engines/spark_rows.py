"""Records as the Arrow batches that Spark takes; needs pyarrow."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from planhat_async._convert import decode_json, fields_of, printable, row_id
from planhat_async._convert.arrow.record_columns import Column, column_of, typed_column
from planhat_async._convert.arrow.record_table import RecordTable
from planhat_async.engines.spark_schema import EXTRA, SparkColumn, SparkColumns
from planhat_async.records import Record

_TYPES = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.field("element", pa.string())),
}


class SparkRows:
    """Makes batches of records.

    Args:
        record: The model.
        columns: The columns of the batches.
    """

    def __init__(self, record: type[Record], columns: SparkColumns) -> None:
        self._columns = columns
        self._by_name = {one.name: one for one in columns.columns}
        self._own = {field.wire: column_of(field) for field in fields_of(record).values()}
        types = {one.name: _TYPES[one.type] for one in columns.columns} | {EXTRA: pa.string()}
        self.schema: pa.Schema = pa.schema(
            [pa.field(name, types[name], nullable=name not in columns.not_null) for name in columns.names]
        )
        wires = [] if columns.is_whole else [one.wire for one in columns.columns]
        chosen = [] if columns.is_whole else [self._column(one) for one in columns.columns]
        self._records = RecordTable(record, fields=wires, columns=chosen)

    def batch(self, rows: Sequence[bytes]) -> pa.RecordBatch:
        """The records, which are JSON, as a batch.

        Raises:
            DecodeError: A row is not a record.
            ValueError: No column can hold a value.
        """
        for row in rows:
            self._records.add(row)
        table = self._records.take()
        if not self._columns.has_extra:
            self._refuse_extra(rows, table.column(EXTRA).combine_chunks())
        wires = (EXTRA if name == EXTRA else self._by_name[name].wire for name in self._columns.names)
        arrays = [
            table.column(wire).combine_chunks().cast(field.type) for wire, field in zip(wires, self.schema, strict=True)
        ]
        for field, array in zip(self.schema, arrays, strict=True):
            if array.null_count and not field.nullable:
                raise ValueError(f"column {field.name} must not be null, but a record has no value for it")
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _column(self, one: SparkColumn) -> Column:
        return self._own[one.wire] if one.kind is None else typed_column(one.wire, one.kind)

    def _refuse_extra(self, rows: Sequence[bytes], extra: pa.Array) -> None:
        """Refuse values that would get lost."""
        if extra.null_count == len(extra):
            return
        number = next(index for index, one in enumerate(extra) if one.is_valid)
        ((wire, value), *_) = decode_json(extra[number].as_py().encode()).items()
        (column,) = (one for one in self._columns.columns if one.wire == wire)
        raise ValueError(
            f"column {column.name} cannot hold {printable(repr(value), 100)} of the record {row_id(rows[number])} as "
            f"{column.type}: declare it as string, or add a column `{EXTRA}` string for such values"
        )
