"""An upsert or a job while it runs, for a thread without an event loop."""

from __future__ import annotations

from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from planhat_async.sync.call_shapes import AsyncRun, HasChunks, HasResult
from planhat_async.sync.loop_thread import LoopThread
from planhat_async.sync.row_feed import RowFeed

RunT_co = TypeVar("RunT_co", bound=AsyncRun, covariant=True)
T = TypeVar("T")


class BlockingRun(Generic[RunT_co]):
    """An upsert or a job, for `with`; iterate over it for the results of chunks as they end.

    Leaving the block ends the run, also by Ctrl-C: what is in flight is cancelled, and `result` then holds every row
    that was taken from the input. While the thread does something else, chunks in flight go on, but no rows are taken
    from an iterator.

    Args:
        thread: Runs it.
        run: The run of the async API.
        feed: Its rows, if they are taken in this thread.
    """

    def __init__(self, thread: LoopThread, run: RunT_co, feed: RowFeed | None = None) -> None:
        self._thread = thread
        self._feed = feed
        self.run: RunT_co = run
        """The run of the async API, whose attributes may be read."""

    @property
    def result(self: BlockingRun[HasResult[T]]) -> T:
        """The outcome of every row so far; complete once the run has ended, however it ended."""
        return self.run.result

    def stop(self) -> None:
        """Send nothing more; what is in flight ends, and its results are handed out. Any thread may call it."""
        self._thread.call_soon(self.run.stop)

    def __enter__(self) -> Self:
        self._call(self.run.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._call(self.run.__aexit__(kind, error, traceback))
        finally:
            if self._feed is not None:
                self._feed.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self: BlockingRun[HasChunks[T]]) -> T:
        found = self._call(_next(self.run))
        if not found:
            raise StopIteration
        return found[0]

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._thread.run(coroutine, None if self._feed is None else self._feed.requests)


async def _next(run: HasChunks[T]) -> tuple[T] | tuple[()]:
    try:
        return (await run.__anext__(),)
    except StopAsyncIteration:
        return ()
