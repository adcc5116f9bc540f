"""Concurrent calls: one for each of many items, a bounded number at a time; and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
T = TypeVar("T")


async def call_each(call: Callable[[Item], Awaitable[T]], items: Sequence[Item], *, max_at_once: int) -> list[T]:
    """The results of all calls, in the order of the items.

    No call is left running: after an error or a cancellation, the calls in progress are cancelled and the rest are
    never begun.

    Raises:
        Exception: The first error of a call.
    """
    results: dict[int, T] = {}
    numbered = enumerate(items)

    async def work() -> None:
        for number, item in numbered:
            results[number] = await call(item)

    workers = [asyncio.ensure_future(work()) for _ in range(min(max_at_once, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[number] for number in range(len(items))]


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> bool:
    """Cancel tasks and wait for their end; returns whether this task was cancelled meanwhile."""
    is_cancelled = False
    tasks = list(tasks)
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError:
            is_cancelled = True
    return is_cancelled
