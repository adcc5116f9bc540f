"""The one rule for missing values in files: an empty cell, a null, a key that is not there. Decisions only.

By default a missing value leaves its field as it is. A mapping may say instead that each value that is there but empty
empties its field. Each custom field is a field; what is within other values is sent as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from planhat_async._convert import fields_of
from planhat_async.models import ALL
from planhat_async.records import Record


def is_missing(name: str, value: Any) -> bool:
    """Whether a field of a row has no value, which includes blank text and an empty `custom`."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if name != "custom" or not isinstance(value, Mapping) or not value:
        return False
    return all(one is None for one in value.values())


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """The row without fields that are `None`, those of `custom` included."""
    custom = row.get("custom")
    if type(custom) is dict and None in custom.values():
        kept = {name: value for name, value in custom.items() if value is not None}
        row = {**row, "custom": kept or None}
    if None not in row.values():
        return row
    return {name: value for name, value in row.items() if value is not None}


def emptied_fields(row: Mapping[str, Any], keys: Collection[str]) -> Iterator[str]:
    """The fields that a row empties. A key that is `None` empties nothing: it is not a key."""
    for name, value in row.items():
        if value is None and name not in keys:
            yield name
    custom = row.get("custom")
    if isinstance(custom, Mapping):
        yield from (f"custom.{name}" for name, value in custom.items() if value is None)


def keys_of(record: type[Record]) -> frozenset[str]:
    """The fields by which rows of a model are matched, in both spellings."""
    match = next((one.model.match for one in ALL if one.model.record is record), ())
    wires = {name: field.wire for name, field in fields_of(record).items()}
    return frozenset((*match, *(wires[name] for name in match)))
