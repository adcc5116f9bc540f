"""Conditions of Spark's queries as filters of Planhat's lists: decisions only.

Spark applies every condition again, so a filter need not be exact: it must only let through all rows that a condition
lets through. A condition that is not known here is left to Spark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from planhat_async._convert import spellings_of
from planhat_async.records import ArchivedFilter, Filter, HiddenFilter, IdFilter, Model, TextFilter


class Condition(NamedTuple):
    """A column that must equal one of some values."""

    column: str
    values: tuple[Any, ...]


def condition_of(pushed: Any) -> Condition | None:
    """What a condition of Spark's means, if it is that a column equals one of some values."""
    kind = type(pushed).__name__
    path: tuple[str, ...] = getattr(pushed, "attribute", ())
    if kind not in {"EqualTo", "EqualNullSafe", "In"} or len(path) != 1:
        return None
    values = tuple(pushed.value) if kind == "In" else (pushed.value,)
    return None if None in values else Condition(path[0], values)


def filters_for(model: Model, conditions: Iterable[Condition], given: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that conditions imply, without options that the caller has given."""
    found: dict[str, Any] = {}
    for condition in conditions:
        field = spellings_of(model.record).get(condition.column)
        if field is None:
            continue
        for one in model.filters:
            value = _value(one, field.name, field.wire, condition.values)
            if value is not None and one.option not in given and one.option not in found and _is_valid(one, value):
                found[one.option] = value
    return found


def _value(one: Filter, name: str, wire: str, values: tuple[Any, ...]) -> Any:
    """The value of a filter by this field; `None` if it is not one."""
    if isinstance(one, ArchivedFilter | HiddenFilter):
        field = one.partition_field if isinstance(one, ArchivedFilter) else one.field
        return values[0] if field == name and len(values) == 1 and isinstance(values[0], bool) else None
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        return None
    if isinstance(one, IdFilter):
        return texts if one.field == name and not one.is_list else None
    if isinstance(one, TextFilter):
        return texts[0] if one.wire == wire and len(texts) == 1 else None
    return None


def _is_valid(one: Filter, value: Any) -> bool:
    try:
        one.branches(value)
    except (TypeError, ValueError):
        return False
    return True
