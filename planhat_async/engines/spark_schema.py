"""The columns of Spark's tables of records: decisions only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import attrs

from planhat_async._convert import Field, fields_of, wire_path
from planhat_async.records import Record

EXTRA = "extra"
_TEXT = "string"
_TYPES: Mapping[Any, str] = {
    bool: "boolean",
    int: "bigint",
    float: "double",
    date: "date",
    datetime: "timestamp",
    list[str]: "array<string>",
}
_KINDS: Mapping[str, Any] = {_TEXT: object, **{name: kind for kind, name in _TYPES.items() if kind is not date}}
"""The Python types of custom fields, whose types Planhat does not say."""


@attrs.frozen(kw_only=True)
class SparkColumn:
    """A column and the field that it holds."""

    name: str
    type: str
    """Spark's name of its type."""
    wire: str
    """Planhat's name of the field; `custom.NAME` for a custom field."""
    kind: Any = None
    """The Python type of the values, if it is not the type of the field."""


@attrs.frozen(kw_only=True)
class SparkColumns:
    """The columns of a table."""

    columns: tuple[SparkColumn, ...]
    """All columns but `extra`."""
    names: tuple[str, ...]
    """The names of all columns, in their order."""
    not_null: frozenset[str] = frozenset()
    """The names of columns that must have a value in each row."""
    is_whole: bool = False
    """Whether they hold the records as a whole."""

    @property
    def has_extra(self) -> bool:
        """Whether a column holds what no other can hold."""
        return EXTRA in self.names

    @property
    def select(self) -> list[str] | None:
        """The fields to fetch; `None` for all."""
        return None if self.is_whole else [column.wire for column in self.columns] or None


def whole_table(record: type[Record]) -> SparkColumns:
    """The columns of all fields, and `extra`; secrets are left out."""
    fields = [field for field in fields_of(record).values() if not field.is_secret]
    columns = tuple(SparkColumn(name=field.wire, type=_type_of(field), wire=field.wire) for field in fields)
    return SparkColumns(columns=columns, names=(*(one.name for one in columns), EXTRA), is_whole=True)


def chosen_table(
    record: type[Record], asked: Sequence[tuple[str, str]], not_null: Collection[str] = ()
) -> SparkColumns:
    """The columns that a caller asks for, each with a name and a type of Spark's.

    Raises:
        ValueError: The model has no such field, or a value of another type.
    """
    whole = whole_table(record)
    types = {one.name: one.type for one in whole.columns} | {EXTRA: _TEXT}
    if dict(asked) == types:
        return attrs.evolve(whole, names=tuple(name for name, _ in asked), not_null=frozenset(not_null))
    by_wire: dict[str, SparkColumn] = {}
    for name, type_ in asked:
        if name == EXTRA:
            _check_type(name, type_, {_TEXT})
            continue
        column = _chosen_column(record, name, type_)
        if column.wire in by_wire:
            raise ValueError(f"the schema has the columns {by_wire[column.wire].name} and {name} for one field")
        by_wire[column.wire] = column
    names = tuple(name for name, _ in asked)
    return SparkColumns(columns=tuple(by_wire.values()), names=names, not_null=frozenset(not_null))


def ddl(columns: SparkColumns) -> str:
    """The schema as Spark's SQL writes it."""
    types = {one.name: one.type for one in columns.columns}
    return ", ".join(f"`{name}` {types.get(name, _TEXT)}" for name in columns.names)


def _chosen_column(record: type[Record], name: str, type_: str) -> SparkColumn:
    wire = wire_path(record, name)
    field = next((one for one in fields_of(record).values() if one.wire == wire), None)
    if field is None:
        _check_type(name, type_, _KINDS)
        return SparkColumn(name=name, type=type_, wire=wire, kind=_KINDS[type_])
    own = _type_of(field)
    _check_type(name, type_, {own, _TEXT})
    return SparkColumn(
        name=name, type=type_, wire=wire, kind=object if type_ == _TEXT and field.type is not str else None
    )


def _check_type(name: str, type_: str, allowed: Iterable[str]) -> None:
    if type_ not in allowed:
        raise ValueError(f"column {name} cannot have the type {type_}: it can have {' or '.join(sorted(allowed))}")


def _type_of(field: Field) -> str:
    """The type of a field's column; texts of JSON for anything nested."""
    return _TYPES.get(field.type, _TEXT)
