"""Records into Parquet, a row group at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO

import attrs
import pyarrow as pa
from pyarrow import parquet as pq

from planhat_async._convert import Field, encode_plain, fields_of, read_time
from planhat_async.jobs.files.chosen_fields import chosen_values, object_in
from planhat_async.jobs.files.parquet_values import JSON_COLUMN
from planhat_async.jobs.files.writers import ExportWriter
from planhat_async.records import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@attrs.frozen
class Column:
    """The column of a field."""

    name: str
    type: pa.DataType
    convert: Callable[[Any], Any]
    """From the wire to the column; raises `TypeError`, `ValueError` or `OverflowError` if it cannot hold the value."""

    @property
    def field(self) -> pa.Field:
        """Its field in the schema."""
        return pa.field(self.name, self.type, metadata=JSON_COLUMN if self.convert is _json else None)


class ParquetWriter(ExportWriter):
    """One column per field, with Planhat's names and the model's types; needs the memory of one row group.

    Texts, booleans, whole numbers (64 bits), numbers, days, times (UTC, milliseconds) and lists of texts keep their
    types; anything nested becomes JSON, and the column's metadata says so. The last column, `extra`, is a JSON object
    of what no column can hold: fields that the model lacks, and values of another type than their column's. A field
    that Planhat did not send and one that is null look the same.

    Args:
        out: A binary file; it need not be seekable.
        record: The model.
        fields: The columns instead of all fields: fields by Planhat's names or as `custom.NAME`. `extra` then holds
            only their values that no column can hold. A custom field has the type of its values in the first row
            group: numbers, booleans, lists of texts, JSON, or else texts.
        leading: Columns of texts before the fields.
        columns: The columns of these fields, if their types are chosen by the caller.
        max_rows: Records in a row group.
        max_bytes: Bytes of JSON after which a row group also ends.
    """

    def __init__(
        self,
        out: BinaryIO,
        record: type[Record],
        *,
        fields: Sequence[str] = (),
        leading: Sequence[str] = (),
        columns: Sequence[Column] = (),
        max_rows: int = 10_000,
        max_bytes: int = 8 << 20,
    ) -> None:
        self._known = {field.wire: column_of(field) for field in fields_of(record).values()}
        self._leading = leading
        self._fields = (*leading, *fields) if fields else ()
        self._columns: list[Column] = []
        self._schema = pa.schema([])
        if columns:
            self._choose(columns)
        self._sink = _Sink(out)
        self._file: pq.ParquetWriter | None = None
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._rows: list[bytes] = []
        self._n_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether a row group is complete."""
        return len(self._rows) >= self._max_rows or self._n_bytes >= self._max_bytes

    def write(self, row: bytes) -> None:
        """Collect one record; it is decoded when the row group is written."""
        self._rows.append(row)
        self._n_bytes += len(row)

    def flush(self) -> None:
        """Write the collected records as a row group.

        Raises:
            DecodeError: A row is not a record.
        """
        if self._rows:
            table = self.take_table()
            with self._opened() as file:
                file.write_table(table)

    def take_table(self) -> pa.Table:
        """The collected records, which then are no longer collected; for a use other than the file.

        Raises:
            DecodeError: A row is not a record.
        """
        held = [self._held_in(row) for row in self._rows]
        self._begin(held)
        table = self._table(held)
        self._rows, self._n_bytes = [], 0
        return table

    def close(self) -> None:
        """Write the remaining rows and the footer, without which the file cannot be read."""
        self.flush()
        self._begin([])
        with self._opened() as file:
            file.close()

    def _held_in(self, row: bytes) -> dict[str, Any]:
        held = object_in(row)
        return chosen_values(held, self._fields) if self._fields else held

    def _begin(self, rows: list[dict[str, Any]]) -> None:
        """Choose the columns, given the records of the first row group; later calls do nothing."""
        if not self._columns:
            names = self._fields or [*self._leading, *self._known]
            self._choose(
                [self._known.get(name) or _custom_column(name, [row.get(name) for row in rows]) for name in names]
            )

    def _choose(self, columns: Sequence[Column]) -> None:
        self._columns = list(columns)
        extra = pa.field("extra", pa.string(), metadata=JSON_COLUMN)
        self._schema = pa.schema([*(column.field for column in self._columns), extra])

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetWriter]:
        self._sink.is_open = True
        try:
            if self._file is None:
                # zstd: texts take a third less than with snappy, for the same time.
                self._file = pq.ParquetWriter(self._sink, self._schema, compression="zstd", write_page_checksum=True)
            yield self._file
        finally:
            self._sink.is_open = False

    def _table(self, rows: list[dict[str, Any]]) -> pa.Table:
        columns: list[list[Any]] = [[] for _ in self._columns]
        extras: list[str | None] = []
        plan = [(one.name, one.convert, values.append) for one, values in zip(self._columns, columns, strict=True)]
        for held in rows:
            for name, convert, append in plan:
                value = held.pop(name, None)
                try:
                    append(None if value is None else convert(value))
                except (TypeError, ValueError, OverflowError):
                    append(None)
                    held[name] = value
            extras.append(encode_plain(held).decode() if held else None)
        arrays = [pa.array(values, field.type) for values, field in zip([*columns, extras], self._schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self._schema)


class _Sink(io.RawIOBase):
    """Passes bytes on to a file while it is open, and drops them otherwise.

    pyarrow also writes a footer when its writer is garbage collected, but an interrupted export must not look complete.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.is_open = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.is_open:
            self._out.write(data)
        return len(data)


def column_of(field: Field) -> Column:
    """The column with the type of a field."""
    if field.type is datetime:
        return Column(field.wire, pa.timestamp("ms", tz="UTC"), lambda value: _milliseconds(field, value))
    if field.type is date:
        return Column(field.wire, pa.date32(), lambda value: _day(field, value))
    return Column(field.wire, *_KINDS.get(field.type, (pa.string(), _json)))


def typed_column(name: str, kind: Any) -> Column:
    """A column with values of a Python type; for `object` texts, of JSON where a value is not text."""
    if kind is datetime:
        return Column(name, pa.timestamp("ms", tz="UTC"), lambda value: _whole_milliseconds(read_time(_text(value))))
    return Column(name, *_KINDS[kind])


def _custom_column(name: str, values: list[Any]) -> Column:
    """The column of a custom field, whose type Planhat does not say, given its first values."""
    types = {type(value) for value in values if value is not None}
    if types and types <= {int, float}:
        return Column(name, *_KINDS[float])
    if types == {bool}:
        return Column(name, *_KINDS[bool])
    if types == {list} and all(type(item) is str for value in values for item in value or ()):
        return Column(name, *_KINDS[list[str]])
    return Column(name, *((pa.string(), _json) if types & {dict, list} else _KINDS[str]))


def _milliseconds(field: Field, value: Any) -> int:
    assert field.read is not None  # noqa: S101 - times have a reader
    return _whole_milliseconds(field.read(value))


def _whole_milliseconds(time: datetime) -> int:
    n_whole, rest = divmod(time - _EPOCH, _MILLISECOND)
    if rest:
        raise ValueError("a time between two milliseconds")
    return int(n_whole)


def _day(field: Field, value: Any) -> date:
    assert field.read is not None  # noqa: S101 - days have a reader
    day: date = field.read(value)
    if field.check(day) != value:
        raise ValueError("a day with a time, or written in another way")
    return day


def _of_type(*types: type) -> Callable[[Any], Any]:
    """A function that returns values of exactly these types, and raises `TypeError` for others."""

    def checked(value: Any) -> Any:
        if type(value) not in types:
            raise TypeError("a value of another type")
        return value

    return checked


_text, _whole, _number = _of_type(str), _of_type(int), _of_type(int, float)


def _int64(value: Any) -> Any:
    if not -(2**63) <= _whole(value) < 2**63:
        raise OverflowError("beyond 64 bits")
    return value


def _float(value: Any) -> float:
    number = float(_number(value))
    if number != value:
        raise ValueError("more digits than a float holds")
    return number


def _texts(value: Any) -> list[str]:
    if type(value) is not list:
        raise TypeError("not a list")
    return [_text(item) for item in value]


def _json(value: Any) -> str:
    return encode_plain(value).decode()


def _as_text(value: Any) -> str:
    return value if type(value) is str else _json(value)


_KINDS: dict[Any, tuple[pa.DataType, Callable[[Any], Any]]] = {
    str: (pa.string(), _text),
    bool: (pa.bool_(), _of_type(bool)),
    int: (pa.int64(), _int64),
    float: (pa.float64(), _float),
    list[str]: (pa.list_(pa.string()), _texts),
    object: (pa.string(), _as_text),
}
