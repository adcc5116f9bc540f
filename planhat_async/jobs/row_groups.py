"""Rows of Parquet files, in small batches; needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from planhat_async.jobs.file_formats import PARQUET_IS_MISSING
from planhat_async.jobs.inputs import identity_of, refuse_change
from planhat_async.jobs.mapping import SourceError

_ROWS_AT_A_TIME = 1000


class RowGroups:
    """An open Parquet file.

    Raises:
        SourceError: It is not a Parquet file, or pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SourceError(PARQUET_IS_MISSING) from None
        self._path = path
        self._opened_as = identity_of(path.stat())
        self._error = pa.ArrowException
        try:
            # Not mapped into memory: truncating the file meanwhile would crash the process.
            self._file = parquet.ParquetFile(path, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{path} is not a Parquet file that can be read: {error}") from None
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self.n_rows: int = self._file.metadata.num_rows

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows, with these columns only and without nulls.

        Raises:
            SourceError: The file is damaged, or has changed since it was opened.
        """
        try:
            for batch in self._file.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=list(columns)):
                refuse_change(self._path, self._opened_as)
                for row in batch.to_pylist():
                    yield {name: value for name, value in row.items() if value is not None}
        except (OSError, self._error) as error:
            refuse_change(self._path, self._opened_as)
            raise SourceError(f"{self._path} is damaged: {error}") from None

    def copy(self, reasons: Iterable[tuple[int, str]], out: BinaryIO, column: str) -> None:
        """Write the rows at these positions, in ascending order, with a column of reasons, as Parquet."""
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        kept = [name for name in self.columns if name != column]
        schema = pa.schema([pa.field(column, pa.string()), *map(self._file.schema_arrow.field, kept)])
        pending, first = dict(reasons), 0
        with parquet.ParquetWriter(out, schema) as writer:
            for batch in self._file.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=kept):
                indices = [n for n in range(batch.num_rows) if first + n in pending]
                if indices:
                    rows = batch.take(pa.array(indices, pa.int64()))
                    texts = pa.array([pending[first + n] for n in indices], pa.string())
                    writer.write_batch(pa.RecordBatch.from_arrays([texts, *rows.columns], schema=schema))
                first += batch.num_rows

    def close(self) -> None:
        """Close the file."""
        self._file.close()
