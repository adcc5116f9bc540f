"""Mappings kept in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.source_error import SourceError

_TABLES = ("columns", "constants", "dates")
_OPTIONS = ("time_zone", "null")
_LOOKUP = ("field", "lookup", "by")


@attrs.frozen(kw_only=True)
class MappingFile:
    """The contents of a mapping file.

    time_zone = "Europe/Berlin"      # of dates without a zone
    null = "empty"                   # a missing value empties its field; "keep", the default, leaves it alone

    [columns]                        # column -> field
    "Ticket ID" = "source_id"
    "Date of Purchase" = "custom.purchased"
    "Account" = { field = "company_id", lookup = "companies", by = "external_id" }

    [constants]                      # field = value
    source = "help desk"

    [dates]                          # field = strptime format
    "custom.purchased" = "%Y-%m-%d"
    """

    columns: Mapping[str, str] = attrs.field(factory=dict)
    """Field to column."""
    constants: Mapping[str, Any] = attrs.field(factory=dict)
    dates: Mapping[str, str] = attrs.field(factory=dict)
    lookups: Mapping[str, Lookup] = attrs.field(factory=dict)
    """Field to where the record that its column names is looked for."""
    time_zone: str | None = None
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
            raise SourceError(f"{path}: {min(unknown)!r} is not one of {', '.join(_TABLES)} or {', '.join(_OPTIONS)}")
        if held.get("null", "keep") not in {"keep", "empty"}:
            raise SourceError(f'{path}: null is "keep" or "empty", not {held["null"]!r}')
        columns: dict[str, str] = {}
        lookups: dict[str, Lookup] = {}
        for name in _TABLES:
            _check_table(path, name, held.setdefault(name, {}))
        for column, given in held["columns"].items():
            field = given if isinstance(given, str) else given["field"]
            if columns.setdefault(field, column) != column:
                raise SourceError(f"{path}: two columns go to {field}")
            if not isinstance(given, str):
                lookups[field] = _lookup(path, column, given)
        return cls(**held | {"columns": columns, "lookups": lookups})


def _check_table(path: Path, name: str, table: Any) -> None:
    """Refuse a value that is not a table, or a table whose values have the wrong type."""
    if not isinstance(table, dict):
        raise SourceError(f"{path}: {name} is not a table: begin it with [{name}]")
    for key, value in table.items():
        where = f"{path}: [{name}] {key!r}"
        if name == "columns" and isinstance(value, dict) and value.keys() & {*_LOOKUP}:
            _check_lookup(where, value)
        elif name != "constants" and not isinstance(value, str):
            raise SourceError(f"{where} is not text; quote a name that holds a dot")


def _check_lookup(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a lookup that does not have exactly its three texts."""
    if unknown := given.keys() - {*_LOOKUP}:
        raise SourceError(f"{where}: {min(unknown)!r} is not one of {', '.join(_LOOKUP)}")
    for name in _LOOKUP:
        if not isinstance(given.get(name), str):
            raise SourceError(f"{where}: {name} is {'not text' if name in given else 'missing'}")


def _lookup(path: Path, column: str, given: Mapping[str, str]) -> Lookup:
    try:
        return Lookup(given["lookup"], by=given["by"])
    except ValueError as error:
        raise SourceError(f"{path}: [columns] {column!r}: {error}") from None
