"""Runs page requests ahead of the reader, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from typing import Any

from planhat_async.batching.page import Ask, Id, Page, Row
from planhat_async.batching.stitcher import Stitcher

Fetch = Callable[[int, int], Awaitable[Page[Row]]]
"""Fetches one page by offset and limit."""
FetchNewest = Callable[[], Awaitable[Sequence[Id]]]
"""Fetches the first `_id`s of the list in descending order."""


async def fetch_pages(
    fetch: Fetch[Row], fetch_newest: FetchNewest, stitcher: Stitcher[Row]
) -> AsyncGenerator[Sequence[Row], None]:
    """Yield the new rows of a list's pages, in order, while later pages are fetched.

    At most `stitcher.max_pages` pages are requested or in memory, including the one being read. However the reader
    leaves, no task is left running.
    """
    pages: dict[Ask, asyncio.Task[Page[Row]]] = {}
    newest: asyncio.Task[Sequence[Id]] | None = None
    try:
        while not stitcher.is_over:
            plan = await _follow(stitcher.plan(), fetch, pages)
            if newest is not None:
                stitcher.end_at_newest(await newest)
                newest = None
                continue
            rows = stitcher.accept(await pages[plan[0]])
            if stitcher.wants_newest:
                newest = asyncio.ensure_future(fetch_newest())
            if rows:
                await _follow(stitcher.plan(is_reading=True), fetch, pages)
                yield rows
            del rows  # free the page: the next one may take long
    finally:
        await _cancel([*pages.values(), *([] if newest is None else [newest])])


async def _follow(plan: Sequence[Ask], fetch: Fetch[Row], pages: dict[Ask, asyncio.Task[Page[Row]]]) -> Sequence[Ask]:
    """Request the pages of the plan, and cancel those that are no longer in it."""
    await _cancel([pages.pop(ask) for ask in pages.keys() - plan])
    for ask in plan:
        if ask not in pages:
            pages[ask] = asyncio.ensure_future(fetch(ask.offset, ask.limit))
    return plan


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
