"""Tables as the input of an upsert: anything that offers its columns as a stream of Arrow's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import tzinfo
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from planhat_async._convert.column_mapping import ColumnMapping, TableRow
from planhat_async.errors import ARROW_IS_MISSING, MissingExtraError
from planhat_async.records import Record

if TYPE_CHECKING:
    from planhat_async._convert.arrow.table_rows import TableRows

T = TypeVar("T")


class Table(Protocol):
    """A data frame or a table: of pandas, polars, pyarrow, DuckDB, or any other library with Arrow's interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Its batches; see "The Arrow PyCapsule Interface" in Arrow's documentation."""
        ...


def is_table(rows: Any) -> bool:
    """Whether the rows are a table, and not a column, which is an iterable of values."""
    kind = type(rows)
    return hasattr(kind, "__arrow_c_stream__") and not (hasattr(kind, "dtype") or hasattr(kind, "type"))


def table_rows(
    table: Table, record: type[Record], *, mapping: ColumnMapping | None = None, time_zone: str | tzinfo | None = None
) -> AsyncGenerator[TableRow, None]:
    """The rows of a table, batch by batch; each batch is read in a thread.

    Once the generator is closed, no thread reads the table: a close or a cancellation waits for a batch under way.

    Raises:
        MissingExtraError: pyarrow is not installed.
        ValueError: There is no such time zone.
        TypeError: The time zone or the mapping is something else.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError(ARROW_IS_MISSING)
    if mapping is not None and not hasattr(mapping, "fitted"):
        raise TypeError(f"mapping must be a mapping of columns, such as jobs.FieldMapping, not {mapping!r}")
    return _rows(table, record, mapping, _zone(time_zone))


async def _rows(
    table: Table, record: type[Record], mapping: ColumnMapping | None, zone: tzinfo | None
) -> AsyncGenerator[TableRow, None]:
    # A frame is converted, or a query run, as a whole: the event loop must not wait for it.
    batches, made = await _in_thread(_opened, table, record, mapping, zone)
    while (batch := await _in_thread(next, batches, None)) is not None:
        for rows in made.parts(batch):
            for row in rows:
                yield row
            await asyncio.sleep(0)  # rows that are quick to send come after one another without a pause


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """The result of a function in a thread; a cancellation is raised once it has ended.

    A connection whose query it reads must not be used by two threads, nor be closed meanwhile.
    """
    work, is_cancelled = asyncio.ensure_future(asyncio.to_thread(function, *arguments)), False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        work.exception()  # else asyncio logs that it was never retrieved
        raise asyncio.CancelledError
    return work.result()


def _opened(
    table: Table, record: type[Record], mapping: ColumnMapping | None, zone: tzinfo | None
) -> tuple[Iterator[Any], TableRows]:
    """The batches of a table, and what makes rows of them."""
    from planhat_async._convert.arrow.table_rows import TableRows, opened_table  # noqa: PLC0415 - an extra

    batches = opened_table(table)
    return iter(batches), TableRows(record, batches.schema, mapping=mapping, zone=zone)


def _zone(time_zone: str | tzinfo | None) -> tzinfo | None:
    if time_zone is None or isinstance(time_zone, tzinfo):
        return time_zone
    if not isinstance(time_zone, str):
        raise TypeError(f"time_zone must be the name of a zone, such as 'Europe/Berlin', not {time_zone!r}")
    try:
        return ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"time_zone: there is no zone {time_zone!r}; a zone is called Europe/Berlin or UTC") from None
