"""The columns of a table as fields of a model: decisions only.

Columns are named as the fields are, in either spelling, or `custom.NAME`. A table with `_id` is taken for an export
that comes back: what Planhat fills in is then left out. The index of a data frame is always left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import attrs
import pyarrow as pa
from pyarrow import types

from planhat_async._convert.fields import Field, spellings_of, unknown_column
from planhat_async.records import Record

CUSTOM = "custom."
_EXTRA = "extra"
_FRAME_INDEX = re.compile(r"__index_level_\d+__")
"""The names that pandas gives an index without one."""
_SCALARS = {str, bool, int, float, date, datetime, Any}


@attrs.frozen(kw_only=True)
class TableColumn:
    """A column that is read."""

    index: int
    """Its place in the table."""
    field: pa.Field
    """Its name and type, as in the table."""
    name: str
    """The field of the model, as the table spells it; `custom.NAME`, or `extra` of an export."""
    holds_days: bool = False
    """Whether its times are days, because the field is for days."""
    holds_json: bool = False
    """Whether its texts are JSON, because the field is for objects or lists."""
    has_structs: bool = False
    """Whether its values are objects, each with all keys: a null in them stands for a key that is missing."""

    @property
    def label(self) -> str:
        """The column, for messages."""
        return f"column {self.field.name!r}"


def table_columns(record: type[Record], schema: pa.Schema, *, is_mapped: bool = False) -> list[TableColumn]:
    """The columns that are read.

    Args:
        record: The model.
        schema: The columns of the table.
        is_mapped: Whether a mapping decides which columns are fields.

    Raises:
        ValueError: A column is not a field, is filled in by Planhat, or is there twice.
    """
    fields = [(index, field) for index, field in enumerate(schema) if not _FRAME_INDEX.fullmatch(field.name)]
    names = [field.name for _, field in fields]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"the table has the column {twice!r} twice")
    if is_mapped:
        return [_column(index, field, None) for index, field in fields]
    columns = [*_fields(record, fields, is_export="_id" in names or "id" in names)]
    _refuse_two_spellings(record, columns)
    return columns


def refuse_times_without_zone(record: type[Record], columns: Sequence[TableColumn]) -> None:
    """Refuse columns whose times need a zone.

    Raises:
        ValueError: A column has times without a zone, or days where its field is a time.
    """
    spellings = spellings_of(record)
    for column in columns:
        if why := _needs_zone(column, spellings.get(column.name)):
            raise ValueError(f"{column.label} {why}: say which zone is meant, such as time_zone='Europe/Berlin'")


def _fields(record: type[Record], fields: Iterable[tuple[int, pa.Field]], *, is_export: bool) -> Iterator[TableColumn]:
    spellings = spellings_of(record)
    for index, field in fields:
        name = field.name
        known = spellings.get(name)
        if known is not None and not known.is_writable:
            if not is_export:
                raise ValueError(f"column {name!r}: {known.name} is filled in by Planhat: drop the column")
        elif known is not None or (name.startswith(CUSTOM) and name[len(CUSTOM) :].strip()):
            yield _column(index, field, known)
        elif (name == _EXTRA and is_export) or record.HAS_OTHER_FIELDS:
            yield _column(index, field, None)
        else:
            raise ValueError(f"column {name!r}: {unknown_column(record, name)}")


def _column(index: int, field: pa.Field, known: Field | None) -> TableColumn:
    return TableColumn(
        index=index,
        field=field,
        name=field.name,
        holds_days=known is not None and known.type is date,
        holds_json=field.name == _EXTRA or (known is not None and known.type not in _SCALARS),
        has_structs=_holds(field.type, types.is_struct),
    )


def _refuse_two_spellings(record: type[Record], columns: Sequence[TableColumn]) -> None:
    spellings, seen = spellings_of(record), dict[str, str]()
    for column in columns:
        known = spellings.get(column.name)
        name = column.name if known is None else known.name
        if name in seen:
            raise ValueError(f"{name} is given twice: by the columns {seen[name]!r} and {column.name!r}")
        seen[name] = column.name


def _needs_zone(column: TableColumn, known: Field | None) -> str | None:
    kind = column.field.type
    if column.holds_days:
        return None
    if _holds(kind, lambda one: types.is_timestamp(one) and one.tz is None):
        return "has times without a zone"
    if known is not None and known.type is datetime and types.is_date(kind):
        return f"has days, and {known.name} is a time"
    return None


def _holds(kind: Any, is_one: Any) -> bool:
    """Whether a type, or one within it, passes a test."""
    if types.is_dictionary(kind):
        return _holds(kind.value_type, is_one)
    if is_one(kind):
        return True
    if types.is_map(kind):
        return _holds(kind.key_type, is_one) or _holds(kind.item_type, is_one)
    within = [kind.field(index).type for index in range(kind.num_fields)] if types.is_nested(kind) else []
    return any(_holds(one, is_one) for one in within)
