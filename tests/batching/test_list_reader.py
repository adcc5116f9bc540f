"""Test reading whole lists: several queries, page after page, filtered."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import aclosing
from typing import Any

import attrs
import msgspec
import pytest
from worlds import Counted

from planhat_async._convert import row_id, row_ids
from planhat_async.batching.list_reader import ReadOptions, read_batches
from planhat_async.batching.page import Page
from planhat_async.batching.query import Query
from planhat_async.errors import DecodeError
from planhat_async.records import Params, RowFilter


@attrs.define
class Lists:
    """Lists by name; the `_id` of each row is its position; requested pages are recorded."""

    lengths: dict[str, int]
    asked: list[tuple[str, int, int]] = attrs.field(factory=list)
    bad: list[DecodeError] = attrs.field(factory=list)
    odd: int | None = None
    """The number of the row that is not an object."""

    async def fetch(self, params: Params, offset: int, limit: int) -> Page[bytes]:
        name, direction = params[0][1], dict(params)["sort"]
        self.asked.append((name, offset, limit))
        await asyncio.sleep(0)
        numbers = range(self.lengths[name])[:: -1 if direction.startswith("-") else 1][offset:][:limit]
        rows = [
            msgspec.json.encode({"_id": f"{name}{n:02}", "type": "note" if n % 2 else "email"})
            if n != self.odd
            else b"7"
            for n in numbers
        ]
        return Page(offset=offset, limit=limit, rows=rows, ids=row_ids(rows), n_bytes=sum(map(len, rows)))

    async def read(self, queries: list[Query], **options: Any) -> list[list[str | None]]:
        """Return the `_id`s of each page."""
        chosen: dict[str, Any] = {"name": "GET /a", "page_size": 4, "default_limit": 2, "turn_bytes": 1 << 16} | options
        pages: list[list[str | None]] = [[]]
        batches = read_batches(self.fetch, queries, ReadOptions(**chosen), on_join=Counted(), on_bad=self.bad.append)
        async for batch in batches:
            pages[-1] += [row_id(row) for row in batch.rows]
            pages += [[]] if batch.ends_page else []
        assert pages.pop() == []
        return pages


def query(name: str, keep: RowFilter | None = None) -> Query:
    return Query(filters=(("list", name),), row_filter=keep, required_fields=(("type", "type"),))


def ids(name: str, *numbers: int) -> list[str]:
    return [f"{name}{n:02}" for n in numbers]


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def test_queries_are_read_one_after_the_other() -> None:
    """Each query is read to its end; an empty one costs one call."""
    lists = Lists({"a": 5, "b": 0, "c": 1})
    pages = await lists.read([query("a"), query("b"), query("c")], concurrency=1)
    assert pages == [ids("a", 0, 1, 2, 3), ids("a", 4), ids("c", 0)]
    assert sorted(lists.asked) == [("a", 0, 2), ("a", 0, 4), ("a", 3, 4), ("b", 0, 4), ("c", 0, 4)]


async def test_no_query_reads_nothing() -> None:
    """Without ids to list by, no call is made."""
    lists = Lists({})
    assert (await lists.read([]), lists.asked) == ([], [])


async def test_only_selected_rows_are_yielded() -> None:
    """The reader applies filters that Planhat lacks; a page may be empty afterwards."""
    lists = Lists({"a": 5})
    pages = await lists.read([query("a", lambda row: row.type == "note")])
    assert pages == [ids("a", 1, 3), []]


async def test_each_query_keeps_its_own_rows() -> None:
    """The filter of one list does not apply to the next."""
    lists = Lists({"a": 1, "b": 1})
    assert await lists.read([query("a", lambda row: row.type == "note"), query("b")]) == [[], ids("b", 0)]


@pytest.mark.parametrize(
    ("most", "pages", "asked"),
    [
        (0, [], []),
        (1, [[0]], [(0, 1)]),
        (3, [[0, 1, 2]], [(0, 3)]),
        (4, [[0, 1, 2, 3]], [(0, 4)]),
        (5, [[0, 1, 2, 3], [4]], [(0, 4), (3, 2)]),
        (7, [[0, 1, 2, 3], [4, 5, 6]], [(0, 4), (3, 4)]),
    ],
)
async def test_no_more_records_are_read_than_requested(
    most: int, pages: list[list[int]], asked: list[tuple[int, int]]
) -> None:
    """No page is fetched after the one that holds the last requested record."""
    lists = Lists({"a": 40})
    assert await lists.read([query("a"), query("b")], max_records=most) == [ids("a", *page) for page in pages]
    assert lists.asked == [("a", *one) for one in asked]


async def test_the_maximum_number_of_records_applies_to_all_queries() -> None:
    """A later query yields only as many records as the ones before it left over."""
    lists = Lists({"a": 3, "b": 9})
    assert await lists.read([query("a"), query("b")], max_records=5) == [ids("a", 0, 1, 2), ids("b", 0, 1)]
    assert [(name, offset) for name, offset, _ in lists.asked] == [("a", 0), ("a", 2), ("b", 0)]
    assert lists.asked[-1] == ("b", 0, 2)


async def test_only_selected_rows_count() -> None:
    """Pages are read until enough of their rows are selected."""
    lists = Lists({"a": 40})
    pages = await lists.read([query("a", lambda row: row.type == "note")], max_records=3, concurrency=1)
    assert pages == [ids("a", 1, 3), ids("a", 5)]
    assert sorted(lists.asked) == [("a", 0, 2), ("a", 0, 4), ("a", 3, 4)]


async def test_a_maximum_of_no_records_makes_no_call() -> None:
    """This holds for filtered rows, too."""
    lists = Lists({"a": 4})
    assert await lists.read([query("a", lambda row: row.type == "note")], max_records=0) == []
    assert lists.asked == []


async def test_closing_early_leaves_no_task_running() -> None:
    """Closing the reader cancels pages in flight."""
    lists = Lists({"a": 400})
    options = ReadOptions(name="GET /a", page_size=4, default_limit=2, turn_bytes=1 << 16)
    batches = read_batches(lists.fetch, [query("a")], options, on_join=Counted(), on_bad=lists.bad.append)
    async with aclosing(batches) as pages:
        for _ in range(3):
            await anext(pages)
        assert others() != set()
    assert others() == set()


async def test_the_error_of_an_unreadable_row_is_raised_in_its_place() -> None:
    """The rows before it are yielded; the row itself is neither kept nor skipped silently."""
    lists, read = Lists({"a": 10}, odd=8), list[str | None]()

    def stop(error: DecodeError) -> None:
        raise error

    async def read_all() -> None:
        options = ReadOptions(name="GET /a", page_size=20, default_limit=20, turn_bytes=1 << 16)
        query_a = query("a", lambda row: row.type == "note")
        async for batch in read_batches(lists.fetch, [query_a], options, on_join=Counted(), on_bad=stop):
            read.extend(row_id(row) for row in batch.rows)

    with pytest.raises(DecodeError) as caught:
        await read_all()
    assert (read, caught.value.position) == (ids("a", 1, 3, 5, 7), 4)


async def test_a_row_beyond_the_maximum_is_not_decoded() -> None:
    """Enough rows come before it."""
    lists = Lists({"a": 10}, odd=8)
    pages = await lists.read([query("a", lambda row: row.type == "note")], max_records=4, page_size=20)
    assert (pages, lists.bad) == ([ids("a", 1, 3, 5, 7)], [])


async def test_a_skipped_row_counts() -> None:
    """It counts as one of the records read."""
    lists = Lists({"a": 10}, odd=2)
    pages = await lists.read([query("a", lambda row: row.type == "note")], max_records=3, page_size=20)
    assert (pages, len(lists.bad)) == ([ids("a", 1, 3)], 1)


async def test_a_page_is_yielded_in_batches() -> None:
    """Each batch fits one turn of the event loop; the last one ends the page."""
    lists, options = Lists({"a": 10}), ReadOptions(name="GET /a", page_size=20, default_limit=20, turn_bytes=90)
    batches = read_batches(lists.fetch, [query("a")], options, on_join=Counted(), on_bad=lists.bad.append)
    turns = [(len(batch.rows), batch.ends_page) async for batch in batches]
    assert turns == [(4, False), (4, False), (2, False), (0, True)]


async def test_reading_can_begin_at_a_later_row() -> None:
    """Reading begins at an offset, or after an `_id` at a guessed offset."""
    lists = Lists({"a": 10})
    assert await lists.read([query("a")], start_offset=7, default_limit=9) == [ids("a", 7, 8, 9)]
    assert await lists.read([query("a")], after="a05", default_limit=5) == [ids("a", 6), ids("a", 7, 8, 9)]
    assert await lists.read([query("a")], after="a05", start_offset=6, default_limit=9) == [
        ids("a", 6, 7, 8),
        ids("a", 9),
    ]


@pytest.mark.parametrize(
    ("queries", "options", "message"),
    [
        ([query("a"), query("b")], {"start_offset": 1}, "belong to one list, and this listing comes down to 2"),
        ([query("a"), query("b")], {"after": "a"}, "belong to one list"),
        ([Query(sort="-_id")], {"after": "a"}, "not one with a sort"),
    ],
)
def test_an_impossible_start_is_refused(queries: list[Query], options: dict[str, Any], message: str) -> None:
    """Reading would begin at another row."""
    with pytest.raises(ValueError, match=message):
        ReadOptions(name="GET /a", page_size=4, default_limit=2, turn_bytes=1, **options).check_queries(queries)


@pytest.mark.parametrize("wrong", [{"page_size": 0}, {"concurrency": 0}, {"max_records": -1}, {"start_offset": -1}])
def test_options_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    """The message names the option."""
    chosen: dict[str, Any] = {"name": "GET /a", "page_size": 1, "default_limit": 1, "turn_bytes": 1} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReadOptions(**chosen)


async def test_each_batch_has_its_position() -> None:
    """Unreadable rows are counted; otherwise the second error would name the wrong record."""
    lists = Lists({"a": 10, "b": 2}, odd=2)
    options = ReadOptions(name="GET /a", page_size=20, default_limit=20, turn_bytes=1 << 16)
    queries = [query("a", lambda row: row.type == "note"), query("b")]
    batches = read_batches(lists.fetch, queries, options, on_join=Counted(), on_bad=lists.bad.append)
    places = [(batch.position, len(batch.rows)) async for batch in batches if batch.rows]
    assert (places, [error.position for error in lists.bad]) == ([(0, 1), (2, 4), (6, 2)], [1])


async def test_fields_that_are_not_selected_are_not_yielded() -> None:
    """This holds for unfiltered rows, too."""
    lists = Lists({"a": 1})
    options = ReadOptions(name="GET /a", page_size=20, default_limit=20, turn_bytes=1 << 16)
    bare = Query(filters=(("list", "a"),), fetched_only=frozenset({"_id"}))
    batches = read_batches(lists.fetch, [bare], options, on_join=Counted(), on_bad=lists.bad.append)
    assert [row async for batch in batches for row in batch.rows] == [b'{"type":"email"}']


async def test_a_page_that_was_read_is_released() -> None:
    """It is released before the next one is requested, so that memory stays bounded."""

    class Rows(list[bytes]):
        """Rows that support weak references."""

    lists, watched, n_alive = Lists({"a": 9}), list[weakref.ref[Rows]](), list[int]()

    async def fetch(params: Params, offset: int, limit: int) -> Page[bytes]:
        if not dict(params)["sort"].startswith("-"):
            n_alive.append(sum(ref() is not None for ref in watched))
        page = await lists.fetch(params, offset, limit)
        rows = Rows(page.rows)
        watched.append(weakref.ref(rows))
        return attrs.evolve(page, rows=rows)

    options = ReadOptions(name="GET /a", page_size=4, default_limit=2, turn_bytes=1, concurrency=1)
    batches = read_batches(fetch, [query("a")], options, on_join=Counted(), on_bad=lists.bad.append)
    assert len([row async for batch in batches for row in batch.rows]) == 9
    assert n_alive == [0, 0, 0]


@pytest.mark.parametrize(
    "wrong", [{"page_size": 2.5}, {"concurrency": 1.5}, {"max_records": "3"}, {"start_offset": None}]
)
def test_options_of_the_wrong_type_are_refused(wrong: dict[str, Any]) -> None:
    """They are refused at once, and the message names the option."""
    chosen: dict[str, Any] = {"name": "GET /a", "page_size": 1, "default_limit": 1, "turn_bytes": 1} | wrong
    with pytest.raises(TypeError, match=next(iter(wrong))):
        ReadOptions(**chosen)
