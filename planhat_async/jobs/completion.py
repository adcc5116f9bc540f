"""Work that a cancellation does not cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress


async def wait_to_end(work: Awaitable[None]) -> None:
    """Wait for the end of something, however often that is cancelled meanwhile; a cancellation is raised behind it."""
    task, is_cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            is_cancelled = True
    task.result()
    if is_cancelled:
        raise asyncio.CancelledError


async def carry_through(work: Awaitable[None]) -> None:
    """Wait for the end of something; a cancellation meanwhile comes too late, and is not raised."""
    with suppress(asyncio.CancelledError):
        await wait_to_end(work)
