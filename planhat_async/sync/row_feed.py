"""Rows of an iterator for an upsert, taken in the thread that waits for the upsert.

So a generator may itself use the session, a cursor of a database stays in its thread, and a slow iterator does not hold
the event loop. The rows cross in batches: one at a time would cost more than the upsert.
"""

from __future__ import annotations

import asyncio
import io
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any

from planhat_async.sync.waiting_call import Requests

_BATCH = 500


class RowFeed(AsyncIterator[Any]):
    """The rows of an iterator, for one upsert.

    Args:
        rows: The iterator.
    """

    def __init__(self, rows: Iterator[Any]) -> None:
        self.requests: Requests = SimpleQueue()
        """What the thread that waits for the upsert has to call."""
        self._rows = rows
        self._batch: deque[Any] = deque()
        self._end: BaseException | None = None
        self._is_closed = False
        self._is_taking = False
        self._taken: asyncio.Future[None] | None = None

    async def __anext__(self) -> Any:
        while not self._batch:
            if self._end is not None:
                end, self._end = self._end, StopAsyncIteration()
                raise end
            self._taken = asyncio.get_running_loop().create_future()
            self.requests.put(partial(self._take, self._taken))
            await asyncio.wait([self._taken])  # a cancellation leaves the future as it is
        return self._batch.popleft()

    async def aclose(self) -> None:
        """Take no more rows; wait until the one that is being taken is there."""
        self._is_closed = True
        if self._is_taking and self._taken is not None:
            await asyncio.wait([self._taken])

    def rows_taken_ahead(self) -> list[Any]:
        """Remove and return the rows that were taken from the iterator and not yet handed on."""
        ahead, self._batch = [*self._batch], deque()
        return ahead

    def close(self) -> None:
        """Close a generator, as an upsert does at its end."""
        if isinstance(self._rows, Generator):
            self._rows.close()

    def _take(self, taken: asyncio.Future[None]) -> None:
        """Take a batch of rows, in the waiting thread."""
        self._is_taking = True  # before it looks whether the feed is closed, as `aclose` looks in reverse order
        try:
            while not self._is_closed and (n_rows := len(self._batch)) < _BATCH:
                # In one call: Ctrl-C between `next` and `append` would lose the row.
                self._batch.extend(islice(self._rows, 1))
                if len(self._batch) == n_rows:
                    self._end = StopAsyncIteration()
                    break
        except Exception as error:  # noqa: BLE001 - raised where the rows are awaited
            self._end = error
        finally:  # after an interruption too, which ends the upsert
            self._is_taking = False
            with suppress(RuntimeError):  # the loop has ended
                taken.get_loop().call_soon_threadsafe(_settle, taken)


def feed_of(rows: Any) -> RowFeed | None:
    """A feed for an iterator of rows; `None` for what an upsert reads, or refuses, by itself."""
    is_rows = isinstance(rows, Iterator) and not isinstance(rows, io.IOBase)
    return RowFeed(rows) if is_rows and not hasattr(rows, "__arrow_c_stream__") else None


def _settle(taken: asyncio.Future[None]) -> None:
    if not taken.done():
        taken.set_result(None)
