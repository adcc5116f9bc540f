"""Values by which a row that was sent is recognised among Planhat's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs

from planhat_async._convert.fields import spellings_of, wire_path
from planhat_async._convert.text import is_blank
from planhat_async._convert.timestamps import read_time
from planhat_async._convert.values import SCALAR_CHECKS
from planhat_async.records import Model
from planhat_async.records.arguments import several
from planhat_async.records.keys import is_record_id

Fingerprint: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The values of the unique fields, and those of the others."""

_CUSTOM = "custom."


@attrs.frozen
class FingerprintFields:
    """The fields whose values are compared, by wire name."""

    unique: tuple[str, ...]
    """Fields that every row must have and, as the caller warrants, no two share; also `custom.NAME`."""
    others: tuple[str, ...]
    times: frozenset[str]
    """Which of them are times, written in more than one way, or of an unknown type, and so may be times."""
    company: str | None = None
    """The field of the company: lists show its `_id`, whichever key was sent."""

    @property
    def select(self) -> str:
        """The fields to select: `custom` as a whole, because it is unknown whether Planhat selects a part of it."""
        names = ("custom" if name.startswith(_CUSTOM) else name for name in (*self.unique, *self.others))
        return ",".join(dict.fromkeys(["_id", *names]))

    def of_record(self, record: Mapping[str, Any]) -> Fingerprint:
        """The fingerprint of one of Planhat's records."""
        return (
            tuple(self._value(record, name) for name in self.unique),
            tuple(self._value(record, name) for name in self.others),
        )

    def of_row(self, wire: Mapping[str, Any]) -> Fingerprint:
        """The fingerprint of a row that is to be sent; raises ValueError if it lacks the value of a unique field."""
        fingerprint = self.of_record(wire)
        for name, value in zip(self.unique, fingerprint[0], strict=True):
            if value is None or (isinstance(value, str) and is_blank(value)):
                raise ValueError(f"verify_by: {name} must be text, a number or a time, and not blank")
            if name == self.company and not is_record_id(value):
                raise ValueError(f"verify_by: {name} must be an _id: Planhat shows no other key of a company")
        return fingerprint

    def _value(self, record: Mapping[str, Any], name: str) -> Any:
        if name.startswith(_CUSTOM):
            custom = record.get("custom")
            value = custom.get(name.removeprefix(_CUSTOM)) if isinstance(custom, Mapping) else None
        else:
            value = record.get(name)
        if isinstance(value, str):
            return _moment(value) if name in self.times else value.strip()
        return value if isinstance(value, int | float) else None


IDS_ONLY = FingerprintFields((), (), frozenset())
"""Compares nothing: selects `_id` alone."""


def _moment(text: str) -> datetime | str:
    try:
        time = read_time(text).astimezone(UTC)
        return time.replace(microsecond=time.microsecond // 1000 * 1000)  # Planhat keeps milliseconds
    except (ValueError, OverflowError):
        return text


def fingerprint_fields(model: Model, names: Sequence[str]) -> FingerprintFields:
    """The fields to compare for an upsert's `verify_by`, given in either spelling.

    Raises:
        ValueError: A field is unknown, holds more than a single value or is not sent; or all rows have keys.
        TypeError: `names` is not a sequence of names.
    """
    if model.always_has_key:
        raise ValueError(
            f"every {model.singular} has a key, so there is nothing to verify: leave verify_by (--verify-by) out"
        )
    unique = tuple(_checked_wire(model, name) for name in several("verify_by", names, of="field names"))
    spelled, others = spellings_of(model.record), model.discriminator
    plain = [name for name in (*unique, *others) if not name.startswith(_CUSTOM)]
    times = frozenset(name for name in plain if name not in spelled or spelled[name].type is datetime)
    company = None if model.company_field is None else wire_path(model.record, model.company_field)
    return FingerprintFields(unique, others, times, company)


def _checked_wire(model: Model, name: str) -> str:
    wire = wire_path(model.record, name)
    if wire.startswith(_CUSTOM):
        return wire
    field = spellings_of(model.record).get(wire)
    if field is None:  # of a record whose other fields are not known
        return wire
    if field.type not in SCALAR_CHECKS:
        raise ValueError(f"verify_by: {field.name} holds more than a single value")
    if field.name in model.altered:
        raise ValueError(f"verify_by: Planhat changes {field.name}, so rows cannot be recognised by it")
    if not field.is_writable or field.name in model.match:
        raise ValueError(f"verify_by: {field.name} is not a field that rows without a key are sent with")
    return wire
