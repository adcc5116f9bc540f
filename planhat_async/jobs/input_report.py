"""What a user wants to know about a file before its rows are sent: decisions only.

A report is fed the cells of each row beside the row made of them. It holds counts, a few examples, and 16 bytes for
each id.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from mmap import mmap
from operator import itemgetter
from typing import Any

import attrs

from planhat_async._convert import Field, encode_json, printable, spellings_of
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.left_out_columns import Fit
from planhat_async.jobs.mapping.lookups import LookupValue
from planhat_async.jobs.mapping.missing_values import keys_of
from planhat_async.jobs.mapping.nested_values import MISSING, value_at

MAX_IDS = 10_000_000
"""Ids that are compared with each other; more would take too much memory."""
HIDDEN = "(hidden)"
_MAX_SAMPLE, _MAX_FIELDS, _MAX_EXAMPLE = 3, 1000, 60
_SCIENTIFIC = re.compile(r"\s*[+-]?\d(?:[.,]\d+)?[eE]\+?\d+\s*", re.ASCII)
_BLOCK = _MAX_SORTED = 2**16
_ALL_BITS, _SPELLING_BITS, _SPELLING = 2**64 - 1, 24, 2**24 - 1
_ID_SUFFIXES = ("source_id", "external_id")


@attrs.define(kw_only=True)
class FieldReport:
    """What is known about the values of a field."""

    field: str
    """Its name, or `custom.NAME`."""
    column: str | None
    """The column that it is read from; `None` if every row gets the same value."""
    n_values: int = 0
    """Number of rows that have a value."""
    example: str = ""
    """The first value as it is sent, perhaps shortened."""
    n_converted: int = 0
    """Number of values that are sent otherwise than the file writes them."""
    conversion: str = ""
    """The first of them, as `'2024-05-31 09:30' -> 2024-05-31T07:30:00.000Z`."""


@attrs.frozen(kw_only=True)
class SampleCell:
    """A value of one of the first rows, beside the cell that it was made of. Both may be shortened."""

    field: str
    column: str | None
    cell: str | None
    """The cell; `None` if the row has none."""
    sent: str | None
    """The value as it is sent; `None` if the field is left alone."""


@attrs.define
class InputReport:
    """Counts what the rows of a file hold.

    Args:
        mapping: The mapping that makes rows of the file's cells.
    """

    mapping: FieldMapping
    n_rows: int = attrs.field(default=0, init=False)
    """Number of rows that could be read, without blank ones."""
    n_unreadable: int = attrs.field(default=0, init=False)
    """Number of rows that could not be read."""
    sample: list[list[SampleCell]] = attrs.field(factory=list, init=False)
    """The first rows, a list of values each."""
    _fields: dict[str, FieldReport] = attrs.field(factory=dict, init=False)
    _ids: dict[str, _Ids] = attrs.field(factory=dict, init=False)
    _n_headers: int = attrs.field(default=0, init=False)
    _keys: frozenset[str] = attrs.field(init=False)
    _columns: dict[str, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        for name in (*self.mapping.columns, *self.mapping.constants):
            self._new_field(name)

    @_keys.default  # pyright: ignore[reportAttributeAccessIssue] - attrs' own way
    def _key_fields(self) -> frozenset[str]:
        return keys_of(self.mapping.record) - {"id", "_id"}

    @_columns.default  # pyright: ignore[reportAttributeAccessIssue] - attrs' own way
    def _columns_by_field(self) -> dict[str, str]:
        fields = spellings_of(self.mapping.record)
        columns = self.mapping.columns
        return {fields[name].name if name in fields else name: column for name, column in columns.items()}

    @property
    def fields(self) -> list[FieldReport]:
        """Each field that is mapped, and each field of a row so far."""
        return [*self._fields.values()]

    @property
    def remarks(self) -> list[str]:
        """What looks like a mistake in the file, a line each."""
        lines = [line for name, ids in self._ids.items() for line in ids.remarks(name)]
        if self._n_headers:
            rows = "1 row looks" if self._n_headers == 1 else f"{self._n_headers:,} rows look"
            lines.append(f"{rows} like the header, and would be sent: remove such lines from the file")
        return lines

    def noting(self, fit: Fit) -> Fit:
        """A function that fits a row as `fit` does, and notes it."""

        def fit_and_note(cells: Mapping[str, Any]) -> dict[str, Any] | None:
            row = fit(cells)
            if row is not None:
                self.note(cells, row)
            return row

        return fit_and_note

    def note(self, cells: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Note a row: its cells by their columns, and what the mapping has made of them."""
        self.n_rows += 1
        values = {**row, **_custom_values(row)}
        if "custom" in values and isinstance(row["custom"], Mapping):
            del values["custom"]
        for name, value in values.items():
            found = self._fields.get(name) or self._new_field(name)
            if value is not None and found is not None:
                self._note_value(name, found, _cell(cells, found.column), value)
        if all(name == cell for name, cell in cells.items()) and len(cells) > 1:
            self._n_headers += 1
        if len(self.sample) < _MAX_SAMPLE:
            self.sample.append([*self._sampled(cells, values)])

    def _new_field(self, name: str) -> FieldReport | None:
        if len(self._fields) >= _MAX_FIELDS:
            return None
        field = spellings_of(self.mapping.record).get(name)
        own = name if field is None else field.name
        column = self._columns.get(own) if self._columns else name
        if own in self.mapping.constants:
            column = None
        self._fields[name] = made = FieldReport(field=own, column=column)
        if field is not None and (own in self._keys or own.endswith(_ID_SUFFIXES)):
            self._ids[name] = _Ids()
        return made

    def _note_value(self, name: str, found: FieldReport, cell: Any, value: Any) -> None:
        if found.n_values == 0:
            found.example = self._sent(name, value)
        found.n_values += 1
        if cell is not MISSING and cell is not value and cell != value and _is_changed(cell, value):
            if found.n_converted == 0:
                shown = HIDDEN if self._is_secret(name) else _shown_cell(cell)
                found.conversion = f"{shown} -> {self._sent(name, value)}"
            found.n_converted += 1
        if (ids := self._ids.get(name)) is not None:
            ids.note(value.text if isinstance(value, LookupValue) else value, self.n_rows + self.n_unreadable)

    def _sampled(self, cells: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[SampleCell]:
        """The values of a row, and the cells of mapped columns of which nothing is sent."""
        for name, value in values.items():
            found = self._fields.get(name)
            if found is not None:
                yield self._sample_cell(found.field, found.column, _cell(cells, found.column), value)
        sent = {self._fields[name].field for name in values if name in self._fields}
        for name, column in self._columns.items():
            cell = _cell(cells, column)
            if name not in sent and cell is not MISSING and cell not in (None, ""):
                yield self._sample_cell(name, column, cell, MISSING)

    def _sample_cell(self, field: str, column: str | None, cell: Any, value: Any) -> SampleCell:
        is_hidden = self._is_secret(field)
        shown = None if cell is MISSING or cell is None else HIDDEN if is_hidden else _shown_cell(cell)
        sent = None if value is MISSING else "null" if value is None else self._sent(field, value)
        return SampleCell(field=field, column=column, cell=shown, sent=sent)

    def _field_of(self, name: str) -> Field | None:
        return spellings_of(self.mapping.record).get(name)

    def _is_secret(self, name: str) -> bool:
        field = self._field_of(name)
        return field is not None and field.is_secret

    def _sent(self, name: str, value: Any) -> str:
        """A value as it is sent, as text."""
        if self._is_secret(name):
            return HIDDEN
        if isinstance(value, LookupValue):
            lookup = self.mapping.lookups.get(name)
            return printable(f"the id of {value.text}" + (f" in {lookup}" if lookup else ""), _MAX_EXAMPLE)
        field = self._field_of(name)
        try:
            sent = encode_json(value if field is None else field.check(value)).decode()
        except (TypeError, ValueError):
            return f"invalid: {_shown_cell(value)}"
        text = json.loads(sent) if sent.startswith('"') else sent
        return printable(text, _MAX_EXAMPLE)


@attrs.define
class _Ids:
    """Notes ids that another program may have spoiled."""

    # Each is mapped by itself: among Python's objects they would keep what others free from the system, 90 MB of it.
    _blocks: list[memoryview[int]] = attrs.field(factory=list)
    """For each id its hash without case and outer blanks, and its row with 24 bits of the hash of its spelling."""
    _n_noted: int = 0
    _n_scientific: int = 0
    _scientific: str = ""

    def note(self, value: Any, row: int) -> None:
        """Note an id, and its row, counted from 1."""
        if not isinstance(value, str):
            return
        if self._n_noted < MAX_IDS:
            at = 2 * (self._n_noted % _BLOCK)
            if not at:
                self._blocks.append(memoryview(mmap(-1, 16 * _BLOCK)).cast("Q"))
            block = self._blocks[-1]
            block[at] = hash(value.strip().casefold()) & _ALL_BITS
            block[at + 1] = row << _SPELLING_BITS | hash(value) & _SPELLING
            self._n_noted += 1
        if ("e" in value or "E" in value) and _SCIENTIFIC.fullmatch(value):
            self._scientific = self._scientific or value
            self._n_scientific += 1

    def remarks(self, name: str) -> Iterator[str]:
        """A line for each kind of spoiled ids."""
        similar = [*self._similar()]
        if similar:
            n, (first, other) = len(similar), min(similar)
            ids = "1 id differs from an earlier one" if n == 1 else f"{n:,} ids differ from earlier ones"
            what = "and names another record" if n == 1 else "and name other records"
            where = f"{'row' if n == 1 else 'such as row'} {other:,} from row {first:,}"
            yield f"{name}: {ids} only in blanks or case, {what}: {where}"
        if self._n_scientific:
            ids = "1 id looks" if self._n_scientific == 1 else f"{self._n_scientific:,} ids look"
            yield (
                f"{name}: {ids} like a spreadsheet's scientific notation, such as {_shown_cell(self._scientific)}, "
                "and may have lost digits: export the column as text"
            )

    def _similar(self) -> Iterator[tuple[int, int]]:
        """For each other spelling of an id the rows of its first spelling and of the other.

        Sorted in parts, because the whole would take eight times the memory.
        """
        n_parts = self._n_noted // _MAX_SORTED + 1
        for part in range(n_parts):
            pairs = (zip(block[::2], block[1::2], strict=True) for block in self._blocks)
            ids = itertools.islice(itertools.chain.from_iterable(pairs), self._n_noted)
            found = sorted(one for one in ids if one[0] % n_parts == part)
            for _, same in itertools.groupby(found, key=itemgetter(0)):
                first_row, spellings = 0, set[int]()
                for _, rest in same:
                    first_row = first_row or rest >> _SPELLING_BITS
                    if spellings and rest & _SPELLING not in spellings:
                        yield first_row, rest >> _SPELLING_BITS
                    spellings.add(rest & _SPELLING)


def _custom_values(row: Mapping[str, Any]) -> dict[str, Any]:
    custom = row.get("custom")
    return {f"custom.{name}": value for name, value in custom.items()} if isinstance(custom, Mapping) else {}


def _cell(cells: Mapping[str, Any], column: str | None) -> Any:
    """The cell of a column, which may be a path, also into an object of custom fields."""
    if column is None:
        return MISSING
    if column in cells:
        return cells[column]
    try:
        return value_at(cells, column)
    except ValueError:
        return MISSING


def _is_changed(cell: Any, value: Any) -> bool:
    """Whether a value, which is not equal to its cell, also means something else or is written otherwise."""
    if isinstance(value, LookupValue):
        return str(cell) != value.text
    if not isinstance(cell, str):
        return not (isinstance(cell, datetime) and cell.tzinfo is not None)
    if isinstance(value, bool):
        return cell != str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return cell != str(int(value))
    return not isinstance(value, int | float) or cell != str(value)


def _shown_cell(cell: Any) -> str:
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return printable(text, _MAX_EXAMPLE)
