"""What a record holds, as plain values: decisions only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import attrs


def camel_case(name: str) -> str:
    """A field's name in Planhat's usual spelling."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def wire_name(attribute: attrs.Attribute[Any]) -> str:
    """Planhat's name of a field."""
    return attribute.metadata.get("wire") or camel_case(attribute.name)


def held_values(record: Any, *, planhat_names: bool) -> dict[str, Any]:
    """The fields that are set, without secrets; objects within them as dicts.

    Args:
        record: A record, or an object within one.
        planhat_names: Use Planhat's names, and put what is in `extra` beside the other fields.
    """
    held: dict[str, Any] = {}
    for attribute in attrs.fields(type(record)):
        value = getattr(record, attribute.name)
        is_empty = value is None or (value == {} and attribute.name in {"custom", "extra"})
        if is_empty or attribute.repr is False or (planhat_names and attribute.name == "extra"):
            continue
        name = wire_name(attribute) if planhat_names else attribute.name
        held[name] = _plain(value, planhat_names=planhat_names)
    return {**record.extra, **held} if planhat_names else held


def as_json(held: Mapping[str, Any]) -> str:
    """A result of `held_values` as JSON: times in UTC with milliseconds, days as `YYYY-MM-DD`."""
    return json.dumps(held, ensure_ascii=False, separators=(",", ":"), default=_time_text)


def _plain(value: Any, *, planhat_names: bool) -> Any:
    if type(value) is list:
        return [_plain(item, planhat_names=planhat_names) for item in value]
    return held_values(value, planhat_names=planhat_names) if attrs.has(type(value)) else value


def _time_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


class DataclassFields:
    """The fields of a class as those of a dataclass, without secrets.

    pandas, polars and others look for them: a frame of records then has a column for each field, not one of objects.
    The classes are attrs classes in everything else.
    """

    def __get__(self, _: Any, owner: type) -> dict[str, dataclasses.Field[Any]]:
        """Those of the class."""
        return _dataclass_fields(owner)


@cache
def _dataclass_fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    fields = [
        (one.name, one.type or Any, dataclasses.field(default=None))
        for one in attrs.fields(cls)
        if one.repr is not False
    ]
    made = dataclasses.make_dataclass(cls.__name__, fields)
    return {field.name: field for field in dataclasses.fields(made)}
