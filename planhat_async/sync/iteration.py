"""The items of an async iterator, for a thread without an event loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from planhat_async.repositories import UpdatedSince
from planhat_async.sync.loop_thread import LoopThread
from planhat_async.sync.row_feed import RowFeed

T = TypeVar("T")

RECORDS_A_BLOCK = 50
"""With 500 it takes twice the CPU time: so many objects leave the CPU's caches, and meet the garbage collector."""
ROWS_A_BLOCK = 500
"""The same for records as JSON, which the garbage collector does not see."""


class Iteration(Iterator[T]):
    """The items, which cross between the threads in blocks.

    An error is raised after the items before it. An iteration that is left early is closed when it is deleted, which
    for a loop is at once; `close` and `with` do so too, and wait. Several threads may share it: each item goes to one
    of them.

    Args:
        thread: Runs the iterator.
        items: The async iterator.
        block: Items that are taken at a time: 1 where each is to arrive as soon as it is there.
        feed: The rows of the iterator's own input, if they are taken in this thread while it waits.
    """

    def __init__(
        self, thread: LoopThread, items: AsyncIterator[T], *, block: int = 1, feed: RowFeed | None = None
    ) -> None:
        self._thread = thread
        self._items = items
        self._most = block
        self._feed = feed
        self._opening = thread.n_openings
        self._ready: deque[T] = deque()
        self._refill = threading.RLock()
        self._error: BaseException | None = None
        self._has_ended = False

    def __next__(self) -> T:
        while True:
            try:
                return self._ready.popleft()
            except IndexError:
                with self._refill:
                    if not self._ready:
                        self._fetch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Finalisers run in any thread, at any time: this one neither waits nor needs a lock.
        if not getattr(self, "_has_ended", True):
            self._thread.close_soon(self._items)

    def close(self) -> None:
        """Leave the iteration; when this returns, nothing of it is left on the event loop."""
        with self._refill:  # another thread may take a block
            self._ready.clear()
            if not self._has_ended:
                self._thread.close(self._items)
                self._note_end()

    def _fetch(self) -> None:
        """Take the next block of items, or raise what ended the iteration."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if self._has_ended:
            raise StopIteration
        if self._thread.n_openings != self._opening:
            raise RuntimeError("the iteration ended when its session was closed: begin another one")
        try:
            requests = None if self._feed is None else self._feed.requests
            found, end = self._thread.run(_block(self._items, self._most), requests)
        except BaseException:
            self.close()
            raise
        self._ready.extend(found)
        if end is not None:
            self._error = end
            self._note_end()

    def _note_end(self) -> None:
        self._has_ended = True
        if self._feed is not None:
            self._feed.close()


class UpdatedWalk(Iteration[T]):
    """The records that changed since a time; see `ListsUpdated.iter_updated_since`."""

    def __init__(self, thread: LoopThread, walk: UpdatedSince[T]) -> None:
        super().__init__(thread, walk, block=RECORDS_A_BLOCK)
        self._walk = walk
        self._since = walk.next_since
        self._is_complete = self._was_left = False

    def __next__(self) -> T:
        try:
            return super().__next__()
        except StopIteration:
            self._is_complete = not self._was_left
            raise

    def close(self) -> None:
        """Leave the walk; unless it is complete, `next_since` stays the walk's own start."""
        self._was_left = not self._is_complete
        super().close()

    @property
    def next_since(self) -> datetime:
        """The time from which the next walk has to begin; the walk's own until its last record was taken."""
        return self._walk.next_since if self._is_complete else self._since


async def _block(items: AsyncIterator[T], most: int) -> tuple[list[T], BaseException | None]:
    """Some of the items, and what ended them."""
    found: list[T] = []
    try:
        async for item in items:
            found.append(item)
            if len(found) >= most:
                return found, None
    except Exception as error:  # noqa: BLE001 - raised after the items
        return found, error
    return found, StopIteration()
