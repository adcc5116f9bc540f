"""How the values of each field are read from a file: decisions only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import attrs

from planhat_async._convert import Field, fields_of, spellings_of
from planhat_async.jobs.mapping.cell_lists import list_in
from planhat_async.jobs.mapping.cell_times import EPOCHS
from planhat_async.jobs.mapping.nested_values import MISSING
from planhat_async.jobs.mapping.notation import Notation
from planhat_async.jobs.mapping.time_format import TimeFormat
from planhat_async.jobs.mapping.transforms import Transform
from planhat_async.jobs.mapping.value_types import OF_CUSTOM, READERS, check_type, reader_for
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Record


class FieldReader(NamedTuple):
    """Reads the values of one field."""

    unchanged: frozenset[type]
    """The types of values that are sent as they are."""
    read: Callable[[Any], Any]
    """Reads any other value. `MISSING` if nothing is left of it; raises `ValueError` with the field's name."""


UNREAD = FieldReader(frozenset(), lambda value: value)
"""Of an unknown field, and of one that Planhat fills in."""


@attrs.frozen(kw_only=True)
class FieldReaders:
    """How the values of each field are read, by the fields' own names."""

    record: type[Record]
    dates: Mapping[str, TimeFormat] = attrs.field(factory=dict)
    """The form of a field's times."""
    types: Mapping[str, str] = attrs.field(factory=dict)
    """The type of a field's values."""
    transforms: Mapping[str, Transform] = attrs.field(factory=dict)
    notation: Notation = attrs.field(factory=Notation)

    def __attrs_post_init__(self) -> None:
        for name in self.dates.keys() | self.types.keys() | self.transforms.keys():
            self._check(name)

    def _check(self, name: str) -> None:
        field, form, kind = self._field(name), self.dates.get(name), self.types.get(name)
        made_of_form = None if form is None else "date" if self._is_day(name) else "time"
        for what, read_as in (("types", kind), ("dates", made_of_form)):
            try:
                if read_as is not None:
                    check_type(self.record, field, read_as)
            except ValueError as error:
                raise SourceError(f"{what}: {error}") from None
        if form is not None and kind not in (None, "date", "time"):
            raise SourceError(f"{name} has a form under dates and the type {kind}: give one of them")
        if form is not None and not form.names_zone and self.notation.zone is None and not self._is_day(name):
            raise SourceError(
                f'dates: the format of {name} names no zone: give one, as time_zone = "UTC" or --time-zone UTC'
            )
        if name in self.transforms and self.transforms[name].split and not self._is_list(name):
            raise SourceError(f"columns: split: {name} does not hold a list")

    def _field(self, name: str) -> Field | None:
        return None if name.startswith("custom.") else fields_of(self.record)[name]

    def _is_day(self, name: str) -> bool:
        field = self._field(name)
        return self.types.get(name) == "date" or (field is not None and field.type is date)

    def _is_list(self, name: str) -> bool:
        field = self._field(name)
        kind = self.types.get(name, "list")
        return kind == "list" and (field is None or (field.part is None and reader_for(field)[1] is list_in))

    def reader(self, name: str) -> FieldReader:
        """What reads the values of a field, in either spelling.

        Values of unknown fields, and of those that Planhat fills in, are returned as they are.
        """
        field = spellings_of(self.record).get(name)
        own = name if field is None else field.name
        if field.is_writable if field is not None else own.startswith("custom."):
            return self._reader(own, field)
        return UNREAD

    def reader_to_look_up(self, name: str) -> FieldReader:
        """As `reader`, of a value that names another record: it need not be one of the field."""
        steps = [*self._steps(name)]
        return FieldReader(frozenset({str} if not steps else ()), _in_turn(steps))

    def _reader(self, name: str, field: Field | None) -> FieldReader:
        steps = [*self._steps(name)]
        unchanged, read = OF_CUSTOM if field is None else reader_for(field)
        last = partial(_read, read, self.notation, name)
        return FieldReader(frozenset() if steps else unchanged, _in_turn([*steps, last]))

    def _steps(self, name: str) -> Iterator[Callable[[Any], Any]]:
        """What is done with a value before it is read as one of the field."""
        transform, form, kind = self.transforms.get(name), self.dates.get(name), self.types.get(name)
        if transform is not None:
            yield partial(_called_with, transform.apply, name)
        if transform is not None and transform.split:
            yield partial(list_in, notation=self.notation, name=name, separator=transform.split)
        if form is not None:
            yield partial(_called_with, form.read, name)
        if kind in EPOCHS:
            yield partial(_read, READERS[kind], self.notation, name)
        if (form is not None or kind in EPOCHS) and not self._is_day(name):
            kind = "time"
        elif form is not None:
            kind = "date"
        if kind is not None and kind not in EPOCHS:
            yield partial(_read, READERS[kind], self.notation, name)

    def default_of(self, name: str) -> Any:
        """The value of a field where a row has no value; `MISSING` without a default.

        Raises:
            SourceError: It is not a value of the field.
        """
        transform = self.transforms.get(name, Transform())
        if transform.default is MISSING:
            return MISSING
        others = {one: value for one, value in self.transforms.items() if one != name}
        split = Transform(split=transform.split)
        try:
            return attrs.evolve(self, transforms={**others, name: split}).reader(name).read(transform.default)
        except ValueError as error:
            raise SourceError(f"columns: default: {error}") from None

    def description(self) -> dict[str, Any]:
        """What is given, as JSON values, to recognise it in a rerun."""
        notation, described = self.notation, dict[str, Any]()
        if self.dates:
            described["dates"] = {name: form.form for name, form in self.dates.items()}
        if self.dates or notation.zone is not None:
            described["time_zone"] = str(notation.zone)
        if self.types:
            described["types"] = dict(self.types)
        if self.transforms:
            described["transforms"] = {name: _described(one) for name, one in self.transforms.items()}
        if notation.list_separator is not None:
            described["list_separator"] = notation.list_separator
        return described | ({"decimal_comma": True} if notation.decimal_comma else {})


def _described(transform: Transform) -> dict[str, Any]:
    given = transform.description()
    if "default" in given:
        given["default"] = blake2b(repr(given["default"]).encode(), digest_size=4).hexdigest()
    return given


def _read(read: Callable[[Any, Notation, str], Any], notation: Notation, name: str, value: Any) -> Any:
    return read(value, notation, name)


def _called_with(change: Callable[[Any, str], Any], name: str, value: Any) -> Any:
    return change(value, name)


def _in_turn(steps: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """All steps as one, which ends where nothing is left of a value."""
    if len(steps) == 1:
        return steps[0]

    def read(value: Any) -> Any:
        for step in steps:
            value = step(value)
            if value is MISSING:
                break
        return value

    return read
