"""`cruds`: its interface to Planhat, one page of dicts at a time."""

from __future__ import annotations

import asyncio

from cruds.interfaces.planhat import Planhat

from benchmarks.reading.readers import PAGE_SIZE, TOKEN

A_TURN = 0.001
"""Seconds: with `sleep(0)`, timers would not run before the next page."""


async def read(url: str, n_rows: int) -> int:  # noqa: ARG001 - it finds the end itself
    """Read all tasks, and yield to the event loop after each page."""
    planhat = Planhat(api_token=TOKEN)
    planhat.client.host = f"{url}/"  # the interface has no argument for it
    n_seen = 0
    for page in planhat.task.get_list(sort="_id", select=None, limit=PAGE_SIZE):
        for row in page:
            n_seen += bool(row["_id"])
        await asyncio.sleep(A_TURN)
    return n_seen
