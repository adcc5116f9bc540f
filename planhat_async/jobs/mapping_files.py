"""Mappings kept in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from planhat_async.jobs.mapping import SourceError

_TABLES = ("columns", "constants", "dates")


@attrs.frozen(kw_only=True)
class MappingFile:
    """The contents of a mapping file.

    time_zone = "Europe/Berlin"      # of dates without a zone

    [columns]                        # column -> field
    "Ticket ID" = "source_id"
    "Date of Purchase" = "custom.purchased"

    [constants]                      # field = value
    source = "help desk"

    [dates]                          # field = strptime format
    "custom.purchased" = "%Y-%m-%d"
    """

    columns: Mapping[str, str] = attrs.field(factory=dict)
    """Field to column."""
    constants: Mapping[str, Any] = attrs.field(factory=dict)
    dates: Mapping[str, str] = attrs.field(factory=dict)
    time_zone: str | None = None

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
        if unknown := held.keys() - {*_TABLES, "time_zone"}:
            raise SourceError(f"{path}: {min(unknown)!r} is not one of {', '.join(_TABLES)} or time_zone")
        for name in _TABLES:
            table = held.setdefault(name, {})
            if not isinstance(table, dict):
                raise SourceError(f"{path}: {name} is not a table: begin it with [{name}]")
            for key, value in table.items():
                if name != "constants" and not isinstance(value, str):
                    raise SourceError(f"{path}: [{name}] {key!r} is not text; quote a name that holds a dot")
        columns: dict[str, str] = {}
        for column, field in held["columns"].items():
            if columns.setdefault(field, column) != column:
                raise SourceError(f"{path}: two columns go to {field}")
        return cls(**held | {"columns": columns})
