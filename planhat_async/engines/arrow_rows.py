"""Changes of a list as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from planhat_async._convert import encode_plain, fields_of
from planhat_async._convert.arrow.record_table import RecordTable
from planhat_async.engines.copied_list import Changes
from planhat_async.records import Record

REMOVED = "_deleted"
"""The column that says whether a record is gone; the other columns of its row are then null, except for the `_id`."""
_ID = "_id"


class ArrowRows:
    """Tables with a column for each field, with Planhat's names and the model's types, `extra` and `_deleted`.

    The columns are those of a Parquet export, except that lists of texts are JSON, times are in microseconds, and
    secrets are left out.

    Args:
        record: The model.
    """

    def __init__(self, record: type[Record]) -> None:
        self._records = RecordTable(record)
        fields = {field.wire: field for field in fields_of(record).values()}
        self._secrets = [name for name, field in fields.items() if field.is_secret]
        texts = [field.name for field in self.table(Changes()).schema if pa.types.is_string(field.type)]
        self.json_columns: list[str] = [name for name in texts if name not in fields or fields[name].type is not str]
        """The columns of texts that are JSON."""

    def table(self, changes: Changes) -> pa.Table:
        """The changes as one table, which may be empty.

        Raises:
            DecodeError: A row is not a record.
        """
        for row in changes.rows:
            self._records.add(row)
        table = self._records.take().drop_columns(self._secrets)
        columns = [_portable(column) for column in table.columns]
        fields = [pa.field(name, column.type) for name, column in zip(table.column_names, columns, strict=True)]
        schema = pa.schema([*(field.with_nullable(field.name != _ID) for field in fields), (REMOVED, pa.bool_())])
        kept = [*columns, pa.array([False] * len(table), pa.bool_())]
        gone = [_removed(field, changes.removed) for field in schema]
        tables = (pa.Table.from_arrays(arrays, schema=schema) for arrays in (kept, gone))
        return pa.concat_tables(tables)


def _removed(field: pa.Field, ids: list[str]) -> pa.Array:
    values: dict[str, Callable[[str], Any]] = {_ID: str, REMOVED: bool}
    convert = values.get(field.name)
    return pa.nulls(len(ids), field.type) if convert is None else pa.array(map(convert, ids), field.type)


def _portable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with a type that every engine has."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", tz="UTC"))
    if pa.types.is_list(column.type):
        return pa.chunked_array([pa.array(_as_json(column.to_pylist()), pa.string())])
    return column


def _as_json(values: Iterable[Any]) -> list[str | None]:
    return [None if value is None else encode_plain(value).decode() for value in values]
