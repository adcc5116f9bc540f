"""Rows of Parquet files, in small batches; needs the extra `parquet`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from planhat_async._convert import printable
from planhat_async.jobs.files.formats import PARQUET_IS_MISSING
from planhat_async.jobs.files.steady_file import unchanged
from planhat_async.jobs.files.table_reader import CopyRow, FileReader, RawRow
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError
from planhat_async.results import UnreadableValue

_ROWS_AT_A_TIME = 1000
_BYTES_AT_A_TIME = 8 << 20
_READ_BYTES = 1 << 18
"""How far each column is read ahead; pyarrow would otherwise read all of a row group's column at once."""
_SMALL_BYTES = 1 << 24
"""Size of a file whose columns are read at once: a page that claims to be larger then takes no memory."""
_MAGIC = b"PAR1"
_OTHER_FILES = {
    b"PARE": "it is encrypted: write it again without encryption",
    b"ARRO": "it is an Arrow file (Feather), not Parquet",
    b"ORC": "it is an ORC file, not Parquet",
    b"\x1f\x8b": "it is packed by gzip: unpack it first",
    b"PK\x03\x04": "it is a ZIP archive: unpack it first",
}
"""How other files begin."""


class ParquetReader(FileReader):
    """Reads Parquet; a null is `None`.

    A value that Python cannot hold, such as a text that is not UTF-8, makes its row unreadable.

    Args:
        path: The file.
        file: Its bytes, if it is not a local file; they must be seekable.
        refuse_change: Then raises an error if it has changed since it was opened.

    Raises:
        SourceError: It is not a Parquet file, or pyarrow is not installed.
    """

    columns: list[str]
    share_read: float | None = None

    def __init__(
        self, path: PurePath, *, file: BinaryIO | None = None, refuse_change: Callable[[], None] | None = None
    ) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SourceError(PARQUET_IS_MISSING) from None
        self._refuse_change = refuse_change or unchanged(Path(path))
        self._errors = (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError)
        _refuse_other_files(_beginning_of(path, file))
        try:
            # Not mapped into memory: truncating the file meanwhile would crash the process.
            self._file = parquet.ParquetFile(
                path if file is None else file,
                pre_buffer=False,
                buffer_size=_READ_BYTES if _size_of(path, file) > _SMALL_BYTES else 0,
                coerce_int96_timestamp_unit="us",  # nanoseconds would silently make 1816 of 9999
                page_checksum_verification=True,
            )
            self._schema = self._file.schema_arrow
        except self._errors as error:
            raise SourceError(f"it is not a Parquet file that can be read: {_on_one_line(error)}") from None
        self._names: list[str] = list(self._schema.names)
        self.columns = [name for name in self._names if name or not self._nameless_are_empty()]  # pyright: ignore[reportIncompatibleVariableOverride]
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
        """Each row."""
        wanted = self.columns if columns is None else list(columns)
        selected = None if self._is_copied or columns is None else wanted
        number = 0
        for batch in self._batches(selected):
            self._batch = batch
            for index, read in enumerate(self._reads(batch, wanted, number)):
                number, self._index = number + 1, index
                self.share_read = min(1.0, number / (self._n_rows or 1))
                yield RawRow(f"row {number}", read)

    def _batches(self, columns: list[str] | None) -> Iterator[Any]:
        """The batches of all row groups.

        Raises:
            SourceError: The file is damaged, or has changed since it was opened.
        """
        n_read = 0
        for group in range(self._file.num_row_groups):
            # One by one: a batch across the end of a group would be lost with the next one.
            batches = self._group_batches(group, columns)
            while (batch := self._or_damage(partial(next, batches, None), n_read, group, columns)) is not None:
                n_read += batch.num_rows
                yield batch
        if n_read != self._n_rows:
            raise SourceError(f"it is damaged: it should have {self._n_rows:,} rows, but {n_read:,} can be read")

    def _group_batches(self, group: int, columns: list[str] | None) -> Iterator[Any]:
        """The batches of a row group, each of which takes little memory if the group's rows are equally large."""
        found = self._file.metadata.row_group(group)
        per_row = found.total_byte_size // max(1, found.num_rows)
        n_rows = max(1, min(_ROWS_AT_A_TIME, _BYTES_AT_A_TIME // max(1, per_row)))
        yield from self._file.iter_batches(batch_size=n_rows, row_groups=[group], columns=columns)

    def _reads(self, batch: Any, columns: Sequence[str], n_read: int) -> Iterator[Callable[[], Mapping[str, Any]]]:
        """For each row of a batch a function that returns its values."""
        from planhat_async._convert.arrow.arrow_values import column_values  # noqa: PLC0415 - needs an extra

        wanted = set(columns)
        found = [(index, name) for index, name in enumerate(batch.schema.names) if name in wanted]
        names = [name for _, name in found]
        lists = [
            self._or_damage(
                partial(column_values, batch.schema.field(index), batch.column(index)), n_read, None, [name]
            )
            for index, name in found
        ]
        is_whole = not any(UnreadableValue in {*map(type, values)} for values in lists)
        row = _by_column if is_whole else _readable
        for values in zip(*lists, strict=True) if lists else [()] * batch.num_rows:
            yield partial(row, names, values)

    def _or_damage(self, read: Callable[[], Any], n_read: int, group: int | None, columns: list[str] | None) -> Any:
        """What `read` returns.

        Raises:
            SourceError: It fails: the file is damaged behind the rows that were read, or has changed.
        """
        try:
            result = read()
            self._refuse_change()
        except SourceError:
            raise
        except self._errors as error:
            self._refuse_change()
            names = self.columns if columns is None else columns
            damaged = next((name for name in names if group is None or not self._can_read(name, group)), None)
            where = "" if damaged is None else f" in the column {damaged!r}"
            rest = f"row {n_read + 1:,} and all after it were not read"
            state = "encrypted" if "decrypt" in str(error).lower() else "damaged"
            raise SourceError(f"it is {state}{where}: {rest} ({_on_one_line(error)})") from None
        return result

    def _can_read(self, column: str, group: int) -> bool:
        """Whether a column of a row group can be read to its end."""
        try:
            for _ in self._group_batches(group, [column]):
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


def _by_column(names: Sequence[str], values: tuple[Any, ...]) -> Mapping[str, Any]:
    return dict(zip(names, values, strict=True))


def _readable(names: Sequence[str], values: tuple[Any, ...]) -> Mapping[str, Any]:
    """The values of a row; raises `ValueError` if one of them cannot be read."""
    for name, value in zip(names, values, strict=True):
        if type(value) is UnreadableValue:
            raise ValueError(f"column {name!r}: {value.reason}")
    return _by_column(names, values)


def _beginning_of(path: PurePath, file: BinaryIO | None) -> bytes:
    if file is None:
        with Path(path).open("rb") as opened:
            return opened.read(4)
    begin = file.read(4)
    file.seek(0)
    return begin


def _size_of(path: PurePath, file: BinaryIO | None) -> int:
    if file is None:
        return Path(path).stat().st_size
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _refuse_other_files(begin: bytes) -> None:
    """Refuse what is not Parquet by its first bytes.

    Raises:
        SourceError: The file is empty, or is something else.
    """
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
