"""Rows of a source that makes its reader wait, read in a thread, so that the event loop does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

_Batch: TypeAlias = list[Any] | BaseException
"""A batch of rows; an empty one at the end of the source, or the error that ended it."""
_ROWS_AT_A_TIME = 100
_BATCHES_AHEAD = 2


class ThreadedSource:
    """The rows of another source, read in a thread of their own, a few ahead.

    The thread does not keep the program from ending, also while it waits for a pipe without a writer. If the iteration
    ends early, the thread ends after the current read, and closes the source.
    """

    def __init__(self, source: Iterable[Any], description: Mapping[str, Any]) -> None:
        self._source = source
        self._description = description

    def description(self) -> Mapping[str, Any]:
        """What a rerun must find unchanged."""
        return self._description

    async def __aiter__(self) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        batches: asyncio.Queue[_Batch] = asyncio.Queue()
        room, is_left = threading.Semaphore(_BATCHES_AHEAD), threading.Event()

        def hand_on(batch: _Batch) -> bool:
            """Hand on a batch once there is room; returns whether more may be wanted."""
            room.acquire()
            if is_left.is_set():
                room.release()  # for the next call, which must not wait either
                return False
            with suppress(RuntimeError):  # a loop that is closed takes nothing more
                loop.call_soon_threadsafe(batches.put_nowait, batch)
            return not loop.is_closed()

        threading.Thread(target=_pump, args=(self._source, hand_on), daemon=True, name="source").start()
        try:
            while batch := await batches.get():
                room.release()
                if isinstance(batch, BaseException):
                    raise batch
                for row in batch:
                    yield row
        finally:
            is_left.set()
            room.release()


def _pump(source: Iterable[Any], hand_on: Callable[[_Batch], bool]) -> None:
    """Pass on a source's rows in batches, then an empty batch or the error that ended it; close an abandoned source."""
    batch: list[Any] = []
    end: _Batch = []
    try:
        rows = iter(source)
        for row in rows:
            batch.append(row)
            if len(batch) >= _ROWS_AT_A_TIME:
                if not hand_on(batch):
                    break
                batch = []
        if isinstance(rows, Generator):
            rows.close()
    except Exception as error:  # noqa: BLE001 - it is raised where the rows are awaited
        end = error
    if batch:
        hand_on(batch)
    hand_on(end)
