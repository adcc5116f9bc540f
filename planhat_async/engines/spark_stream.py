"""Streams the new records of a model into Spark, by their `_id`s; needs pyspark 4.2 or newer, and pyarrow.

Spark keeps how far the stream is in its checkpoint, before it reads a batch: a batch that is repeated, also after a
crash, has the same bounds. A record that is changed or deleted after it was read does not come again.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import ReadLimit, SupportsTriggerAvailableNow

from planhat_async.engines.spark_places import Place, offset_of, places_of, settled_place
from planhat_async.engines.spark_read import read_batches
from planhat_async.engines.spark_schema import SparkColumns
from planhat_async.engines.spark_session import SparkAccess
from planhat_async.partitions import Cut, single_lists
from planhat_async.repositories import Lists
from planhat_async.repositories.queries import queries_of


class PlanhatStreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads new records, in one partition a batch.

    Args:
        access: How Planhat is called.
        columns: The columns of the table.

    Raises:
        ValueError: The model's list cannot be read from an `_id` on.
    """

    def __init__(self, access: SparkAccess, columns: SparkColumns) -> None:
        self._access = access
        self._columns = columns
        self._repository = access.options.listing()
        model = self._repository.model
        options = {**model.everything, **access.options.filters}
        self._lists = {str(number): one for number, one in enumerate(single_lists(model, options))}
        if model.limits is None or any(len(queries_of(model, one)) != 1 for one in self._lists.values()):
            raise ValueError(
                f"these {model.name} cannot be read as a stream: they are not one list in the order of _ids"
            )
        self._newest: dict[str, str | None] | None = None

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 - Spark's name
        """The beginning of the lists, or their end if the stream starts from the latest records."""
        places = dict.fromkeys(self._lists, Place())
        if self._access.options.starting_from == "earliest":
            return offset_of(places)
        return offset_of(asyncio.run(self._reached(places)))

    def latestOffset(self, start: dict[str, Any], limit: ReadLimit) -> dict[str, Any]:  # noqa: ARG002, N802
        """How far the stream may go; never behind its start."""
        return offset_of(asyncio.run(self._reached(places_of(start))))

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """Note the newest records: the stream ends at them."""
        self._newest = asyncio.run(self._newest_ids())

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> Sequence[InputPartition]:
        """The records between two places, as one part of each list."""
        before, until = places_of(start), places_of(end)
        cuts = [
            Cut(
                after=before[name].last or None,
                until=until[name].last,
                start_offset=before[name].n_before,
                options={**options, "select": self._columns.select},
            )
            for name, options in self._lists.items()
            if before[name].last < until[name].last
        ]
        return [InputPartition(cuts)] if cuts else []

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The records of the parts, each once: one may move between two lists meanwhile."""
        return read_batches(self._access, self._columns, partition.value)

    async def _reached(self, places: dict[str, Place]) -> dict[str, Place]:
        settle_seconds = self._access.options.settle_seconds
        newest = await self._newest_ids() if self._newest is None else self._newest
        now = time.time()
        reached = {
            name: settled_place(place, newest[name], now=now, settle_seconds=settle_seconds)
            for name, place in places.items()
        }
        moved = {name: place for name, place in reached.items() if place != places[name]}
        return {**reached, **await self._counted(moved)}

    async def _newest_ids(self) -> dict[str, str | None]:
        async with self._access.session() as session:
            repository = self._repository(session)
            return {name: await _newest_id(repository, options) for name, options in self._lists.items()}

    async def _counted(self, places: dict[str, Place]) -> dict[str, Place]:
        if not places:
            return {}
        async with self._access.session() as session:
            repository = self._repository(session)
            return {name: await _counted(repository, place, self._lists[name]) for name, place in places.items()}


async def _newest_id(repository: Lists[Any], options: dict[str, Any]) -> str | None:
    found = await repository.page(limit=1, sort="-id", select=["id"], **_of_pages(repository, options))
    return found[0].id if found else None


async def _counted(repository: Lists[Any], place: Place, options: dict[str, Any]) -> Place:
    """The place with about the number of records before it: the more that is known, the less is read again."""
    assert repository.model.limits is not None  # noqa: S101 - others cannot be streamed
    page = step = repository.model.limits.most
    n_before = place.n_before
    while step >= page:
        offset = n_before + step
        found = await repository.page(
            offset=offset, limit=1, sort="id", select=["id"], **_of_pages(repository, options)
        )
        is_before = bool(found) and found[0].id is not None and found[0].id <= place.last
        n_before, step = (offset, step * 2) if is_before else (n_before, step // 2)
    return Place(last=place.last, n_before=n_before)


def _of_pages(repository: Lists[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The filters that a single page has too."""
    known = {one.option for one in repository.model.filters if one.is_for_pages}
    return {name: value for name, value in options.items() if name in known}
