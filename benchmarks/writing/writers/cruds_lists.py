"""`cruds`: its Planhat interface, given all rows as one list, and a list for each call."""

from __future__ import annotations

import asyncio
from typing import Any

from cruds.interfaces.planhat import Planhat

from benchmarks.writing.tickets import dicts
from benchmarks.writing.writers import CHUNK_SIZE, TOKEN, chunks

A_TURN = 0.001
"""Seconds: `sleep(0)` would not let timers through before the next chunk."""


async def write(url: str, n_rows: int) -> int:
    """Write all tickets as it is documented: `bulk_upsert` takes a list, cuts it, and sleeps between two calls."""
    return _write(_interface(url), list(dicts(n_rows)))


async def write_chunks(url: str, n_rows: int) -> int:
    """Give it no more than one call takes: nobody holds all rows, it need not sleep, and the event loop has turns."""
    planhat = _interface(url)
    n_stored = 0
    for chunk in chunks(dicts(n_rows)):
        n_stored += _write(planhat, chunk)
        await asyncio.sleep(A_TURN)
    return n_stored


def _interface(url: str) -> Planhat:
    planhat = Planhat(api_token=TOKEN)
    planhat.client.host = f"{url}/"  # the interface has no argument for it
    return planhat


def _write(planhat: Planhat, rows: list[dict[str, Any]]) -> int:
    answer = planhat.ticket.bulk_upsert(rows, chunk_size=CHUNK_SIZE, raise_on_error=True)
    n_stored: int = answer["created"] + answer["updated"]
    return n_stored
