"""Records into Parquet, a row group at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet as pq

from planhat_async._convert.arrow.record_table import RecordTable
from planhat_async.jobs.files.writers import ExportWriter
from planhat_async.records import Record


class ParquetWriter(ExportWriter):
    """The columns of `RecordTable`; needs the memory of one row group.

    Args:
        out: A binary file; it need not be seekable.
        record: The model.
        fields: The columns instead of all fields, as in `RecordTable`, whose first table is the first row group.
        leading: Columns of texts before the fields.
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
        max_rows: int = 10_000,
        max_bytes: int = 8 << 20,
    ) -> None:
        self._table = RecordTable(record, fields=fields, leading=leading)
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
            table = self._decoded()
            with self._opened() as file:
                file.write_table(table)

    def close(self) -> None:
        """Write the remaining rows and the footer, without which the file cannot be read."""
        self.flush()
        self._decoded()  # chooses the columns of a list without records
        with self._opened() as file:
            file.close()

    def _decoded(self) -> pa.Table:
        for row in self._rows:
            self._table.add(row)
        self._rows, self._n_bytes = [], 0
        return self._table.take()

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetWriter]:
        self._sink.is_open = True
        try:
            if self._file is None:
                # zstd: texts take a third less than with snappy, for the same time.
                self._file = pq.ParquetWriter(
                    self._sink, self._table.schema, compression="zstd", write_page_checksum=True
                )
            yield self._file
        finally:
            self._sink.is_open = False


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
