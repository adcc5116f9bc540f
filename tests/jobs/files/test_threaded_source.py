"""Test rows that are read in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from planhat_async.jobs.files.threaded_source import ThreadedSource


class Source:
    """Counts the rows read from it, and records when it is closed."""

    def __init__(self, n_rows: int, *, error: Exception | None = None) -> None:
        self.n_rows, self.error = n_rows, error
        self.n_taken = 0
        self.is_closed = threading.Event()
        self.thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[int]:
        self.thread = threading.current_thread()
        try:
            for n in range(self.n_rows):
                self.n_taken += 1
                yield n
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed.set()

    async def wait_until_closed(self) -> None:
        """Wait until it is closed and its thread has ended."""
        assert await asyncio.to_thread(self.is_closed.wait, 10)
        assert self.thread is not None
        await asyncio.to_thread(self.thread.join, 10)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("n_rows", [0, 1, 100, 1234])
async def test_all_rows_come_in_order_and_the_thread_ends(n_rows: int) -> None:
    """This holds for any number of rows, and for sources that are not generators."""
    source = Source(n_rows)
    for rows in (source, range(n_rows)):
        assert [row async for row in ThreadedSource(rows, {})] == list(range(n_rows))
    await source.wait_until_closed()


async def test_an_error_of_the_source_is_raised_after_its_rows() -> None:
    """It is raised where the rows are awaited, after the thread has ended."""
    source = Source(150, error=OSError("gone"))
    rows = aiter(ThreadedSource(source, {}))
    assert [await anext(rows) for _ in range(150)] == list(range(150))
    with pytest.raises(OSError, match="gone"):
        await anext(rows)
    await source.wait_until_closed()


@pytest.mark.parametrize("n_read", [1, 100, 101, 450])
async def test_an_abandoned_source_is_closed_and_its_thread_ends(n_read: int) -> None:
    """The thread reads only a few batches ahead."""
    source = Source(1_000_000)
    rows = aiter(ThreadedSource(source, {}))
    for _ in range(n_read):
        await anext(rows)
    await rows.aclose()  # type: ignore[attr-defined]
    await source.wait_until_closed()
    assert source.n_taken <= n_read + 500


async def test_the_thread_of_a_cancelled_reader_ends() -> None:
    """It ends even while it waits for the first row."""
    going_on = threading.Event()

    def slow() -> Iterator[int]:
        going_on.wait(60)
        yield from source

    source = Source(1_000_000)

    async def read() -> None:
        async for _ in ThreadedSource(slow(), {}):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    going_on.set()
    await source.wait_until_closed()


def test_the_thread_ends_silently_after_its_event_loop() -> None:
    """The source is closed."""
    source = Source(1_000_000)

    async def main() -> None:
        async for _ in ThreadedSource(source, {}):
            return

    asyncio.run(main())
    assert source.is_closed.wait(60)
