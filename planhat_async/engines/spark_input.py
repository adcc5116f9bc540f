"""The rows of Spark's batches, fitted to a model; needs pyarrow."""

# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from planhat_async._convert import unknown_column, wire_path
from planhat_async._convert.arrow.arrow_values import column_values
from planhat_async.jobs.files.row_fitter import FittedRow, RowFitter
from planhat_async.jobs.files.table_reader import RawRow, TableReader
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.left_out_columns import LeftOutColumns
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Model
from planhat_async.results import Unreadable, UnreadableValue

_WORDS_OF_COMMANDS = re.compile(r"[ ,;(]*(or name those to send with|or|say) --.*")


class SparkInput:
    """The rows of a partition, with their keys.

    Args:
        model: The model.
        columns: The columns of the table.
        allow_keyless: Whether a row may have no key.

    Raises:
        ValueError: A column is not a field, or none is a key.
    """

    def __init__(self, model: Model, columns: Sequence[str], *, allow_keyless: bool) -> None:
        self._model = model
        self._columns = list(columns)
        self._allow_keyless = allow_keyless
        self._mapping = FieldMapping.parse(model.record)
        self._key_columns = _key_columns(model, columns)
        self._fitter = RowFitter(self._mapping)
        self._reader = _BatchReader((), self._columns)
        self.keys: dict[int, str] = {}
        """The keys of rows, by their positions; the caller removes those that it no longer needs."""
        self._check()

    @property
    def n_blank(self) -> int:
        """Rows left out, because they have no value."""
        return self._fitter.n_blank

    def rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[FittedRow]:
        """Each row; `Unreadable` in place of one that cannot be sent."""
        self._fitter = RowFitter(self._mapping)
        self._reader = _BatchReader(batches, self._columns)
        for position, row in enumerate(self._fitter.rows(self._reader)):
            key = self._reader.first_value(self._key_columns)
            if key is not None:
                self.keys[position] = key
            elif not self._allow_keyless and not isinstance(row, Unreadable):
                yield Unreadable(f"it has no {' or '.join(self._model.match)}")
                continue
            yield row

    def forget(self, positions: Iterable[range]) -> None:
        """Remove the keys of rows that have an outcome."""
        for some in positions:
            for position in some:
                self.keys.pop(position, None)

    def _check(self) -> None:
        model = self._model
        try:
            for name in LeftOutColumns(model.record).kept(self._columns):
                if not self._mapping.knows(name):
                    raise ValueError(unknown_column(model.record, name))
            for _ in self._fitter.rows(self._reader):
                pass
        except SourceError as error:
            raise ValueError(_WORDS_OF_COMMANDS.sub("", str(error))) from None
        if not self._key_columns and not self._allow_keyless:
            raise ValueError(
                f"{model.name} need a column {' or '.join(model.match)}: Spark may run a task twice, which would store "
                "rows without a key twice; write Parquet and use `planhat-async upsert` instead, or say allowKeyless"
            )


class _BatchReader(TableReader):
    """Reads the rows of batches."""

    def __init__(self, batches: Iterable[pa.RecordBatch], columns: list[str]) -> None:
        self.columns: list[str] = columns
        self._batches = batches
        self._lists: dict[str, list[Any]] = {}
        self._index = 0

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each row."""
        number = 0
        for batch in self._batches:
            self._lists = {
                field.name: column_values(field, array)
                for field, array in zip(batch.schema, batch.columns, strict=True)
            }
            for index in range(batch.num_rows):
                self._index, number = index, number + 1
                yield RawRow(f"row {number}", partial(self._values, columns or self.columns, index))

    def first_value(self, columns: Iterable[str]) -> str | None:
        """The first value of the last row in these columns, as text."""
        values = (self._lists[name][self._index] for name in columns)
        return next((str(value) for value in values if _is_key(value)), None)

    def _values(self, columns: Sequence[str], index: int) -> dict[str, Any]:
        values = {name: self._lists[name][index] for name in columns}
        for name, value in values.items():
            if type(value) is UnreadableValue:
                raise ValueError(f"column {name!r}: {value.reason}")
        return values


def _is_key(value: Any) -> bool:
    return value is not None and value != "" and type(value) is not UnreadableValue


def _key_columns(model: Model, columns: Iterable[str]) -> list[str]:
    """The columns that hold keys, in Planhat's order of priority."""
    by_wire: dict[str, str] = {}
    for name in columns:
        try:
            by_wire[wire_path(model.record, name)] = name
        except ValueError:
            continue
    keys = (wire_path(model.record, name) for name in model.match)
    return [by_wire[wire] for wire in keys if wire in by_wire]
