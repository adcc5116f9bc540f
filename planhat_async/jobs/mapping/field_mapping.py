"""Fits the columns of a foreign file to a model's fields: decisions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import attrs

from planhat_async._convert import (
    encode_json,
    fields_of,
    spellings_of,
)
from planhat_async.jobs.mapping.cell_values import checked_text, own_name
from planhat_async.jobs.mapping.column_spelling import field_spelling, folded, is_named, spelling_in
from planhat_async.jobs.mapping.field_readers import UNREAD, FieldReader, FieldReaders
from planhat_async.jobs.mapping.given_values import by_field, is_among, located, made_of_each, split_texts
from planhat_async.jobs.mapping.lookups import Lookup, value_to_look_up
from planhat_async.jobs.mapping.missing_values import is_missing, without_nulls
from planhat_async.jobs.mapping.nested_values import MISSING, column_of, value_at
from planhat_async.jobs.mapping.notation import Notation
from planhat_async.jobs.mapping.row_constants import constants_of, nested_custom
from planhat_async.jobs.mapping.time_format import TimeFormat
from planhat_async.jobs.mapping.transforms import Transform
from planhat_async.jobs.mapping.value_types import type_named
from planhat_async.jobs.mapping.wrapped_rows import wrapped_rows
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError, UnknownColumnsError
from planhat_async.models import Company, LeanCompany
from planhat_async.records import Record

_MAP_FORM, _SET_FORM, _TYPE_FORM = "--map field=Column", "--set field=value", "--type field=type"

_MAX_READERS = 1000
_MAX_SHAPES, _MAX_NAMES_SIZE = 100, 10_000
"""How many sets of names of rows are remembered, and how long all names of one may be together."""


class _MappedCell(NamedTuple):
    """A cell that the mapping uses."""

    name: str
    column: str
    where: str
    """Its place, for messages."""
    reader: FieldReader


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
    lookups: Mapping[str, Lookup] = attrs.field(factory=dict)
    """Field to where the record that its column names is looked for; jobs replace the value with the record's id."""
    reads_all: bool = False
    """Whether every column of the file is a field, although `columns` name them; see `fitted`."""
    readers: FieldReaders = attrs.field(default=attrs.Factory(lambda self: FieldReaders(record=self.record), True))
    """How the values of each field are read."""
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """Field to its value in rows that have none."""
    empties_nulls: bool = False
    """Whether a value that is there but missing empties its field; see `missing_values`."""
    _cells: dict[tuple[str, ...], list[_MappedCell]] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _made: dict[str, FieldReader] = attrs.field(factory=dict, init=False, eq=False, repr=False)

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
        types: Iterable[str] = (),
        field_types: Mapping[str, str] | None = None,
        transforms: Mapping[str, Transform] | None = None,
        time_zone: str | None = None,
        list_separator: str | None = None,
        decimal_comma: bool = False,
        empties_nulls: bool = False,
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
            types: Fields and the types of their values, as text, such as `custom.ARR=number`.
            field_types: More fields and the types of their values.
            transforms: Fields and what is changed about the texts of their columns.
            time_zone: The zone of times that have none, such as `Europe/Berlin`.
            list_separator: Between the items of a list in one cell; by default a comma.
            decimal_comma: Whether numbers in texts have a decimal comma.
            empties_nulls: Whether an empty cell or a null empties its field.

        Raises:
            SourceError: An unknown field, a field given twice, a text without `=`, a value of the wrong type, a lookup
                for a field that holds no id.
        """
        by_column = by_field(record, [*split_texts(maps, _MAP_FORM), *located("--map", columns)], _MAP_FORM)
        texts = by_field(record, split_texts(constants, _SET_FORM), _SET_FORM)
        held = by_field(record, located("constants", values), "constants")
        sought = by_field(record, located("lookups", lookups), "lookups")
        for name, lookup in sought.items():
            _check_lookup(record, name, lookup, by_column)
        for name in by_column:
            if is_among(name, texts | held):
                raise SourceError(f"{name} is given twice: by --map and by --set")
        typed = by_field(record, [*split_texts(types, _TYPE_FORM), *located("types", field_types)], _TYPE_FORM)
        changes = by_field(record, located("fields", transforms), "fields")
        readers = FieldReaders(
            record=record,
            dates=made_of_each(TimeFormat, by_field(record, located("dates", dates), "dates"), "dates"),
            types=made_of_each(type_named, typed, "--type"),
            transforms=changes,
            notation=Notation.parse(time_zone=time_zone, list_separator=list_separator, decimal_comma=decimal_comma),
        )
        for name in typed if by_column else ():
            if name not in by_column and not is_among(name, texts | held):
                raise SourceError(f"--type: {name} has no column")
        constants_read = constants_of(readers, texts, held)
        defaults = {name: readers.default_of(name) for name in changes if changes[name].default is not MISSING}
        return cls(
            record=record,
            columns=by_column,
            constants=constants_read,
            lookups=sought,
            readers=readers,
            defaults=defaults,
            empties_nulls=empties_nulls,
        )

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the values read so far, a line each."""
        return [*self.readers.notation.remarks.lines(self.readers.notation.zone)]

    def begin(self) -> None:
        """Forget the remarks of an earlier reading."""
        self.readers.notation.remarks.clear()

    def description(self) -> dict[str, Any]:
        """The mapping as JSON values, to recognise it in a rerun; of constants only a digest."""
        digests = {
            name: blake2b(encode_json(value), digest_size=4).hexdigest() for name, value in self.constants.items()
        }
        described: dict[str, Any] = {"columns": dict(self.columns), "constants": digests}
        described |= self.readers.description()
        if self.lookups:
            described["lookups"] = {name: str(lookup) for name, lookup in self.lookups.items()}
        if self.empties_nulls:
            described["null"] = "empty"
        return described

    def knows(self, column: str) -> bool:
        """Whether a column is mapped or, without a mapping, is a field."""
        if self.columns:
            return folded(column) in map(folded, self.columns.values())
        name = field_spelling(self.record, column)
        return name.startswith("custom.") or name in spellings_of(self.record)

    def fitted(self, columns: Sequence[str], *, holds_objects: bool = False) -> Self:
        """The mapping with the names of columns as a file spells them; without one, that of its columns to fields.

        Columns of texts without a name are not fields: their reader refuses values in them.

        Args:
            columns: Those of the file.
            holds_objects: Whether a mapped column may be a path into one of them.

        Raises:
            SourceError: The columns do not fit.
        """
        spelled = {
            name: spelling_in(columns, column, f"--map {name}={column}") for name, column in self.columns.items()
        }
        mapping = attrs.evolve(self, columns=spelled)
        mapping.check_columns(columns, holds_objects=holds_objects)
        if self.columns:
            return mapping
        if holds_objects and not all(map(is_named, columns)):
            raise SourceError("a column has values and no name: say which columns to send with --map FIELD=COLUMN")
        named = [column for column in columns if column != REASON_COLUMN and is_named(column)]
        fields = {field_spelling(self.record, column): column for column in named}
        return attrs.evolve(self, columns=fields, reads_all=True)

    @property
    def named_columns(self) -> Mapping[str, str]:
        """The columns that have to be in the file, by their fields."""
        return {} if self.reads_all else self.columns

    def list_of_rows_in(self, values: Mapping[str, Any]) -> str | None:
        """The key of a list of rows, in an object that is not a row itself; see `wrapped_rows`."""
        return wrapped_rows(values, self._uses, is_strict=not self.columns)

    def _uses(self, column: str) -> bool:
        if self.columns:
            return any(column_of(one, [column]) for one in self.columns.values())
        return column.startswith("custom.") or column in spellings_of(self.record)

    def check_columns(self, columns: Iterable[str], *, holds_objects: bool = False) -> None:
        """Refuse a file whose columns do not fit.

        Args:
            columns: Those of the file.
            holds_objects: Whether a mapped column may be a path into one of them.

        Raises:
            SourceError: A mapped column is missing or ambiguous; or, without a mapping, a column is not a field.
        """
        present = [column for column in columns if column != REASON_COLUMN]
        for name, column in self.columns.items():
            if (column_of(column, present) if holds_objects else column) not in present:
                raise SourceError(f"--map {name}={column}: the file has no such column; it has {', '.join(present)}")
        for column in self.columns.values():
            if present.count(column) > 1:
                raise SourceError(f"the file has the column {column!r} twice")
        names: set[str] = set()
        for column in () if self.columns else filter(is_named, present):
            try:
                name = own_name(self.record, field_spelling(self.record, column))
            except ValueError as error:
                raise self._misfit(column, str(error), present) from None
            if name in names or is_among(name, self.constants):
                raise SourceError(f"{name} is given twice: by the column {column!r}, and by another or --set")
            names.add(name)

    def _misfit(self, column: str, reason: str, columns: Iterable[str]) -> SourceError:
        """The error about the first column that is not a field; it counts the others."""
        message = f"column {column!r}: {reason} (say --map FIELD={column!r})"
        n_others = sum(not self._is_field(one) for one in columns if is_named(one)) - 1
        if n_others < 1:
            return SourceError(message)
        others = "1 more column is not a field" if n_others == 1 else f"{n_others:,} more columns are not fields"
        return UnknownColumnsError(f"{message}, and {others}")

    def _is_field(self, column: str) -> bool:
        try:
            own_name(self.record, field_spelling(self.record, column))
        except ValueError:
            return False
        return True

    def columns_to_read(self, columns: Iterable[str]) -> list[str]:
        """The columns of a file that the mapping uses."""
        if not self.columns:
            return [column for column in columns if column != REASON_COLUMN]
        columns = list(columns)
        mapped = {column_of(column, columns) for column in self.columns.values()}
        return [column for column in columns if column in mapped or (self.reads_all and column != REASON_COLUMN)]

    def apply_to_text(self, cells: Mapping[str, str]) -> dict[str, Any] | None:
        """The row in these cells, without the empty ones; `None` if all that the mapping uses are blank.

        A blank cell of a field that is not for text is left out, too.

        Raises:
            ValueError: A cell does not hold a value of its field.
        """
        row = dict(self.constants)
        is_blank = True
        for name, column, where, (unchanged, read) in self._cells_in(cells):
            text = cells[column]
            if text and str in unchanged:
                is_blank = is_blank and text.isspace()
                row[name] = text if text.isascii() and "\0" not in text else checked_text(text, where)
            elif text and not text.isspace():
                is_blank = False
                row[name] = read(checked_text(text, where))
            elif self.empties_nulls and not text:
                row[name] = None
        return None if is_blank else nested_custom(self._marked(self._with_defaults(row)))

    def _cells_in(self, columns: Iterable[str]) -> list[_MappedCell]:
        """The cells that the mapping uses, in a file or a row with these columns."""
        key = () if self.columns else tuple(columns)
        if (cells := self._cells.get(key)) is not None:
            return cells
        pairs = self.columns or {name: name for name in self.columns_to_read(key)}
        cells = [
            _MappedCell(name, column, f"column {column!r}", self._made.get(name) or self._reader(name))
            for name, column in pairs.items()
        ]
        # Rows of JSON may have any names, and any number of them.
        if len(self._cells) >= _MAX_SHAPES or sum(map(len, key)) > _MAX_NAMES_SIZE:
            self._cells.clear()
        self._cells[key] = cells
        return cells

    def _reader(self, name: str) -> FieldReader:
        """What reads the values of a field, made once."""
        if len(self._made) >= _MAX_READERS:
            self._made.clear()  # rows of JSON may have any names
        made = self.readers.reader_to_look_up(name) if name in self.lookups else self.readers.reader(name)
        self._made[name] = made
        return made

    def _with_defaults(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row without values of which nothing is left, and with the defaults of those that are missing."""
        if MISSING in row.values():
            row = {name: value for name, value in row.items() if value is not MISSING}
        if self.readers.transforms:
            row |= {name: value for name, value in self.defaults.items() if row.get(name) is None}
        return row

    def _marked(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with its values to look up as such, without blank ones; `None` stays, because it empties a field."""
        for name in self.lookups:
            value = row.pop(name, MISSING)
            if value is None:
                row[name] = None
            elif value is not MISSING and (sought := value_to_look_up(name, value)) is not None:
                row[name] = sought
        return row

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row in these values, without columns that are missing; a constant replaces a value of its field.

        `None` if no column that the mapping uses has a value.
        """
        row: dict[str, Any] = {}
        unread: list[tuple[str, FieldReader]] = []
        for name, column, _, reader in self._cells_in(values):
            value = values[column] if column in values else value_at(values, column)
            if value is MISSING:
                continue
            row[name] = value
            if type(value) not in reader.unchanged:
                unread.append((name, reader))
        if _is_blank(row):
            return None
        if not self.empties_nulls:
            row = without_nulls(row)
        if self.constants and not self.columns:
            row = {name: value for name, value in row.items() if not self._is_constant(name)}
        for name, reader in unread:
            if (value := row.get(name)) is not None:
                is_blank = type(value) is str and not value.strip() and reader is not UNREAD
                row[name] = MISSING if is_blank else reader.read(value)
        row = self._marked(self._with_defaults(row))
        return nested_custom({**row, **self.constants} if self.constants else row, self.constants)

    def _is_constant(self, name: str) -> bool:
        field = spellings_of(self.record).get(name) if self.constants else None
        return is_among(name if field is None else field.name, self.constants)


def _is_blank(row: Mapping[str, Any]) -> bool:
    for name, value in row.items():  # noqa: SIM110 - most end at the first value
        if not is_missing(name, value):
            return False
    return True


def _check_lookup(record: type[Record], name: str, lookup: Lookup, columns: Mapping[str, str]) -> None:
    """Refuse a lookup without a column, for a field that does not hold one id, or of a company in another model."""
    if name == "company_id" and not issubclass(lookup.record, Company | LeanCompany):
        raise SourceError(f"lookups: company_id holds the id of a company, not of one of the {lookup.model}")
    if name not in columns:
        raise SourceError(f"lookups: {name} has no column")
    if name.startswith("custom.") or fields_of(record)[name].type not in (str, Any):
        raise SourceError(f"lookups: {record.__name__}.{name} does not hold one id, so nothing can be looked up for it")
