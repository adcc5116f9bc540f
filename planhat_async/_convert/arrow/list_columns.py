"""The columns of a list that is read into tables: decisions only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from planhat_async._convert.arrow.record_columns import Column, column_of, typed_column
from planhat_async._convert.arrow.record_table import RecordTable
from planhat_async._convert.fields import fields_of
from planhat_async._convert.json import encode_plain
from planhat_async.records import Record

_KINDS: Mapping[str, Any] = {
    "string": object,
    "bool": bool,
    "int64": int,
    "float64": float,
    "timestamp": datetime,
    "list": list[str],
}


def list_table(
    record: type[Record], *, select: Sequence[str] | None, custom: str | Mapping[str, str] | None
) -> RecordTable:
    """What makes tables of a list's records, with the columns of a Parquet export; secrets are left out.

    Args:
        record: The model.
        select: Planhat's names of the fields that are fetched; all by default.
        custom: `map` for a column of maps from names to texts, or a type for each custom field with its own column.
    """
    fields = {field.wire: field for field in fields_of(record).values() if not field.is_secret}
    own = {wire: column_of(field) for wire, field in fields.items()}
    typed = {} if custom is None or isinstance(custom, str) else dict(custom)
    if custom == "map":
        own["custom"] = Column("custom", pa.map_(pa.string(), pa.string()), _texts_by_name)
    chosen = [typed_column(f"custom.{name}", _KINDS[kind]) for name, kind in typed.items()]
    if select is not None:
        own_columns = {column.name for column in chosen}
        names = [name for name in dict.fromkeys(select) if name not in own_columns]
        columns = [own.get(name) or typed_column(name, object) for name in names] + chosen
        return RecordTable(record, fields=[column.name for column in columns], columns=columns)
    if chosen:
        own.pop("custom", None)
    secrets = [field.wire for field in fields_of(record).values() if field.is_secret]
    return RecordTable(record, columns=[*own.values(), *chosen], ignored=secrets)


def _texts_by_name(custom: Any) -> list[tuple[str, str | None]]:
    if type(custom) is not dict:
        raise TypeError("not an object")
    return [
        (name, value if value is None or type(value) is str else encode_plain(value).decode())
        for name, value in custom.items()
    ]
