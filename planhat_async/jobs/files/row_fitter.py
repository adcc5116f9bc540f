"""Fits the rows of a file to a model, and notes what a user should know about the file as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from planhat_async.jobs.files.cell_block import CellBlock
from planhat_async.jobs.files.table_reader import TableReader
from planhat_async.jobs.input_report import InputReport
from planhat_async.jobs.mapping.block_fit import BlockFit, block_fit
from planhat_async.jobs.mapping.cell_values import OtherEncodingError
from planhat_async.jobs.mapping.column_names import ColumnNames
from planhat_async.jobs.mapping.column_usage import ColumnUsage
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.key_column import KeyColumn
from planhat_async.jobs.mapping.left_out_columns import Fit, LeftOutColumns
from planhat_async.jobs.mapping.missing_values import emptied_fields, keys_of
from planhat_async.jobs.source_error import SourceError
from planhat_async.results import Unreadable

FileMapping: TypeAlias = FieldMapping | KeyColumn | ColumnNames
FittedRow: TypeAlias = dict[str, Any] | Unreadable
_ROWS_AT_ONCE = 64


class RowFitter:
    """Fits the rows of one reading of a file.

    Args:
        mapping: Which column goes to which field, or has the keys of records; or what collects the columns.
        has_report: Whether to make a report of what the rows hold, if they are mapped.
    """

    def __init__(self, mapping: FileMapping, *, has_report: bool = False) -> None:
        self._mapping = mapping
        self._has_report = has_report
        self.report: InputReport | None = None
        """What the rows so far hold."""
        self._left_out = LeftOutColumns(None)
        if isinstance(mapping, FieldMapping) and not mapping.columns:
            self._left_out = LeftOutColumns(mapping.record, empties_nulls=mapping.empties_nulls)
        self.usage: ColumnUsage = ColumnUsage({}, ())
        """Which columns the rows have."""
        self.n_blank: int = 0
        """Rows left out, because no column that the mapping uses has a value."""
        self._has_no_rows = False

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the rows so far, a line each."""
        blank = f"{self.n_blank:,} blank {'row' if self.n_blank == 1 else 'rows'} left out"
        said = [*self._left_out.remarks, *([blank] if self.n_blank else []), *self.usage.remarks()]
        said += ["the file has no rows"] if self._has_no_rows else []
        said += self._mapping.remarks if isinstance(self._mapping, FieldMapping) else []
        return said + ([] if self.report is None else self.report.remarks)

    def _new_report(self, mapping: FileMapping) -> InputReport | None:
        return InputReport(mapping) if self._has_report and isinstance(mapping, FieldMapping) else None

    def rows(self, reader: TableReader, *, on_row: Callable[[], object] = lambda: None) -> Iterator[FittedRow]:
        """The rows of an open file, without blank ones; see `lists`."""
        for rows in self.lists(reader, on_row=on_row):
            yield from rows

    def lists(
        self, reader: TableReader, *, on_row: Callable[[], object] = lambda: None
    ) -> Iterator[Sequence[FittedRow]]:
        """The rows of an open file, without blank ones, as many at a time as the reader hands out.

        Args:
            reader: The reader of the file.
            on_row: Called for each row of the file, also for a blank one, and once for a block of rows.

        Raises:
            SourceError: The columns do not fit, or the file is damaged.
        """
        mapping, columns, is_noted = self._begin(reader)
        fit = self._fit(mapping, reader, has_columns=columns is not None)
        fit_block = None if is_noted else self._block_fit(mapping, reader)
        empties = isinstance(mapping, FieldMapping) and mapping.empties_nulls
        keys = keys_of(mapping.record) if isinstance(mapping, FieldMapping) else frozenset()
        report, usage, part = self.report, self.usage, None
        for part in reader.rows(columns) if fit_block is None else reader.rows_and_blocks(columns):
            on_row()
            if isinstance(part, CellBlock):
                assert fit_block is not None  # noqa: S101 - otherwise no block is asked for
                yield from self._fitted_block(part, fit_block)
                continue
            where, read = part
            try:
                values = read()
                if is_noted:
                    is_noted = usage.note(values)
                row: FittedRow | None = fit(values)
            except OtherEncodingError as error:
                row = Unreadable(f"{where}: {error} than {reader.encoding}: say --encoding, such as cp1252")
            except ValueError as error:
                row = Unreadable(f"{where}: {error}")
            if row is None:
                self.n_blank += 1
                continue
            if report is not None and isinstance(row, Unreadable):
                report.n_unreadable += 1
            if empties and isinstance(row, dict):
                usage.emptied.update(emptied_fields(row, keys))
            yield (row,)
        self._has_no_rows = part is None and not reader.remarks

    def _fit(self, mapping: FileMapping, reader: TableReader, *, has_columns: bool) -> Fit:
        """What makes a row of the values of one; it makes a report, too."""
        fit: Fit = mapping.apply_to_text if reader.holds_text else mapping.apply
        fit = self._left_out.fitting(fit, has_columns=has_columns)
        self.report = self._new_report(mapping)
        return fit if self.report is None else self.report.noting(fit)

    def _block_fit(self, mapping: FileMapping, reader: TableReader) -> BlockFit | None:
        """What makes rows of a block; `None` if each row must be fitted by itself."""
        if not isinstance(mapping, FieldMapping) or self.report is not None or self._left_out.also_read():
            return None
        return block_fit(mapping, reader.columns) if reader.holds_text and reader.columns else None

    def _fitted_block(self, block: CellBlock, fit_block: BlockFit) -> Iterator[Sequence[FittedRow]]:
        """The rows made of a block, without blank ones, a few at a time: others may have to do something meanwhile."""
        for first in range(0, len(block.cells), _ROWS_AT_ONCE):
            rows = fit_block(block.cells[first : first + _ROWS_AT_ONCE])
            if {*map(type, rows)} == {dict}:
                yield rows
                continue
            fitted = [
                Unreadable(f"{block.where(number)}: {row}") if isinstance(row, str) else row
                for number, row in enumerate(rows, first)
                if row is not None
            ]
            self.n_blank += len(rows) - len(fitted)
            yield fitted

    def _begin(self, reader: TableReader) -> tuple[FileMapping, list[str] | None, bool]:
        """The mapping of the file's columns, the columns to read, and whether those of rows are of interest."""
        mapping, columns = self._mapping, reader.columns
        if isinstance(mapping, FieldMapping):
            mapping.begin()
        if columns is not None:
            columns = self._left_out.kept(columns)
            mapping = self._fitted(columns, reader)
        self.usage = ColumnUsage(mapping.named_columns, columns, mapping.list_of_rows_in)
        is_noted = columns is None or not self.usage.is_settled
        if columns is not None:
            columns = [*mapping.columns_to_read(columns), *self._left_out.also_read()]
        return mapping, columns, is_noted

    def _fitted(self, columns: list[str], reader: TableReader) -> FileMapping:
        """The mapping of these columns.

        Raises:
            SourceError: They do not fit.
        """
        try:
            return self._mapping.fitted(columns, holds_objects=not reader.holds_text)
        except SourceError:
            if reader.misfit is None:
                raise
            raise SourceError(reader.misfit) from None
