"""Rows of a source that makes its reader wait, read in a thread, so that the event loop does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

_ROWS_AT_A_TIME = 100


class Pumped:
    """The rows of another source, read in a thread of their own, a few ahead.

    The thread does not hold up the program's end, also where it waits for a pipe that nobody writes to.
    """

    def __init__(self, source: Iterable[Any], description: Mapping[str, Any]) -> None:
        self._source = source
        self._description = description

    def description(self) -> Mapping[str, Any]:
        """What a rerun must find unchanged."""
        return self._description

    async def __aiter__(self) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        batches: asyncio.Queue[list[Any] | BaseException] = asyncio.Queue(maxsize=2)

        def hand_on(batch: list[Any] | BaseException) -> None:
            asyncio.run_coroutine_threadsafe(batches.put(batch), loop).result()

        def pump() -> None:
            # A loop that is closed, or a reader that has gone, takes nothing more.
            with suppress(RuntimeError, asyncio.CancelledError):
                try:
                    for batch in _batches(self._source):
                        hand_on(batch)
                    hand_on([])
                except Exception as error:  # noqa: BLE001 - it is raised where the rows are awaited
                    hand_on(error)

        threading.Thread(target=pump, daemon=True, name="source").start()
        while batch := await batches.get():
            if isinstance(batch, BaseException):
                raise batch
            for row in batch:
                yield row


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _ROWS_AT_A_TIME)):
        yield batch
