"""`cruds`: its interface to Planhat, with all rows as one list, and with a list for each call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from cruds.interfaces.planhat import Planhat

from benchmarks.writing.tickets import dicts
from benchmarks.writing.writers import CHUNK_SIZE, N_AT_A_TIME, TOKEN, chunks

A_TURN = 0.001
"""Seconds: with `sleep(0)`, timers would not run before the next chunk."""


async def write(url: str, n_rows: int) -> int:
    """Write all tickets as documented: `bulk_upsert` takes a list, cuts it, and sleeps between two calls."""
    return _write(_interface(url), list(dicts(n_rows)))


async def write_chunks(url: str, n_rows: int) -> int:
    """Pass the rows of one call at a time: no list holds all rows, it does not sleep, and other tasks run."""
    planhat = _interface(url)
    n_stored = 0
    for chunk in chunks(dicts(n_rows)):
        n_stored += _write(planhat, chunk)
        await asyncio.sleep(A_TURN)
    return n_stored


async def write_in_threads(url: str, n_rows: int) -> int:
    """Pass the rows of one call at a time, each in a thread, several at once: the event loop does not wait."""
    rows = chunks(dicts(n_rows))
    return sum(await asyncio.gather(*(_writes_in_threads(url, rows) for _ in range(N_AT_A_TIME))))


async def _writes_in_threads(url: str, rows: Iterator[list[dict[str, Any]]]) -> int:
    planhat = _interface(url)
    n_stored = 0
    for chunk in rows:
        n_stored += await asyncio.to_thread(_write, planhat, chunk)
    return n_stored


def _interface(url: str) -> Planhat:
    planhat = Planhat(api_token=TOKEN)
    planhat.client.host = f"{url}/"  # the interface has no argument for it
    return planhat


def _write(planhat: Planhat, rows: list[dict[str, Any]]) -> int:
    answer = planhat.ticket.bulk_upsert(rows, chunk_size=CHUNK_SIZE, raise_on_error=True)
    n_stored: int = answer["created"] + answer["updated"]
    return n_stored
