"""Fits the columns of a foreign file to a model's fields: decisions only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, tzinfo
from hashlib import blake2b
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from planhat_async._convert import (
    encode_json,
    fields_of,
    spellings_of,
    to_wire,
    write_time,
)
from planhat_async.jobs.mapping.cell_values import checked_text, own_name, value_of
from planhat_async.jobs.mapping.lookups import Lookup, value_to_look_up
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Company, LeanCompany
from planhat_async.records import Record

_MAP_FORM, _SET_FORM = "--map field=Column", "--set field=value"

_MISSING = object()


@attrs.frozen(kw_only=True)
class FieldMapping:
    """Which column goes to which field.

    If `columns` is empty, every column must be a field, in either spelling; otherwise only those columns are read.
    """

    record: type[Record]
    columns: Mapping[str, str] = attrs.field(factory=dict)
    """Field to column."""
    constants: Mapping[str, Any] = attrs.field(factory=dict)
    """Field to a value that every row gets."""
    dates: Mapping[str, str] = attrs.field(factory=dict)
    """Field to the `strptime` format of its times."""
    lookups: Mapping[str, Lookup] = attrs.field(factory=dict)
    """Field to where the record that its column names is looked for; jobs replace the value with the record's id."""
    zone: tzinfo | None = None
    """The zone of times without one."""

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
        lookups: Mapping[str, Lookup] | None = None,
        time_zone: str | None = None,
    ) -> Self:
        """A mapping from `field=Column` and `field=value` texts, and from the contents of a mapping file.

        Args:
            record: The model.
            maps: Fields and their columns, as text; `custom.NAME` is a custom field.
            constants: Fields and the value that every row gets, as text.
            columns: More fields and their columns.
            values: More fields and their values, as they are.
            dates: Fields and the format of their times.
            lookups: Fields whose columns name records by a key of their own, and where these are looked for.
            time_zone: The zone of times whose format has none, such as `Europe/Berlin`.

        Raises:
            SourceError: An unknown field, a field given twice, a text without `=`, a value of the wrong type, a lookup
                for a field that holds no id.
        """
        by_column = _by_field(record, [*_split(maps, _MAP_FORM), *_located("--map", columns)], _MAP_FORM)
        texts = _by_field(record, _split(constants, _SET_FORM), _SET_FORM)
        held = _by_field(record, _located("constants", values), "constants")
        formats = _by_field(record, _located("dates", dates), "dates")
        sought = _by_field(record, _located("lookups", lookups), "lookups")
        for name, lookup in sought.items():
            _check_lookup(record, name, lookup, by_column)
        for name in by_column:
            if _is_among(name, texts | held):
                raise SourceError(f"{name} is given twice: by --map and by --set")
        try:
            held |= {name: value_of(record, name, checked_text(text, name)) for name, text in texts.items()}
            encode_json(to_wire(record, _nested(dict(held))))
        except (ValueError, TypeError) as error:
            raise SourceError(f"--set: {error}") from None
        zone = _zone_of(time_zone, formats)
        return cls(record=record, columns=by_column, constants=held, dates=formats, lookups=sought, zone=zone)

    def description(self) -> dict[str, Any]:
        """The mapping as JSON values, to recognise it in a rerun; of constants only a digest."""
        digests = {
            name: blake2b(encode_json(value), digest_size=4).hexdigest() for name, value in self.constants.items()
        }
        described: dict[str, Any] = {"columns": dict(self.columns), "constants": digests}
        if self.dates:
            described |= {"dates": dict(self.dates), "time_zone": str(self.zone)}
        if self.lookups:
            described["lookups"] = {name: str(lookup) for name, lookup in self.lookups.items()}
        return described

    def check_columns(self, columns: Iterable[str]) -> None:
        """Refuse a file whose columns do not fit.

        Raises:
            SourceError: A mapped column is missing or ambiguous; or, without a mapping, a column is not a field.
        """
        present = [column for column in columns if column != REASON_COLUMN]
        for name, column in self.columns.items():
            if column not in present:
                raise SourceError(f"--map {name}={column}: the file has no such column; it has {', '.join(present)}")
        for column in self.columns.values():
            if present.count(column) > 1:
                raise SourceError(f"the file has the column {column!r} twice")
        names: set[str] = set()
        for column in () if self.columns else present:
            try:
                name = own_name(self.record, column)
            except ValueError as error:
                raise SourceError(f"column {column!r}: {error} (say --map FIELD={column!r})") from None
            if name in names or _is_among(name, self.constants):
                raise SourceError(f"{name} is given twice: by the column {column!r}, and by another or --set")
            names.add(name)

    def columns_to_read(self, columns: Iterable[str]) -> list[str]:
        """The columns of a file that the mapping uses."""
        mapped = set(self.columns.values())
        return [column for column in columns if column in mapped or (not mapped and column != REASON_COLUMN)]

    def apply_to_text(self, cells: Mapping[str, str]) -> dict[str, Any] | None:
        """The row in these cells, without the empty ones; `None` if all that the mapping uses are blank.

        Raises:
            ValueError: A cell does not hold a value of its field.
        """
        row = dict(self.constants)
        is_blank = True
        for name, column in (self.columns or {name: name for name in self.columns_to_read(cells)}).items():
            if cells[column]:
                is_blank = is_blank and not cells[column].strip()
                text = checked_text(cells[column], f"column {column!r}")
                row[name] = self._value_in(name, text)
        return None if is_blank else _nested(self._marked(row))

    def _value_in(self, name: str, text: str) -> Any:
        """The value of a cell; that of a lookup stays text."""
        if name in self.lookups:
            return text
        return self._time_of(name, text) if name in self.dates else value_of(self.record, name, text)

    def _marked(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with its values to look up as such, without blank ones; `None` stays, because it empties a field."""
        for name in self.lookups:
            value = row.pop(name, _MISSING)
            if value is None:
                row[name] = None
            elif value is not _MISSING and (sought := value_to_look_up(name, value)) is not None:
                row[name] = sought
        return row

    def _time_of(self, name: str, text: str) -> str:
        """A time in the field's format, as Planhat writes it."""
        try:
            time = datetime.strptime(text.strip(), self.dates[name])  # noqa: DTZ007 - its zone comes next
        except ValueError:
            raise ValueError(f"{name}: {text[:80]!r} is not a time of the form {self.dates[name]}") from None
        if not name.startswith("custom.") and fields_of(self.record)[name].type is date:
            return time.date().isoformat()
        return write_time(time if time.tzinfo else time.replace(tzinfo=self.zone))

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row in these values, without columns that are missing; a constant replaces a value of its field.

        `None` if no column that the mapping uses has a value.
        """
        if self.columns:
            row = {name: values[column] for name, column in self.columns.items() if column in values}
        else:
            row = {name: values[name] for name in self.columns_to_read(values)}
        if all(value is None or (isinstance(value, str) and not value.strip()) for value in row.values()):
            return None
        if not self.columns:
            row = {name: value for name, value in row.items() if not self._is_constant(name)}
        for name in self.dates.keys() - self.lookups.keys():
            if isinstance(row.get(name), str):
                row[name] = self._time_of(name, row[name])
        return _nested({**self._marked(row), **self.constants})

    def apply_to_cells(self, cells: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row in cells of a spreadsheet: texts are parsed as in `apply_to_text`, other values keep their types.

        Raises:
            ValueError: A text does not stand for a value of its field.
        """
        texts = self.apply_to_text({name: cell if isinstance(cell, str) else "" for name, cell in cells.items()})
        values = self.apply({name: cell for name, cell in cells.items() if not isinstance(cell, str)})
        if texts is None or values is None:
            return values if texts is None else texts
        custom = {**texts.get("custom", {}), **values.get("custom", {})}
        return {**texts, **values, **({"custom": custom} if custom else {})}

    def _is_constant(self, name: str) -> bool:
        field = spellings_of(self.record).get(name) if self.constants else None
        return _is_among(name if field is None else field.name, self.constants)


def _check_lookup(record: type[Record], name: str, lookup: Lookup, columns: Mapping[str, str]) -> None:
    """Refuse a lookup without a column, for a field that does not hold one id, or of a company in another model."""
    if name == "company_id" and not issubclass(lookup.record, Company | LeanCompany):
        raise SourceError(f"lookups: company_id holds the id of a company, not of one of the {lookup.model}")
    if name not in columns:
        raise SourceError(f"lookups: {name} has no column")
    if name.startswith("custom.") or fields_of(record)[name].type not in (str, Any):
        raise SourceError(f"lookups: {record.__name__}.{name} does not hold one id, so nothing can be looked up for it")


def _split(texts: Iterable[str], form: str) -> Iterator[tuple[str, str, str]]:
    """Each `name=value` text in quotes, its name and its value."""
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise SourceError(f"{text!r} does not have the form {form}")
        yield repr(text), name, value


def _located(where: str, given: Mapping[str, Any] | None) -> list[tuple[str, str, Any]]:
    return [(where, name, value) for name, value in (given or {}).items()]


def _by_field(record: type[Record], given: Iterable[tuple[str, str, Any]], what: str) -> dict[str, Any]:
    """Values under the fields' own names, from places for messages, names and values."""
    found: dict[str, Any] = {}
    for where, name, value in given:
        try:
            field = own_name(record, name)
        except ValueError as error:
            raise SourceError(f"{where}: {error}") from None
        if field in found:
            raise SourceError(f"{field} is given twice: {what}")
        found[field] = value
    return found


def _zone_of(name: str | None, formats: Mapping[str, str]) -> tzinfo | None:
    """The zone of times without one; required if a format has no zone."""
    if name is None:
        for field, form in formats.items():
            if "%z" not in form:
                raise SourceError(f'dates: the format of {field} names no zone: give one, as time_zone = "UTC"')
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError, TypeError):
        raise SourceError(f"time_zone: there is no zone {name!r}") from None


def _is_among(name: str, given: Mapping[str, Any]) -> bool:
    """Whether a field is given already; `custom` as a whole includes every `custom.NAME`."""
    return name in given or ("custom" in given and name.startswith("custom."))


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """Move each `custom.NAME` into `custom`."""
    custom = {name.removeprefix("custom."): row.pop(name) for name in list(row) if name.startswith("custom.")}
    if any(not name.strip() for name in custom):
        raise ValueError("custom. names no custom field")
    if custom:
        held = row.get("custom") or {}
        if not isinstance(held, Mapping):
            raise ValueError("custom is not a JSON object")
        row["custom"] = {**held, **custom}
    return row
