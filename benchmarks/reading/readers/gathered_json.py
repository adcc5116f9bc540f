"""`aiohttp`, `asyncio.gather` and the standard library's `json`, as in typical hand-written code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from benchmarks.reading.readers import N_AT_A_TIME, PAGE_SIZE, TOKEN, page_params


async def read(url: str, n_rows: int) -> int:
    """Read all tasks, several pages at a time, given the number of tasks."""
    offsets = range(0, n_rows, PAGE_SIZE)
    n_seen = 0
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for start in range(0, len(offsets), N_AT_A_TIME):
            pages = await asyncio.gather(*(_page(session, offset) for offset in offsets[start : start + N_AT_A_TIME]))
            for page in pages:
                for row in page:
                    n_seen += bool(row["_id"])
    return n_seen


async def _page(session: aiohttp.ClientSession, offset: int) -> list[dict[str, Any]]:
    async with session.get("/tasks", params=page_params(offset)) as response:
        response.raise_for_status()
        rows: list[dict[str, Any]] = json.loads(await response.read())
        return rows
