"""The capability to list a model's records as Arrow tables."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from planhat_async._convert import row_id, wire_path
from planhat_async.batching.list_reader import Batch
from planhat_async.batching.query import ID
from planhat_async.errors import ARROW_IS_MISSING, DecodeError, MissingExtraError, PlanhatError
from planhat_async.records import Record
from planhat_async.records.arguments import several, whole
from planhat_async.repositories.queries import Options
from planhat_async.repositories.repository import Repository

if TYPE_CHECKING:
    import pyarrow as pa

    from planhat_async._convert.arrow.record_table import RecordTable

    ArrowTable: TypeAlias = pa.Table
    ArrowBatch: TypeAlias = pa.RecordBatch
else:
    ArrowTable = ArrowBatch = Any

R = TypeVar("R", bound=Record)

CustomColumns: TypeAlias = Literal["map"] | Mapping[str, str] | None
"""How custom fields become columns; see `ArrowLists.arrow_batches`."""
_CUSTOM = "custom"
_CUSTOM_TYPES = ("string", "bool", "int64", "float64", "timestamp", "list")
_ROWS_A_TURN = 1000
"""Rows that are converted at once: some milliseconds, for most of which the GIL is held."""
_MAX_BYTES = 8 << 20
"""Bytes of JSON after which a batch also ends."""


class ArrowLists(Repository[R]):
    """Lists a model's records as columns, at a fraction of the cost of records."""

    async def to_arrow(self, *, custom: CustomColumns = None, **options: Any) -> ArrowTable:
        """Like `arrow_batches`, but returns all records in one table; memory grows with their number."""
        made = [batch async for batch in self._record_batches(options, custom, call="to_arrow")]
        import pyarrow as pa  # noqa: PLC0415 - an extra, which is there now

        return pa.Table.from_batches(made)

    def arrow_batches(
        self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Any
    ) -> AsyncGenerator[ArrowBatch, None]:
        """Yield the records of a list as Arrow record batches with one schema; needs the extra `arrow`.

        The columns are those of a Parquet export: one per field, with Planhat's names and the model's types, nested
        values as JSON, and `extra`, a JSON object of what no column can hold. API tokens are left out. The order, the
        calls and the errors are those of `iter`. Memory is bounded by its pages and one batch. At least one batch is
        yielded, which may be empty.

        Args:
            batch_rows: Records in a batch, at most; 8 MiB of JSON also end one.
            custom: `None`: one column `custom` of JSON. `"map"`: one column of maps from names to texts, JSON where a
                value is not text. Or the types of custom fields that get a column `custom.NAME` each, such as
                `{"ARR": "float64"}`: string (JSON where a value is not text), bool, int64, float64, timestamp or list
                (of texts); other custom fields are then left out.
            **options: The model's listing options. With `select`, only the selected fields are columns; `custom` in it
                has the columns that the option `custom` says.

        Raises:
            TypeError, ValueError, DecodeError, RequestError: As `iter`.
            MissingExtraError: pyarrow is not installed.
        """
        whole(1)("batch_rows", batch_rows)
        return self._record_batches(options, custom, batch_rows=batch_rows, call="arrow_batches")

    @abstractmethod
    def _batches(self, options: Options, *, call: str) -> AsyncGenerator[Batch, None]:
        """The selected rows, a few at a time; wrong options are refused at once."""

    @abstractmethod
    def _on_bad(self, options: Options) -> Callable[[DecodeError], None]:
        """The handler of a record that cannot be decoded."""

    def _record_batches(
        self, options: dict[str, Any], custom: CustomColumns, *, call: str, batch_rows: int = 10_000
    ) -> AsyncGenerator[ArrowBatch, None]:
        if find_spec("pyarrow") is None:
            raise MissingExtraError(ARROW_IS_MISSING)
        _check_custom(custom)
        select = None
        if options.get("select") is not None:
            names = several("select", options["select"], of="field names, such as ['subject', 'date']")
            options = {**options, "select": _with_custom(names, custom)}
            select = [ID, *(wire_path(self.model.record, name) for name in options["select"])]
        return self._made(self._batches(options, call=call), options, select, custom, batch_rows)

    async def _made(
        self,
        batches: AsyncGenerator[Batch, None],
        options: Options,
        select: list[str] | None,
        custom: CustomColumns,
        batch_rows: int,
    ) -> AsyncGenerator[ArrowBatch, None]:
        table = await asyncio.to_thread(_table, self.model.record, select, custom)
        on_bad, n_rows, n_bytes, is_first = self._on_bad(options), 0, 0, True
        async with aclosing(batches):
            try:
                async for batch in batches:
                    for position, row in enumerate(batch.rows, batch.position):
                        try:
                            table.add(row)
                        except DecodeError as error:
                            error.id, error.position = row_id(row), position
                            on_bad(error)
                            continue
                        n_rows, n_bytes = n_rows + 1, n_bytes + len(row)
                        if n_rows >= batch_rows or n_bytes >= _MAX_BYTES:
                            yield await asyncio.to_thread(table.take_batch)
                            n_rows, n_bytes, is_first = 0, 0, False
                        elif n_rows % _ROWS_A_TURN == 0:
                            await asyncio.to_thread(table.convert)
            except PlanhatError:
                if n_rows:
                    yield await asyncio.to_thread(table.take_batch)
                raise
        if n_rows or is_first:
            yield await asyncio.to_thread(table.take_batch)


def _table(record: type[Record], select: list[str] | None, custom: CustomColumns) -> RecordTable:
    from planhat_async._convert.arrow.list_columns import list_table  # noqa: PLC0415 - an extra, and slow to load

    return list_table(record, select=select, custom=custom)


def _with_custom(select: Iterable[str], custom: CustomColumns) -> list[str]:
    """The fields to fetch: those of custom fields with a type take the place of `custom`.

    Raises:
        ValueError: `custom` and a field within it are selected.
    """
    names: list[Any] = list(select)
    if isinstance(custom, Mapping) and custom:
        return [*(name for name in names if name != _CUSTOM), *(f"{_CUSTOM}.{name}" for name in custom)]
    parts = [name for name in names if isinstance(name, str) and name.startswith(f"{_CUSTOM}.")]
    if parts and _CUSTOM in names:
        raise ValueError(f"select: {_CUSTOM} already holds {parts[0]}: leave one of them out")
    return names


def _check_custom(custom: Any) -> None:
    """Refuse what is not a way to make columns of custom fields.

    Raises:
        ValueError: An unknown type of a custom field.
        TypeError: It is neither a mapping nor `map`.
    """
    if custom is None or custom == "map":
        return
    if not isinstance(custom, Mapping) or not all(isinstance(name, str) for name in custom):
        raise TypeError(f"custom must be 'map' or types of fields, such as {{'ARR': 'float64'}}, not {custom!r}")
    for name, kind in custom.items():
        if kind not in _CUSTOM_TYPES:
            raise ValueError(f"custom: {name} cannot be {kind!r}: it can be {', '.join(_CUSTOM_TYPES)}")
        if "," in name or not name.strip():
            raise ValueError(f"custom: {name!r} names no custom field")
