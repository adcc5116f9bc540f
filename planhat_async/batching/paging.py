"""Runs page requests ahead of the reader, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from planhat_async.batching.stitching import Page, Stitcher

Row = TypeVar("Row")

Fetch = Callable[[int, int], Awaitable[Page[Row]]]
"""Fetches one page by offset and limit."""


async def run_pages(fetch: Fetch[Row], stitcher: Stitcher[Row]) -> AsyncGenerator[Page[Row], None]:
    """Yield a list's pages in order, while later ones are fetched.

    At most `stitcher.max_pages` pages are on their way or in memory, the one being read included. However the
    reader leaves, nothing is left running.
    """
    ahead: deque[asyncio.Task[Page[Row]]] = deque()
    try:
        while not stitcher.is_over:
            _ask(fetch, stitcher, ahead, n_read=0)
            if not ahead:
                return
            page = await ahead[0]
            ahead.popleft()
            if not stitcher.accept(page):
                await _cancel(ahead)
            _ask(fetch, stitcher, ahead, n_read=1)
            yield page
            del page  # it counts as long as it is held, and the next one may be long in coming
    finally:
        await _cancel(ahead)


def _ask(fetch: Fetch[Row], stitcher: Stitcher[Row], ahead: deque[asyncio.Task[Page[Row]]], *, n_read: int) -> None:
    while (asked := stitcher.next_page(len(ahead) + n_read)) is not None:
        ahead.append(asyncio.ensure_future(fetch(*asked)))


async def _cancel(tasks: deque[asyncio.Task[Page[Row]]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()
