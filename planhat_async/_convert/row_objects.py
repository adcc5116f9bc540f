"""Rows that are objects of a caller's own classes: pydantic models, dataclasses, attrs classes."""

from __future__ import annotations

import dataclasses
from typing import Any

import attrs

from planhat_async.records import Record


def held_by_object(row: Any) -> dict[str, Any] | None:
    """The fields of an object that are not `None`, by their names; those of pydantic by their aliases.

    An object has a value for every field, so `None` means a missing value, as it does in records: it empties
    nothing. `None` if the object is of no such class, or a record: one of another model is not a row.
    """
    if isinstance(row, Record | type):
        return None
    if hasattr(type(row), "model_fields") and callable(getattr(row, "model_dump", None)):
        held: dict[str, Any] = row.model_dump(by_alias=True, exclude_none=True)
        return held
    if dataclasses.is_dataclass(row):
        names = [field.name for field in dataclasses.fields(row)]
    elif attrs.has(type(row)):
        names = [field.name for field in attrs.fields(type(row))]
    else:
        return None
    return {name: value for name in names if (value := getattr(row, name)) is not None}
