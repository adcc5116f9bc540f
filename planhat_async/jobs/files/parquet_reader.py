"""Rows of Parquet files, in small batches; needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from planhat_async.jobs.files.formats import PARQUET_IS_MISSING
from planhat_async.jobs.files.row_reader import CopyRow, RawRow, RowReader
from planhat_async.jobs.files.steady_file import unchanged
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_ROWS_AT_A_TIME = 1000


class ParquetReader(RowReader):
    """Reads Parquet, without nulls.

    Args:
        path: The file.
        file: Its bytes, if it is not a local file; they must be seekable.
        refuse_change: Then raises an error if it has changed since it was opened.

    Raises:
        SourceError: It is not a Parquet file, or pyarrow is not installed.
    """

    columns: list[str]

    def __init__(
        self, path: PurePath, *, file: BinaryIO | None = None, refuse_change: Callable[[], None] | None = None
    ) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SourceError(PARQUET_IS_MISSING) from None
        self._refuse_change = refuse_change or unchanged(Path(path))
        self._error = pa.ArrowException
        try:
            # Not mapped into memory: truncating the file meanwhile would crash the process.
            self._file = parquet.ParquetFile(path if file is None else file, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"it is not a Parquet file that can be read: {error}") from None
        self.columns = list(self._file.schema_arrow.names)
        self._n_rows: int = self._file.metadata.num_rows
        self._is_copied = False
        self._batch: Any = None
        self._index = 0

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each row, without nulls."""
        wanted = None if self._is_copied or columns is None else list(columns)
        number = 0
        try:
            for batch in self._file.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=wanted):
                self._refuse_change()
                self._batch = batch
                for index, row in enumerate(batch.to_pylist()):
                    number, self._index = number + 1, index
                    self.share_read = number / self._n_rows
                    values = {name: value for name, value in row.items() if value is not None}
                    yield RawRow(f"row {number}", partial(dict[str, Any], values))
        except (OSError, self._error) as error:
            self._refuse_change()
            raise SourceError(f"it is damaged: {error}") from None

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy as Parquet, with a column of reasons."""
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        self._is_copied = True
        kept = [name for name in self.columns if name != REASON_COLUMN]
        schema = pa.schema([pa.field(REASON_COLUMN, pa.string()), *map(self._file.schema_arrow.field, kept)])
        batch: Any = None
        picked: list[tuple[int, str]] = []
        with parquet.ParquetWriter(out, schema) as writer:

            def write_picked() -> None:
                if picked:
                    rows = batch.select(kept).take(pa.array([index for index, _ in picked], pa.int64()))
                    texts = pa.array([reason for _, reason in picked], pa.string())
                    writer.write_batch(pa.RecordBatch.from_arrays([texts, *rows.columns], schema=schema))
                    picked.clear()

            def copy_row(reason: str) -> None:
                nonlocal batch
                if self._batch is not batch:
                    write_picked()
                    batch = self._batch
                picked.append((self._index, reason))

            yield copy_row
            write_picked()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
