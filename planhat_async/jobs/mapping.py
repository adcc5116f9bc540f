"""Fits the columns of a foreign file to a model's fields: decisions only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, tzinfo
from typing import Any, Self, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from planhat_async._convert import (
    Field,
    decode_json,
    encode_json,
    fields_of,
    spellings_of,
    to_wire,
    unknown_field,
    write_time,
)
from planhat_async.errors import DecodeError
from planhat_async.records import Record
from planhat_async.records.documentation import documentation_of

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_TRUE = {"true", "yes", "1"}
_FALSE = {"false", "no", "0"}


REASON_COLUMN = "not stored because"
"""Stands beside rows that are to be corrected; when they are sent again it is ignored."""


class SourceError(ValueError):
    """A file, or the mapping to it, that cannot be used.

    That is found before anything is sent, but for a file that is changed, or proves to be damaged, while it is read.
    """


@attrs.frozen(kw_only=True)
class FieldMapping:
    """Which column goes to which field.

    Without columns of its own every column is a field, in either spelling. With some, only those are read.
    """

    record: type[Record]
    columns: Mapping[str, str] = attrs.field(factory=dict)
    """Field to column."""
    constants: Mapping[str, Any] = attrs.field(factory=dict)
    """Field to a value that every row gets."""
    dates: Mapping[str, str] = attrs.field(factory=dict)
    """Field to the format of its times, as `strptime` has it."""
    zone: tzinfo | None = None
    """Of times without one."""

    @classmethod
    def parse(
        cls,
        record: type[Record],
        *,
        maps: Iterable[str] = (),
        constants: Iterable[str] = (),
        columns: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        dates: Mapping[str, str] | None = None,
        time_zone: str | None = None,
    ) -> Self:
        """A mapping from `field=Column` and `field=value` texts, and from what a file holds.

        Args:
            record: The model.
            maps: Fields and their columns, as text; `custom.NAME` is a custom field.
            constants: Fields and the value that every row gets, as text.
            columns: More fields and their columns.
            values: More fields and their values, as they are.
            dates: Fields and the format of their times.
            time_zone: The zone of times whose format has none, such as `Europe/Berlin`.

        Raises:
            SourceError: No such field, a field given twice, a text without `=`, a value of the wrong type.
        """
        wanted = _joined(record, _pairs(record, maps, "--map field=Column"), columns or {}, "--map")
        texts = _pairs(record, constants, "--set field=value")
        held = _joined(record, {}, values or {}, "constants")
        for name in wanted:
            if _is_among(name, texts) or _is_among(name, held):
                raise SourceError(f"{name} is given twice: by --map and by --set")
        try:
            held |= {name: value_of(record, name, _clean(text, name)) for name, text in texts.items()}
            encode_json(to_wire(record, _nested(dict(held))))
        except (ValueError, TypeError) as error:
            raise SourceError(f"--set: {error}") from None
        formats = _joined(record, {}, dates or {}, "dates")
        return cls(record=record, columns=wanted, constants=held, dates=formats, zone=_zone_of(time_zone, formats))

    def description(self) -> dict[str, Any]:
        """What decides how rows are read, as JSON values; constants by a digest only."""
        digests = {
            name: hashlib.blake2b(encode_json(value), digest_size=4).hexdigest()
            for name, value in self.constants.items()
        }
        described: dict[str, Any] = {"columns": dict(self.columns), "constants": digests}
        return described | ({"dates": dict(self.dates), "time_zone": str(self.zone)} if self.dates else {})

    def check_columns(self, columns: Iterable[str]) -> None:
        """Refuse a file whose columns do not fit.

        Raises:
            SourceError: A mapped column is missing; or, without a mapping, a column is not a field.
        """
        there = [column for column in columns if column != REASON_COLUMN]
        for name, column in self.columns.items():
            if column not in there:
                raise SourceError(f"--map {name}={column}: the file has no such column; it has {', '.join(there)}")
        for column in self.columns.values():
            if there.count(column) > 1:
                raise SourceError(f"the file has the column {column!r} twice")
        if not self.columns:
            self._check_fields(there)

    def _check_fields(self, columns: list[str]) -> None:
        """Refuse columns that are not, each, a field that can be written."""
        names: set[str] = set()
        for column in columns:
            try:
                name = _canonical(self.record, column)
            except ValueError as error:
                raise SourceError(f"column {column!r}: {error} (say --map FIELD={column!r})") from None
            if name in names or _is_among(name, self.constants):
                raise SourceError(f"{name} is given twice: by the column {column!r}, and by another or --set")
            names.add(name)

    def read_from(self, columns: Iterable[str]) -> list[str]:
        """The columns of these that are read."""
        wanted = set(self.columns.values())
        return [column for column in columns if column in wanted or (not self.columns and column != REASON_COLUMN)]

    def apply_to_text(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """The row in these cells; an empty cell is left out.

        Raises:
            ValueError: A cell does not hold what its field takes.
        """
        pairs = self.columns.items() if self.columns else ((name, name) for name in self.read_from(cells))
        row = dict(self.constants)
        for name, column in pairs:
            if cells[column]:
                text = _clean(cells[column], f"column {column!r}")
                row[name] = self._time_of(name, text) if name in self.dates else value_of(self.record, name, text)
        return _nested(row)

    def _time_of(self, name: str, text: str) -> str:
        """A time in the format that was given for the field, as Planhat has it."""
        try:
            time = datetime.strptime(text.strip(), self.dates[name])  # noqa: DTZ007 - its zone comes next
        except ValueError:
            raise ValueError(f"{name}: {text[:80]!r} is not a time of the form {self.dates[name]}") from None
        return write_time(time if time.tzinfo else time.replace(tzinfo=self.zone))

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The row in these values; a missing one is left out."""
        held = {name: values[column] for name, column in self.columns.items() if column in values}
        if not self.columns:
            held = {name: values[name] for name in self.read_from(values) if not self._is_constant(name)}
        for name in self.dates:
            if isinstance(held.get(name), str):
                held[name] = self._time_of(name, held[name])
        return _nested({**held, **self.constants})

    def _is_constant(self, name: str) -> bool:
        if not self.constants:
            return False
        field = spellings_of(self.record).get(name)
        return _is_among(name if field is None else field.name, self.constants)


def value_of(record: type[Record], name: str, text: str) -> Any:
    """What a text means for a field: true/false, numbers, lists split at commas, JSON for anything nested.

    Raises:
        ValueError: It does not hold what the field takes; the message names the field.
    """
    if name.startswith("custom."):
        return text
    field = fields_of(record)[_canonical(record, name)]
    try:
        return _parse(field, text)
    except (ValueError, DecodeError):
        raise ValueError(f"{field.name}: {text[:80]!r} is not {_called(field)}") from None


def _parse(field: Field, text: str) -> Any:
    if field.type in (str, datetime, date, Any):
        return text
    if field.type is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if field.type in (int, float):
        if not _NUMBER.fullmatch(text):
            raise ValueError(text)
        return field.check(field.type(text))
    if field.type == list[str] and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    value = decode_json(text.encode())
    if not isinstance(value, dict if get_origin(field.type) is dict else list):
        raise ValueError(text)  # noqa: TRY004 - the text is wrong, not its type
    return value


def _called(field: Field) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number"}
    return names.get(field.type, "a JSON object" if get_origin(field.type) is dict else "a JSON list")


def _canonical(record: type[Record], name: str) -> str:
    """A field's own name from either spelling; `custom.NAME` as it is.

    Raises:
        ValueError: No such field, or one that Planhat fills in: it would drop the value without a word.
    """
    if name.startswith("custom."):
        if not name.removeprefix("custom.").strip():
            raise ValueError(f"{name!r} names no custom field")
        return name
    field = spellings_of(record).get(name)
    if field is None:
        raise ValueError(unknown_field(record, name))
    if not field.is_writable:
        meaning = documentation_of(record).get(field.name, "").rstrip(".")
        raise ValueError(f"{record.__name__}.{field.name} is filled in by Planhat: {meaning}")
    return field.name


def _joined(record: type[Record], given: dict[str, Any], more: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Both, under the fields' own names."""
    joined = dict(given)
    for name, value in more.items():
        try:
            field = _canonical(record, name)
        except ValueError as error:
            raise SourceError(f"{what}: {error}") from None
        if field in joined:
            raise SourceError(f"{field} is given twice: {what}")
        joined[field] = value
    return joined


def _zone_of(name: str | None, formats: Mapping[str, str]) -> tzinfo | None:
    """The zone of times that name none; there must be one where a format has none."""
    zoneless = next((field for field, form in formats.items() if "%z" not in form), None)
    if name is None:
        if zoneless is not None:
            raise SourceError(f'dates: the format of {zoneless} names no zone: give one, as time_zone = "UTC"')
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError, TypeError):
        raise SourceError(f"time_zone: there is no zone {name!r}") from None


def _is_among(name: str, given: Mapping[str, Any]) -> bool:
    """Whether a field is given already; `custom` as a whole holds every `custom.NAME`."""
    return name in given or ("custom" in given and name.startswith("custom."))


def _pairs(record: type[Record], texts: Iterable[str], form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise SourceError(f"{text!r} does not have the form {form}")
        try:
            field = _canonical(record, name)
        except ValueError as error:
            raise SourceError(f"{text!r}: {error}") from None
        if field in pairs:
            raise SourceError(f"{field} is given twice: {form}")
        pairs[field] = value
    return pairs


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """`custom.NAME` into `custom`."""
    custom = {name.removeprefix("custom."): row.pop(name) for name in list(row) if name.startswith("custom.")}
    if any(not name.strip() for name in custom):
        raise ValueError("custom. names no custom field")
    if custom:
        held = row.get("custom") or {}
        if not isinstance(held, Mapping):
            raise ValueError("custom is not a JSON object")
        row["custom"] = {**held, **custom}
    return row


def _clean(text: str, where: str) -> str:
    """Refuse text that held bytes of another encoding, or a NUL."""
    if "\0" in text:
        raise ValueError(f"{where} holds a NUL character")
    if not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text):
        raise ValueError(f"{where} holds bytes of another encoding")
    return text
