"""`elasticsearch`: its `async_streaming_bulk`, with a server of its own kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_streaming_bulk

from benchmarks.writing.tickets import dicts
from benchmarks.writing.writers import CHUNK_SIZE


async def write(url: str, n_rows: int) -> int:
    """Write all tickets as documents; each has its own result."""
    n_stored = 0
    async with AsyncElasticsearch(url) as client:
        async for is_stored, _ in async_streaming_bulk(client, _actions(n_rows), chunk_size=CHUNK_SIZE):
            n_stored += is_stored
    return n_stored


def _actions(n_rows: int) -> Iterator[dict[str, Any]]:
    return ({"_index": "tickets", "_id": row["sourceId"], "_source": row} for row in dicts(n_rows))
