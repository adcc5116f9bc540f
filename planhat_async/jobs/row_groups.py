"""Rows of Parquet files, a few at a time; needs the extra `parquet`."""

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
            # Not mapped into memory: a file that is cut short meanwhile would end the process.
            self._file = parquet.ParquetFile(path, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{path} is not a Parquet file that can be read: {error}") from None

    @property
    def columns(self) -> list[str]:
        """Its columns."""
        return list(self._file.schema_arrow.names)

    @property
    def n_rows(self) -> int:
        """How many rows it has."""
        return int(self._file.metadata.num_rows)

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Its rows, with these columns only; a value that is null is left out.

        Raises:
            SourceError: The file is damaged, or is no longer what it was when it was opened.
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
        wanted = {name: self._file.schema_arrow.field(name) for name in kept}
        schema = pa.schema([pa.field(column, pa.string()), *wanted.values()])
        left, first = dict(reasons), 0
        with parquet.ParquetWriter(out, schema) as writer:
            for batch in self._file.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=kept):
                indices = [n for n in range(batch.num_rows) if first + n in left]
                rows = batch.take(pa.array(indices, pa.int64()))
                shown = pa.array([left.pop(first + n) for n in indices], pa.string())
                if indices:
                    writer.write_batch(pa.RecordBatch.from_arrays([shown, *rows.columns], schema=schema))
                first += batch.num_rows

    def close(self) -> None:
        """Close the file."""
        self._file.close()
