"""Mappings kept in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from planhat_async._convert import fields_of, similar_fields
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.proposed_line import toml_text
from planhat_async.jobs.mapping.transforms import TRANSFORMS, Transform
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Record

_TABLES = ("columns", "constants", "dates", "types")
_OPTIONS = {"time_zone": str, "list_separator": str, "decimal_comma": bool, "null": str}
_LOOKUP = ("field", "lookup", "by")
_KEYS = (*_LOOKUP, *TRANSFORMS)


@attrs.frozen(kw_only=True)
class MappingFile:
    r"""The contents of a mapping file.

    time_zone = "Europe/Berlin"      # of times without a zone
    list_separator = ";"             # in cells; a comma if not given
    decimal_comma = true             # 1200,50
    null = "empty"                   # a missing value empties its field; "keep", the default, leaves it alone

    [columns]                        # column -> field, or fields
    "Ticket ID" = ["source_id", "custom.help_desk_id"]
    "Date of Purchase" = "custom.purchased"
    "Account" = { field = "company_id", lookup = "companies", by = "external_id" }
    "Requester" = { field = "email", regex = '\((.+@.+)\)', strip = true, lower = true, default = "none@acme.example" }

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
        if unknown := held.keys() - {*_TABLES, *_OPTIONS}:
            raise SourceError(f"{path}: {min(unknown)!r} is not one of {', '.join(_TABLES)} or {' or '.join(_OPTIONS)}")
        for name in _TABLES:
            _check_table(path, name, held.setdefault(name, {}))
        for name, kind in _OPTIONS.items():
            if name in held and type(held[name]) is not kind:
                raise SourceError(f"{path}: {name} is not {'text' if kind is str else 'true or false'}")
        if held.get("null", "keep") not in {"keep", "empty"}:
            raise SourceError(f'{path}: null is "keep" or "empty", not {held["null"]!r}')
        return cls(**held | _by_field(path, held["columns"]))


def refuse_swapped(columns: Mapping[str, str], record: type[Record]) -> None:
    """Refuse lines of a file that have the field first, as on a command line.

    Args:
        columns: Field to column, as the file gives them.
        record: The class that has the fields.

    Raises:
        SourceError: A column has the name of a field, and its field is not one and not similar to one.
    """
    fields = fields_of(record)
    for field, column in columns.items():
        is_unknown = not field.startswith("custom.") and field not in fields and not similar_fields(record, field)
        if is_unknown and (column in fields or column.startswith("custom.")):
            line = f"{toml_text(field)} = {toml_text(column)}"
            raise SourceError(
                f"--map: {record.__name__} has no field {field!r}; [columns] names the column first: {line}"
            )


def _check_table(path: Path, name: str, table: Any) -> None:
    """Refuse a value that is not a table, or a table whose values have the wrong type."""
    if not isinstance(table, dict):
        raise SourceError(f"{path}: {name} is not a table: begin it with [{name}]")
    for key, value in table.items():
        if name == "columns" and isinstance(value, dict | list):
            _check_column(f"{path}: [{name}] {key!r}", value)
        elif name != "constants" and not isinstance(value, str):
            raise SourceError(f"{path}: [{name}] {key!r} is not text; quote a name that holds a dot")


def _check_column(where: str, given: Any) -> None:
    """Refuse what is neither a table of a field nor a list of fields and such tables."""
    if isinstance(given, list) and given:
        for one in given:
            if not isinstance(one, str):
                _check_column(where, {} if isinstance(one, list) else one)
    elif not isinstance(given, dict) or not given.keys() & {*_KEYS}:
        raise SourceError(f"{where} is not text; quote a name that holds a dot")
    else:
        _check_field(where, given)


def _check_field(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a table with unknown keys, without a field, or with half a lookup."""
    if unknown := given.keys() - {*_KEYS}:
        raise SourceError(f"{where}: {min(unknown)!r} is not one of {', '.join(_KEYS)}")
    for name in _LOOKUP if given.keys() & {"lookup", "by"} else ("field",):
        if not isinstance(given.get(name), str):
            raise SourceError(f"{where}: {name} is {'not text' if name in given else 'missing'}")


def _by_field(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """The columns, lookups and transforms by their fields."""
    columns: dict[str, str] = {}
    lookups: dict[str, Lookup] = {}
    transforms: dict[str, Transform] = {}
    for column, given in table.items():
        for one in given if isinstance(given, list) else [given]:
            made = {"field": one} if isinstance(one, str) else one
            field = made["field"]
            if field in columns:
                raise SourceError(f"{path}: two columns go to {field}")
            columns[field] = column
            try:
                if "lookup" in made:
                    lookups[field] = Lookup(made["lookup"], by=made["by"])
                if changes := {key: value for key, value in made.items() if key in TRANSFORMS}:
                    transforms[field] = Transform.parse(changes)
            except ValueError as error:
                raise SourceError(f"{path}: [columns] {column!r}: {error}") from None
    return {"columns": columns, "lookups": lookups, "transforms": transforms}
