"""Mappings kept in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from planhat_async._convert import similar_fields, spellings_of
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.proposed_line import toml_key, toml_text
from planhat_async.jobs.mapping.transforms import TRANSFORMS, Transform
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Record

_TABLES = ("fields", "constants", "dates", "types")
_OPTIONS = {"time_zone": str, "list_separator": str, "decimal_comma": bool, "null": str}
_LOOKUP = ("column", "lookup", "by")
_KEYS = (*_LOOKUP, *TRANSFORMS)


@attrs.frozen(kw_only=True)
class MappingFile:
    r"""The contents of a mapping file.

    time_zone = "Europe/Berlin"      # of times without a zone
    list_separator = ";"             # in cells; a comma if not given
    decimal_comma = true             # 1200,50
    null = "empty"                   # a missing value empties its field; "keep", the default, leaves it alone

    [fields]                         # field = column
    source_id = "Ticket ID"
    "custom.help_desk_id" = "Ticket ID"
    "custom.purchased" = "Date of Purchase"
    company_id = { column = "Account", lookup = "companies", by = "external_id" }
    email = { column = "Requester", regex = '\((.+@.+)\)', strip = true, lower = true, default = "none@acme.example" }

    [constants]                      # field = value
    source = "help desk"

    [dates]                          # field = strptime format
    "custom.purchased" = "%Y-%m-%d"

    [types]                          # field = type
    "custom.ARR" = "number"
    """

    columns: Mapping[str, str] = attrs.field(factory=dict)
    """Field to column."""
    constants: Mapping[str, Any] = attrs.field(factory=dict)
    dates: Mapping[str, str] = attrs.field(factory=dict)
    lookups: Mapping[str, Lookup] = attrs.field(factory=dict)
    """Field to where the record that its column names is looked for."""
    types: Mapping[str, str] = attrs.field(factory=dict)
    """Field to the type of its values."""
    transforms: Mapping[str, Transform] = attrs.field(factory=dict)
    """Field to what is changed about the texts of its column."""
    time_zone: str | None = None
    list_separator: str | None = None
    decimal_comma: bool = False
    null: str = "keep"

    @classmethod
    def load(cls, path: Path) -> MappingFile:
        """Read a file.

        Raises:
            SourceError: It is missing, is not TOML, or does not hold a mapping.
        """
        try:
            held = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"{path} is not TOML in UTF-8: {error}") from None
        if "columns" in held:
            raise SourceError(f'{path}: [columns] is unknown; [fields] names the field first: source_id = "Ticket ID"')
        if unknown := held.keys() - {*_TABLES, *_OPTIONS}:
            raise SourceError(f"{path}: {min(unknown)!r} is not one of {', '.join(_TABLES)} or {' or '.join(_OPTIONS)}")
        for name in _TABLES:
            _check_table(path, name, held.setdefault(name, {}))
        for name, kind in _OPTIONS.items():
            if name in held and type(held[name]) is not kind:
                raise SourceError(f"{path}: {name} is not {'text' if kind is str else 'true or false'}")
        if held.get("null", "keep") not in {"keep", "empty"}:
            raise SourceError(f'{path}: null is "keep" or "empty", not {held["null"]!r}')
        fields = held.pop("fields")
        return cls(**held, **_by_field(path, fields))


def refuse_swapped(columns: Mapping[str, str], record: type[Record]) -> None:
    """Refuse lines of a file that have the column first.

    Args:
        columns: Field to column, as the file gives them.
        record: The class that has the fields.

    Raises:
        SourceError: A column has the name of a field, and its field is not one and not a misspelt one.
    """
    fields = spellings_of(record)
    for field, column in columns.items():
        is_field = field in fields or field.startswith("custom.")
        is_misspelt = field.isidentifier() and bool(similar_fields(record, field))
        if not is_field and not is_misspelt and (column in fields or column.startswith("custom.")):
            line = f"{toml_key(column)} = {toml_text(field)}"
            raise SourceError(
                f"--map: {record.__name__} has no field {field!r}; [fields] names the field first: {line}"
            )


def _check_table(path: Path, name: str, table: Any) -> None:
    """Refuse a value that is not a table, or a table whose values have the wrong type."""
    if not isinstance(table, dict):
        raise SourceError(f"{path}: {name} is not a table: begin it with [{name}]")
    for key, value in table.items():
        where = f"{path}: [{name}] {key!r}"
        if name == "fields" and isinstance(value, dict) and value.keys() & {*_KEYS}:
            _check_keys(where, value)
        elif name != "constants" and not isinstance(value, str):
            dotted = f"{key}.{next(iter(value))}" if isinstance(value, dict) and value else ""
            hint = f"; quote a name that holds a dot: {toml_text(dotted)}" if dotted else ""
            raise SourceError(f"{where} is not text{hint}")


def _check_keys(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a table with unknown keys, without a column, or with half a lookup."""
    if unknown := given.keys() - {*_KEYS}:
        raise SourceError(f"{where}: {min(unknown)!r} is not one of {', '.join(_KEYS)}")
    for name in _LOOKUP if given.keys() & {"lookup", "by"} else ("column",):
        if not isinstance(given.get(name), str):
            raise SourceError(f"{where}: {name} is {'not text' if name in given else 'missing'}")


def _by_field(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """The columns, lookups and transforms by their fields."""
    columns: dict[str, str] = {}
    lookups: dict[str, Lookup] = {}
    transforms: dict[str, Transform] = {}
    for field, given in table.items():
        made = {"column": given} if isinstance(given, str) else given
        columns[field] = made["column"]
        try:
            if "lookup" in made:
                lookups[field] = Lookup(made["lookup"], by=made["by"])
            if changes := {key: value for key, value in made.items() if key in TRANSFORMS}:
                transforms[field] = Transform.parse(changes)
        except ValueError as error:
            raise SourceError(f"{path}: [fields] {field!r}: {error}") from None
    return {"columns": columns, "lookups": lookups, "transforms": transforms}
