"""`aiohttp`, several chunks at a time: as in hand-written code, with `json=` or `orjson`, and with minimal work."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any, TypeAlias

import aiohttp
import msgspec
import orjson

from benchmarks.writing.tickets import dicts
from benchmarks.writing.writers import N_AT_A_TIME, TOKEN, chunks

Body: TypeAlias = dict[str, Any]
"""The body that `aiohttp` gets, by argument."""
_JSON = {"Content-Type": "application/json"}


async def write_json(url: str, n_rows: int) -> int:
    """Write all tickets with the standard library's `json`."""
    return await _write(url, ({"json": chunk} for chunk in chunks(dicts(n_rows))))


async def write_orjson(url: str, n_rows: int) -> int:
    """Write all tickets with `orjson`."""
    return await _write(url, ({"data": orjson.dumps(chunk), "headers": _JSON} for chunk in chunks(dicts(n_rows))))


async def write_bare(url: str, n_rows: int) -> int:
    """The lower bound: rows are not examined, each chunk is encoded at once, and its bytes are sent."""
    return await _write(url, ({"data": io.BytesIO(body)} for body in map(msgspec.json.encode, chunks(dicts(n_rows)))))


async def _write(url: str, bodies: Iterator[Body]) -> int:
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        return sum(await asyncio.gather(*(_puts(session, bodies) for _ in range(N_AT_A_TIME))))


async def _puts(session: aiohttp.ClientSession, bodies: Iterator[Body]) -> int:
    n_stored = 0
    for body in bodies:
        async with session.put("/tickets", **body) as response:
            response.raise_for_status()
            answer = await response.json()
            n_stored += answer["created"] + answer["updated"]
    return n_stored
