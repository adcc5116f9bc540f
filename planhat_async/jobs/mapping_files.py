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
    """What a mapping file holds.

    time_zone = "Europe/Berlin"      # of dates that name none

    [columns]                        # column -> field
    "Ticket ID" = "source_id"
    "Date of Purchase" = "custom.purchased"

    [constants]                      # field = value
    source = "help desk"

    [dates]                          # field = format, as strptime has it
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
        unknown = [name for name in held if name not in {*_TABLES, "time_zone"}]
        if unknown:
            raise SourceError(f"{path}: {unknown[0]!r} is not one of {', '.join(_TABLES)} or time_zone")
        tables = {name: _table(path, name, held.get(name, {})) for name in _TABLES}
        for name in ("columns", "dates"):
            _refuse_other_than_text(path, name, tables[name])
        fields = list(tables["columns"].values())
        twice = next((field for field in fields if fields.count(field) > 1), None)
        if twice is not None:
            raise SourceError(f"{path}: two columns go to {twice}")
        return cls(
            columns={field: column for column, field in tables["columns"].items()},
            constants=tables["constants"],
            dates=tables["dates"],
            time_zone=held.get("time_zone"),
        )


def _table(path: Path, name: str, held: Any) -> dict[str, Any]:
    if not isinstance(held, dict):
        raise SourceError(f"{path}: {name} is not a table: begin it with [{name}]")
    return held


def _refuse_other_than_text(path: Path, name: str, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if not isinstance(value, str):
            raise SourceError(f"{path}: [{name}] {key!r} is not text; quote a name that holds a dot")
