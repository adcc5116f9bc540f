"""Metrics: numbers by day that Planhat keeps of a company, an end user, an asset or a project."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from planhat_async._convert import is_blank, row_converter
from planhat_async.records import Record, read_only, writable

MODELS = ("Company", "EndUser", "Asset", "Project")
_DIMENSION = re.compile(r"[A-Za-z0-9_-]+")


@attrs.define(kw_only=True, repr=False)
class Metric(Record):
    """One value of one metric (`/dimensiondata`).

    To send one, `dimension_id`, `value` and `external_id` are required. A metric that was read has other fields than
    one that is sent: it names its record by Planhat's `_id` and has a `time`.
    """

    dimension_id: str | None = writable()
    """The metric's own id, such as `activeusers`: letters, digits, `_` and `-`; Planhat refuses other characters."""
    value: float | None = writable()
    """The value: a finite number."""
    external_id: str | None = writable()
    """The external id of the record that the metric belongs to; not in metrics that are read."""
    model: str | None = writable()
    """The model of that record: `Company` (the default), `EndUser`, `Asset` or `Project`."""
    date: datetime | None = writable()
    """The time of the value, aware; by default the time at which Planhat receives it."""

    id: str | None = read_only(wire="_id")
    """Planhat's key of the metric."""
    time: datetime | None = read_only()
    """The time of the value, in metrics that are read."""
    parent_id: str | None = read_only()
    """Planhat's `_id` of the record that the metric belongs to."""
    company_id: str | None = read_only()
    """Planhat's `_id` of that record's company."""
    company_name: str | None = read_only()
    """The name of that company."""
    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Always empty: metrics have no custom fields."""


def metric_row(item: Any) -> dict[str, Any]:
    """What is sent for a metric, by Planhat's names.

    Args:
        item: A `Metric`, or a mapping with keys in either spelling. Values that are `None` are left out.

    Raises:
        ValueError: A required field is missing, or a value that Planhat would reject or misunderstand.
        TypeError: Neither of the two, or a value of the wrong type.
    """
    row = checked_row(Metric, item, _CHECKS)
    for wire, name in (("dimensionId", "dimension_id"), ("value", "value"), ("externalId", "external_id")):
        if wire not in row:
            raise ValueError(f"{name} is required")
    return row


def checked_row(cls: type[Record], item: Any, checks: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """What is sent for a record or a mapping of this class, without values that are `None`.

    Args:
        cls: The class.
        item: The record or mapping.
        checks: For each field that can be sent, by Planhat's name, a check that returns the value to send.

    Raises:
        ValueError: An unknown field, one that cannot be sent, or a value that a check refuses.
        TypeError: Not such a record, nor a mapping; or a value of the wrong type.
    """
    row = {}
    for wire, value in row_converter(cls).to_wire(item).items():
        if value is None:
            continue
        check = checks.get(wire)
        if check is None:
            sent = ", ".join(checks)
            raise ValueError(f"{wire} cannot be sent with a {cls.__name__}, only {sent}")
        row[wire] = check(value)
    return row


def not_blank(name: str) -> Callable[[str], str]:
    """A check that refuses a blank text."""

    def check(value: str) -> str:
        if is_blank(value):
            raise ValueError(f"{name} must not be blank")
        return value

    return check


def as_sent(value: Any) -> Any:
    """The value as it is: its type was checked."""
    return value


def plain_number(name: str) -> Callable[[float], float]:
    """A check that refuses an integer too large for a float, and makes a plain number of a subclass of `float`."""

    def check(value: float) -> float:
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(f"{name} is too large for a number") from None
        return value if type(value) in {int, float} else number

    return check


def _dimension_id(value: str) -> str:
    not_blank("dimension_id")(value)
    if not _DIMENSION.fullmatch(value):
        found = next(one for one in value if not _DIMENSION.fullmatch(one))
        raise ValueError(f"dimension_id must consist of letters, digits, _ and -: it contains {found!r}")
    return value


def _model(value: str) -> str:
    if value not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, not {value!r}")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "dimensionId": _dimension_id,
    "value": plain_number("value"),
    "externalId": not_blank("external_id"),
    "model": _model,
    "date": as_sent,
}
