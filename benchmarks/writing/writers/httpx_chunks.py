"""`httpx`, several chunks at a time, as in hand-written code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx

from benchmarks.writing.tickets import dicts
from benchmarks.writing.writers import N_AT_A_TIME, TOKEN, chunks


async def write(url: str, n_rows: int) -> int:
    """Write all tickets with its own `json=`."""
    rows = chunks(dicts(n_rows))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        return sum(await asyncio.gather(*(_puts(client, rows) for _ in range(N_AT_A_TIME))))


async def _puts(client: httpx.AsyncClient, rows: Iterator[list[dict[str, Any]]]) -> int:
    n_stored = 0
    for chunk in rows:
        response = await client.put("/tickets", json=chunk)
        response.raise_for_status()
        answer = response.json()
        n_stored += answer["created"] + answer["updated"]
    return n_stored
