"""Fits the rows of a file to a model, and notes what a user should know about the file as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from planhat_async.jobs.files.table_reader import TableReader
from planhat_async.jobs.input_report import InputReport
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
        """The rows of an open file, without blank ones.

        Args:
            reader: The reader of the file.
            on_row: Called for each row of the file, also for a blank one.

        Raises:
            SourceError: The columns do not fit, or the file is damaged.
        """
        mapping, columns, is_noted = self._begin(reader)
        empties = isinstance(mapping, FieldMapping) and mapping.empties_nulls
        keys = keys_of(mapping.record) if isinstance(mapping, FieldMapping) else frozenset()
        plain_fit: Fit = mapping.apply_to_text if reader.holds_text else mapping.apply
        fit = self._left_out.fitting(plain_fit, has_columns=columns is not None)
        report = self.report = self._new_report(mapping)
        fit = fit if report is None else report.noting(fit)
        usage, where = self.usage, ""
        for where, read in reader.rows(columns):
            on_row()
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
            yield row
        self._has_no_rows = not where and not reader.remarks

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
