"""The lower bounds: `aiohttp` reads the bytes without decoding them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp

from benchmarks.reading.readers import N_AT_A_TIME, PAGE_SIZE, TOKEN, page_params

READ_BUFFER = 1 << 18
"""The same size as in this library."""


async def read(url: str, n_rows: int) -> int:
    """Read all pages, and discard each piece as it comes."""
    return await _read(url, n_rows, _throw_away)


async def read_joined(url: str, n_rows: int) -> int:
    """Read all pages, each into one `bytes`, like every client that decodes them."""
    return await _read(url, n_rows, aiohttp.ClientResponse.read)


async def _read(url: str, n_rows: int, take: Callable[[aiohttp.ClientResponse], Awaitable[Any]]) -> int:
    """Read all pages, several at a time; the rows are those requested, because none is examined."""
    offsets = iter(range(0, n_rows, PAGE_SIZE))
    async with aiohttp.ClientSession(
        url, headers={"Authorization": f"Bearer {TOKEN}"}, read_bufsize=READ_BUFFER
    ) as session:
        await asyncio.gather(*(_pages(session, offsets, take) for _ in range(N_AT_A_TIME)))
    return n_rows


async def _pages(
    session: aiohttp.ClientSession, offsets: Iterator[int], take: Callable[[aiohttp.ClientResponse], Awaitable[Any]]
) -> None:
    for offset in offsets:
        async with session.get("/tasks", params=page_params(offset)) as response:
            response.raise_for_status()
            await take(response)


async def _throw_away(response: aiohttp.ClientResponse) -> None:
    async for _ in response.content.iter_any():
        pass
