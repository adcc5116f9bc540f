"""The values that every row of a file gets, and custom fields by their names: decisions only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from planhat_async._convert import encode_json, to_wire
from planhat_async.jobs.mapping.cell_values import checked_text
from planhat_async.jobs.mapping.field_readers import FieldReaders
from planhat_async.jobs.source_error import SourceError


def constants_of(readers: FieldReaders, texts: Mapping[str, str], held: Mapping[str, Any]) -> dict[str, Any]:
    """The values that every row gets, from texts and from values; one that can be sent as it is stays as it is."""
    try:
        made = {name: _constant(readers, name, value) for name, value in held.items()}
        for name, text in texts.items():
            checked = checked_text(text, name)
            unchanged, read = readers.reader(name)
            made[name] = checked if str in unchanged else read(checked)
        encode_json(to_wire(readers.record, nested_custom(dict(made))))
    except (ValueError, TypeError) as error:
        raise SourceError(f"--set: {error}") from None
    return made


def _constant(readers: FieldReaders, name: str, value: Any) -> Any:
    if name not in readers.types and name not in readers.dates:
        try:
            encode_json(to_wire(readers.record, nested_custom({name: value})))
        except (ValueError, TypeError):
            pass
        else:
            return value
    return readers.reader(name).read(value)


def nested_custom(row: dict[str, Any], constants: Collection[str] = ()) -> dict[str, Any]:
    """Move each `custom.NAME` into `custom`.

    Raises:
        ValueError: `custom` is not an object, or has the name too, which only a constant replaces.
    """
    if "custom." not in "\n".join(row):  # takes half the time of asking each name
        return row
    custom = {name.removeprefix("custom."): row.pop(name) for name in list(row) if name.startswith("custom.")}
    if any(not name.strip() for name in custom):
        raise ValueError("custom. names no custom field")
    if custom:
        held = row.get("custom") or {}
        if not isinstance(held, Mapping):
            raise ValueError("custom is not a JSON object")
        for name in custom.keys() & held.keys():
            if f"custom.{name}" not in constants:
                raise ValueError(f"custom.{name} is given twice: within custom too")
        row["custom"] = {**held, **custom}
    return row
