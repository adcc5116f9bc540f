"""This library's `iter_json`: the JSON of each row."""

from __future__ import annotations

from benchmarks.reading.readers import N_AT_A_TIME, PAGE_SIZE, TOKEN
from planhat_async import Session, Tasks


async def read(url: str, n_rows: int) -> int:  # noqa: ARG001 - it finds the end itself
    """Read all tasks as bytes, with the default rate limits."""
    n_seen = 0
    async with Session(TOKEN, base_url=url) as session:
        async for row in Tasks(session).iter_json(archived=False, page_size=PAGE_SIZE, concurrency=N_AT_A_TIME):
            n_seen += bool(row)
    return n_seen
