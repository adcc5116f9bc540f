"""Reads a model's list into Spark; needs pyspark and pyarrow."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing, closing
from types import FrameType
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSourceReader, Filter, InputPartition

from planhat_async.engines.copied_list import in_batches
from planhat_async.engines.held_records import id_in
from planhat_async.engines.spark_filters import condition_of, filters_for
from planhat_async.engines.spark_rows import SparkRows
from planhat_async.engines.spark_schema import SparkColumns
from planhat_async.engines.spark_session import SparkAccess
from planhat_async.partitions import Cut, plan_cuts, read_part_json
from planhat_async.sync import BlockingSession

_PUSHDOWN_WORKER = "data_source_pushdown_filters.py"


class PlanhatReader(DataSourceReader):
    """Reads the parts of a list.

    Args:
        access: How Planhat is called.
        columns: The columns of the table.
    """

    def __init__(self, access: SparkAccess, columns: SparkColumns) -> None:
        self._access = access
        self._columns = columns
        self._repository = access.options.listing()
        self._filters: dict[str, Any] = {**self._repository.model.everything, **access.options.filters}

    def partitions(self) -> Sequence[InputPartition]:
        """The parts of the list: one, unless more are asked for."""
        options = {**self._filters, "select": self._columns.select}
        n = self._access.options.partitions
        cuts = [Cut(options=options)] if n == 1 else asyncio.run(self._cuts(n, options))
        return [InputPartition(cut) for cut in cuts]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The records of a part."""
        return read_batches(self._access, self._columns, [partition.value])

    async def _cuts(self, n: int, options: dict[str, Any]) -> list[Cut]:
        async with self._access.session() as session:
            return await plan_cuts(self._repository(session), n, **options)


class FilteringReader(PlanhatReader):
    """Also takes in the conditions of a query; Spark refuses such a reader where its setting does not allow it."""

    def pushFilters(self, filters: list[Filter]) -> Iterable[Filter]:  # noqa: N802 - Spark's name
        """Take in what Planhat can filter by; Spark applies all conditions again."""
        known = [found for one in filters if (found := condition_of(one)) is not None]
        self._filters |= filters_for(self._repository.model, known, self._access.options.filters)
        return filters


def reader_of(access: SparkAccess, columns: SparkColumns) -> PlanhatReader:
    """A reader, which takes in conditions only if Spark offers them."""
    return (FilteringReader if _is_filtering() else PlanhatReader)(access, columns)


def read_batches(access: SparkAccess, columns: SparkColumns, cuts: Sequence[Cut]) -> Iterator[pa.RecordBatch]:
    """The records of parts, one part after another; of several parts, each record once."""
    repository = access.options.listing()
    rows = SparkRows(repository.model.record, columns)
    with BlockingSession(access.session()) as shared:
        parts = _each_once([read_part_json(repository(shared.session), cut) for cut in cuts])
        with closing(shared.iterate(in_batches(parts))) as batches:
            for batch in batches:
                yield rows.batch(batch)


async def _each_once(parts: Sequence[AsyncGenerator[bytes, None]]) -> AsyncGenerator[bytes, None]:
    seen: set[str] = set()
    for part in parts:
        async with aclosing(part):
            async for row in part:
                if len(parts) > 1:
                    id_ = id_in(row)
                    if id_ in seen:
                        continue
                    seen.add(id_)
                yield row


def _is_filtering() -> bool:
    """Whether Spark asks for a reader in order to offer conditions to it.

    It does not say so, and refuses a reader that takes them in when it does not offer any.
    """
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the documented way to the callers
    while frame is not None:
        if frame.f_code.co_filename.endswith(_PUSHDOWN_WORKER):
            return True
        frame = frame.f_back
    return False
