"""Writers of records as JSONL and CSV; Parquet has its own module."""

from __future__ import annotations

import codecs
import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, BinaryIO, Literal

import attrs

from planhat_async._convert import decode_json, encode_plain, fields_of
from planhat_async._convert.chosen_fields import chosen_json, chosen_values, object_in
from planhat_async.jobs.files.formula_cells import escaped, is_formula
from planhat_async.records import Record

CsvEncoding = Literal["utf-8", "utf-8-sig", "utf-16"]
"""`utf-8-sig` and `utf-16` begin with a byte order mark, by which spreadsheets recognise them."""
Formulas = Literal["keep", "escape"]


@attrs.frozen(kw_only=True)
class CsvLayout:
    """How a CSV file is written."""

    encoding: CsvEncoding = "utf-8"
    delimiter: str = ","
    formulas: Formulas = "keep"
    """Whether a text that a spreadsheet would run is written as it is, or with an apostrophe before it."""


class ExportWriter(ABC):
    """Writes records one at a time, given as the bytes that Planhat sent."""

    n_formulas: int = 0
    """The number of texts that a spreadsheet would run as a formula; only CSV has cells that it would."""

    @property
    def is_full(self) -> bool:
        """Whether `flush` should be called before the next record."""
        return False

    @abstractmethod
    def write(self, row: bytes) -> None:
        """Write one record, or collect it."""

    def flush(self) -> None:  # noqa: B027 - most writers collect nothing
        """Write the collected records. May be slow, so it may run in a thread while no other method is called."""

    def close(self) -> None:  # noqa: B027 - nor write an ending
        """Complete the output; not called after an interrupted export. Like `flush`, it may run in a thread."""


class JsonlWriter(ExportWriter):
    """One JSON object per line, exactly as Planhat sent it.

    Args:
        out: A binary file.
        fields: Fields by Planhat's names or as `custom.NAME`: an object holds these only, in this order; all if empty.
        leading: Names that an object holds besides, before them.
    """

    def __init__(self, out: BinaryIO, *, fields: Sequence[str] = (), leading: Sequence[str] = ()) -> None:
        self._out = out
        self._fields = (*leading, *fields) if fields else ()

    def write(self, row: bytes) -> None:
        """Write one record."""
        if self._fields:
            row = chosen_json(row, self._fields)
        # Planhat's JSON may be laid out over lines; line breaks within texts are escaped in any JSON.
        self._out.write((row if b"\n" not in row else encode_plain(decode_json(row))) + b"\n")


class CsvWriter(ExportWriter):
    """One column per field, with Planhat's names, the same for all records; nested values as JSON.

    Fields that the model lacks go to the last column, `extra`, as a JSON object. A field that Planhat did not
    send and an empty one look the same.

    Args:
        out: A binary file.
        record: The model.
        fields: The columns instead of these: fields by Planhat's names or as `custom.NAME`.
        leading: Columns before them.
        layout: How the file is written.
    """

    n_formulas: int = 0

    def __init__(
        self,
        out: BinaryIO,
        record: type[Record],
        *,
        fields: Sequence[str] = (),
        leading: Sequence[str] = (),
        layout: CsvLayout | None = None,
    ) -> None:
        self._out = out
        self._layout = layout or CsvLayout()
        self._fields = (*leading, *fields) if fields else ()
        self._columns = self._fields or [*leading, *(field.wire for field in fields_of(record).values())]
        self._encode = codecs.getincrementalencoder(self._layout.encoding)().encode
        self._line = io.StringIO()
        self._writer = csv.writer(self._line, delimiter=self._layout.delimiter)
        self._write([*self._columns, *(() if fields else ("extra",))])

    def write(self, row: bytes) -> None:
        """Write one record."""
        held = object_in(row)
        if self._fields:
            held = chosen_values(held, self._fields)
            self._write([self._cell(held.get(column)) for column in self._columns])
            return
        cells = [self._cell(held.pop(column, None)) for column in self._columns]
        self._write([*cells, self._cell(held or None)])

    def _write(self, cells: list[str]) -> None:
        self._line.seek(0)
        self._line.truncate()
        self._writer.writerow(cells)
        self._out.write(self._encode(self._line.getvalue()))

    def _cell(self, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return encode_plain(value).decode()  # a number may begin with a minus, and stays a number
        if not is_formula(value):
            return value
        self.n_formulas += 1
        return escaped(value) if self._layout.formulas == "escape" else value
