"""Rows of Parquet files, in small batches; needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from planhat_async._convert import printable
from planhat_async.jobs.files.formats import PARQUET_IS_MISSING
from planhat_async.jobs.files.row_reader import CopyRow, RawRow, RowReader
from planhat_async.jobs.files.steady_file import identity_of, refuse_change
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_ROWS_AT_A_TIME = 1000
_BYTES_AT_A_TIME = 8 << 20
_READ_BYTES = 1 << 18
"""How far each column is read ahead; pyarrow would otherwise read all of a row group's column at once."""
_MAGIC = b"PAR1"
_OTHER_FILES = {
    b"PARE": "it is encrypted: write it again without encryption",
    b"ARRO": "it is an Arrow file (Feather), not Parquet",
    b"ORC": "it is an ORC file, not Parquet",
    b"\x1f\x8b": "it is packed by gzip: unpack it first",
    b"PK\x03\x04": "it is a ZIP archive: unpack it first",
}
"""How other files begin."""


class ParquetReader(RowReader):
    """Reads Parquet, without nulls.

    A value that Python cannot hold, such as a text that is not UTF-8, makes its row unreadable.

    Raises:
        SourceError: It is not a Parquet file, or pyarrow is not installed.
    """

    columns: list[str]

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SourceError(PARQUET_IS_MISSING) from None
        self._path = path
        self._opened_as = identity_of(path.stat())
        self._errors = (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError)
        _refuse_other_files(path)
        try:
            # Not mapped into memory: truncating the file meanwhile would crash the process.
            self._file = parquet.ParquetFile(
                path,
                pre_buffer=False,
                buffer_size=_READ_BYTES,
                coerce_int96_timestamp_unit="us",  # nanoseconds would silently make 1816 of 9999
                page_checksum_verification=True,
            )
            self._schema = self._file.schema_arrow
        except self._errors as error:
            raise SourceError(f"it is not a Parquet file that can be read: {_on_one_line(error)}") from None
        self._names: list[str] = list(self._schema.names)
        self.columns = [name for name in self._names if name or not self._nameless_are_empty()]
        self._n_rows: int = self._file.metadata.num_rows
        self._is_copied = False
        self._batch: Any = None
        self._index = 0

    def _nameless_are_empty(self) -> bool:
        """Whether no column without a name has a value, according to the file's statistics."""
        metadata = self._file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        chunks = (group.column(number) for group in groups for number in range(group.num_columns))
        return all(_has_only_nulls(chunk) for chunk in chunks if chunk.path_in_schema.split(".")[0] == "")

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:
        """Each row, without nulls."""
        wanted = None if self._is_copied or columns is None else list(columns)
        number = 0
        for batch in self._batches(wanted):
            self._batch = batch
            for index, read in enumerate(_reads(batch, self.columns if columns is None else columns)):
                number, self._index = number + 1, index
                self.share_read = min(1.0, number / (self._n_rows or 1))
                yield RawRow(f"row {number}", read)

    def _batches(self, columns: list[str] | None) -> Iterator[Any]:
        """The batches of all row groups.

        Raises:
            SourceError: The file is damaged, or has changed since it was opened.
        """
        n_read = 0
        batches = self._file.iter_batches(batch_size=self._batch_size(), columns=columns)
        while True:
            try:
                batch = next(batches, None)
                refuse_change(self._path, self._opened_as)
            except SourceError:
                raise
            except self._errors as error:
                refuse_change(self._path, self._opened_as)
                raise SourceError(self._damage(error, n_read, columns)) from None
            if batch is None:
                break
            n_read += batch.num_rows
            yield batch
        if n_read != self._n_rows:
            raise SourceError(f"it is damaged: it should have {self._n_rows:,} rows, but {n_read:,} can be read")

    def _batch_size(self) -> int:
        """Rows of a batch that takes little memory, if the rows of a group are equally large."""
        metadata = self._file.metadata
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        per_row = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
        return max(1, min(_ROWS_AT_A_TIME, _BYTES_AT_A_TIME // max(1, per_row)))

    def _damage(self, error: BaseException, n_read: int, columns: list[str] | None) -> str:
        """The message about a batch that cannot be read: which column it is, and where reading ended."""
        names = self.columns if columns is None else columns
        damaged = next((name for name in names if not self._can_read(name, n_read)), None)
        where = "" if damaged is None else f" in the column {damaged!r}"
        return f"it is damaged{where}: row {n_read + 1:,} and all after it were not read ({_on_one_line(error)})"

    def _can_read(self, column: str, n_read: int) -> bool:
        """Whether a column can be read in the row groups of the next batch."""
        groups, n_rows = list[int](), 0
        for number in range(self._file.num_row_groups):
            begin, n_rows = n_rows, n_rows + self._file.metadata.row_group(number).num_rows
            if n_rows > n_read and begin < n_read + _ROWS_AT_A_TIME:
                groups.append(number)
        try:
            for _ in self._file.iter_batches(batch_size=_ROWS_AT_A_TIME, row_groups=groups, columns=[column]):
                pass
        except self._errors:
            return False
        return True

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy as Parquet, with a column of reasons."""
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        self._is_copied = True
        kept = [index for index, name in enumerate(self._names) if name != REASON_COLUMN]
        schema = pa.schema([pa.field(REASON_COLUMN, pa.string()), *(self._schema.field(index) for index in kept)])
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


def _reads(batch: Any, columns: Sequence[str]) -> Iterator[Callable[[], Mapping[str, Any]]]:
    """For each row of a batch a function that returns its values, without nulls."""
    from planhat_async.jobs.files.parquet_values import UnreadableValue, column_values  # noqa: PLC0415 - needs an extra

    wanted = set(columns)
    found = [(name, index) for index, name in enumerate(batch.schema.names) if name in wanted]
    names = [name for name, _ in found]
    lists = [column_values(batch.schema.field(index), batch.column(index)) for _, index in found]
    bad = UnreadableValue

    def read(values: tuple[Any, ...]) -> Mapping[str, Any]:
        row = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for name, value in row.items():
            if type(value) is bad:
                raise ValueError(f"column {name!r}: {value.reason}")
        return row

    for values in zip(*lists, strict=True) if lists else [()] * batch.num_rows:
        yield partial(read, values)


def _refuse_other_files(path: Path) -> None:
    """Refuse what is not Parquet by its first bytes.

    Raises:
        SourceError: The file is empty, or is something else.
    """
    with path.open("rb") as file:
        begin = file.read(4)
    if not begin:
        raise SourceError("it is empty: 0 bytes")
    for other, message in _OTHER_FILES.items():
        if begin.startswith(other):
            raise SourceError(message)


def _has_only_nulls(chunk: Any) -> bool:
    statistics = chunk.statistics
    return statistics is not None and statistics.has_null_count and statistics.null_count == chunk.num_values


def _on_one_line(error: BaseException) -> str:
    return printable(" ".join(str(error).split()))
