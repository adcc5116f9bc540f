"""Test that pages are fetched ahead of their reader, and in order."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Any

import attrs
import pytest
from event_loops import counts_steps
from worlds import Counted, id_of

from planhat_async.batching.page import Page
from planhat_async.batching.page_fetcher import fetch_pages
from planhat_async.batching.stitcher import Stitcher
from planhat_async.errors import DecodeError, ServerError


@attrs.define
class Server:
    """A list of numbers in pages; each page takes some turns of the event loop."""

    n_rows: int
    turns: list[int] = attrs.field(factory=lambda: [1])
    fails_at: int | None = None
    asked: list[int] = attrs.field(factory=list)
    n_newest: int = 0
    n_running: int = 0
    most_running: int = 0
    most_pages: int = 0
    pages: list[weakref.ref[Rows]] = attrs.field(factory=list)
    shifts: dict[int, int] = attrs.field(factory=dict)
    """The number of rows removed in front when the page at an offset is requested."""

    async def fetch(self, offset: int, limit: int) -> Page[int]:
        n_turns = self.turns[len(self.asked) % len(self.turns)]
        self.asked.append(offset)
        self.n_running += 1
        self.most_running = max(self.most_running, self.n_running)
        self.note_pages()
        try:
            for _ in range(n_turns):
                await asyncio.sleep(0)
        finally:
            self.n_running -= 1
        if offset == self.fails_at:
            raise ServerError("down", status=503)
        rows = Rows(range(self.n_rows)[offset + self.shifts.get(offset, 0) :][:limit])
        self.pages.append(weakref.ref(rows))
        return Page(offset=offset, limit=limit, rows=rows, ids=[id_of(row) for row in rows], n_bytes=1)

    async def newest(self) -> list[bytes]:
        self.n_newest += 1
        await asyncio.sleep(0)
        return [id_of(row) for row in (self.n_rows - 1, self.n_rows - 2) if row >= 0]

    def note_pages(self) -> None:
        n_held = sum(ref() is not None for ref in self.pages)
        self.most_pages = max(self.most_pages, n_held + self.n_running)

    def stitcher(self, *, page_size: int = 4, max_pages: int = 4, max_rows: int | None = None) -> Stitcher[int]:
        return Stitcher(
            name="GET /a",
            page_size=page_size,
            default_limit=1,
            max_pages=max_pages,
            max_rows=max_rows,
            on_join=Counted(),
        )

    def read(self, stitcher: Stitcher[int]) -> AsyncGenerator[Sequence[int], None]:
        return fetch_pages(self.fetch, self.newest, stitcher)


class Rows(list[int]):
    """Rows of a page that support weak references."""

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        return _Part(found, self) if isinstance(where, slice) else found


class _Part(list[int]):
    """A part of a page, which keeps the page alive."""

    def __init__(self, rows: list[int], page: Rows) -> None:
        super().__init__(rows)
        self.page = page


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def rows_of(server: Server, stitcher: Stitcher[int]) -> list[int]:
    async with asyncio.timeout(60):
        return [row async for rows in server.read(stitcher) for row in rows]


async def note_rows(server: Server, read: list[int]) -> None:
    async for rows in server.read(server.stitcher()):
        read += rows


@pytest.mark.parametrize("n_rows", [0, 1, 3, 4, 30, 31])
@pytest.mark.parametrize("max_pages", [1, 2, 4])
@pytest.mark.parametrize("turns", [[1], [9, 1, 5, 0]])
async def test_rows_are_yielded_in_order(n_rows: int, max_pages: int, turns: list[int]) -> None:
    """Every row is yielded once, however long each page takes."""
    server = Server(n_rows, turns)
    rows = await rows_of(server, server.stitcher(max_pages=max_pages))
    assert (rows, others()) == (list(range(n_rows)), set())


async def test_a_short_list_is_one_call() -> None:
    """Most lists are short, so only the first page is requested."""
    server = Server(2)
    stitcher: Stitcher[int] = Stitcher(name="GET /a", page_size=10, default_limit=5, max_pages=4, on_join=Counted())
    assert (await rows_of(server, stitcher), server.asked, server.n_newest) == ([0, 1], [0], 0)


@counts_steps
async def test_the_newest_row_is_requested_once() -> None:
    """It is requested with the second page, and it ends the list."""
    server = Server(8, turns=[0, 3])
    assert await rows_of(server, server.stitcher(max_pages=2)) == list(range(8))
    assert (server.n_newest, server.asked) == (1, [0, 3, 6])


@pytest.mark.parametrize("max_pages", [1, 2, 4])
async def test_as_many_pages_are_fetched_ahead_as_allowed(max_pages: int) -> None:
    """The bound is reached and never exceeded."""
    server = Server(60, turns=[5])
    await rows_of(server, server.stitcher(max_pages=max_pages))
    assert server.most_running == max_pages


@counts_steps
@pytest.mark.parametrize("max_pages", [1, 2, 4])
async def test_no_more_pages_are_held_than_allowed(max_pages: int) -> None:
    """The current page counts; a page is released before the next one is requested."""
    server = Server(60, turns=[5, 2, 0], shifts={12: 1, 15: 1})
    generator = server.read(server.stitcher(max_pages=max_pages))
    with suppress(StopAsyncIteration):
        while True:
            rows = await anext(generator)
            server.note_pages()
            del rows
    assert server.most_pages == max_pages


async def test_the_current_page_counts_towards_the_bound() -> None:
    """While the reader is busy, one page fewer is in flight."""
    server = Server(60)
    asked = []
    async with aclosing(server.read(server.stitcher(max_pages=3))) as pages:
        async for rows in pages:
            for _ in range(20):
                await asyncio.sleep(0)
            asked.append((rows[0], max(server.asked)))
            if len(asked) == 5:
                break
    assert asked == [(0, 3), (4, 9), (7, 12), (10, 15), (13, 18)]


@counts_steps
async def test_a_fetched_page_is_kept_during_a_repair() -> None:
    """Rows deleted meanwhile cost one more call."""
    server = Server(60, shifts={12: 1})
    assert await rows_of(server, server.stitcher(max_pages=3)) == list(range(60))
    assert len(server.asked) == len(set(server.asked))
    assert 11 in server.asked


async def test_closing_cancels_pages_in_flight() -> None:
    """No fetch outlives the reader."""
    server = Server(60, turns=[0, 0, 50])
    async with aclosing(server.read(server.stitcher())) as pages:
        await anext(pages)
        await anext(pages)
        assert others() != set()
    assert (server.n_running, others()) == (0, set())


@pytest.mark.parametrize("fails_at", [0, 3, 9])
async def test_an_error_reaches_the_reader_in_its_place(fails_at: int) -> None:
    """Pages before it are read, and pages in flight after it are cancelled."""
    server = Server(60, turns=[1, 5, 0, 50], fails_at=fails_at)
    read: list[int] = []
    with pytest.raises(ServerError):
        await note_rows(server, read)
    assert (read, server.n_running, others()) == (list(range(fails_at + (fails_at > 0))), 0, set())


async def test_an_error_of_the_newest_row_reaches_the_reader() -> None:
    """The request for the newest row fails like any other call."""
    server = Server(60)

    async def newest() -> list[bytes]:
        raise ServerError("down", status=503)

    with pytest.raises(ServerError):
        async for _ in fetch_pages(server.fetch, newest, server.stitcher()):
            pass
    assert others() == set()


async def test_the_error_of_an_unread_page_is_not_reported() -> None:
    """A page after the last row read may fail; its exception is not logged as never retrieved."""
    server = Server(60, fails_at=6)
    async with aclosing(server.read(server.stitcher())) as pages:
        await anext(pages)
        await anext(pages)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (max(server.asked) >= 6, others()) == (True, set())


async def test_a_cancelled_reader_leaves_no_task_running() -> None:
    """The reader may be cancelled at every await."""
    for n_turns in range(60):
        server = Server(30, turns=[2, 5, 1], shifts={6: 2})
        task = asyncio.create_task(rows_of(server, server.stitcher()))
        for _ in range(n_turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert (n_turns, server.n_running, others()) == (n_turns, 0, set())


@counts_steps
async def test_pages_after_a_short_page_are_cancelled() -> None:
    """The reader neither waits for them nor yields them."""
    server = Server(60, turns=[0, 0, 50, 50, 0])
    whole = server.fetch

    async def fetch(offset: int, limit: int) -> Page[int]:
        page = await whole(offset, limit)
        return attrs.evolve(page, rows=page.rows[:3], ids=page.ids[:3]) if offset == 3 else page

    read: list[int] = []
    async with asyncio.timeout(60):
        async for rows in fetch_pages(fetch, server.newest, server.stitcher()):
            read += rows
            if len(read) == 6:
                assert server.n_running == 0
            if len(read) > 6:
                break
    assert read == list(range(len(read)))


@pytest.mark.parametrize("max_rows", [0, 1, 4, 5, 8])
async def test_pages_beyond_the_maximum_are_not_fetched(max_rows: int) -> None:
    """The maximum number of rows bounds the pages; 0 fetches no page."""
    server = Server(60)
    rows = await rows_of(server, server.stitcher(max_rows=max_rows))
    assert (rows, server.asked) == (
        list(range(max_rows)),
        [offset for offset in (0, 3, 6) if offset + (offset > 0) < max_rows],
    )


async def test_a_server_that_ignores_the_offset_is_an_error() -> None:
    """The stitcher's error reaches the reader, and no task is left running."""
    server = Server(60)

    async def fetch(offset: int, limit: int) -> Page[int]:
        return attrs.evolve(await server.fetch(0, limit), offset=offset)

    with pytest.raises(DecodeError):
        async for _ in fetch_pages(fetch, server.newest, server.stitcher()):
            pass
    assert others() == set()


@counts_steps
async def test_closing_cancels_the_request_for_the_newest_row() -> None:
    """A late answer reaches no waiting task."""
    server = Server(60)

    async def newest() -> list[bytes]:
        await asyncio.get_running_loop().create_future()
        return []

    async with aclosing(fetch_pages(server.fetch, newest, server.stitcher())) as pages:
        await anext(pages)
        await asyncio.sleep(0)
        assert len(others()) > 1
    assert others() == set()
