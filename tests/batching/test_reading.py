"""Whole lists: several queries, page after page, as the rows that are wanted."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import attrs
import msgspec
import pytest

from planhat_async._convert import RawRow, row_id, split_rows
from planhat_async.batching.reading import ReadOptions, read_pages
from planhat_async.batching.stitching import Page
from planhat_async.errors import DecodeError
from planhat_async.queries import Keep, Params, Query


@attrs.define
class Lists:
    """Lists by name, as rows whose `_id`s say where they stand; notes which pages were asked for."""

    lengths: dict[str, int]
    asked: list[tuple[str, int, int]] = attrs.field(factory=list)

    async def fetch(self, params: Params, offset: int, limit: int) -> Page[RawRow]:
        ((_, name),) = params
        self.asked.append((name, offset, limit))
        await asyncio.sleep(0)
        numbers = range(self.lengths[name])[offset:][:limit]
        rows = [{"_id": f"{name}{n}", "type": "note" if n % 2 else "email"} for n in numbers]
        body = msgspec.json.encode(rows)
        return Page(
            offset=offset,
            limit=limit,
            rows=split_rows(body),
            n_bytes=len(body),
            first_id=f"{name}{numbers[0]}" if rows else None,
        )

    async def read(self, queries: list[Query], **options: int | None) -> list[list[str | None]]:
        """The `_id`s of each page."""
        chosen: dict[str, Any] = {"page_size": 4, "default_limit": 2} | options
        return [[row_id(row) for row in rows] async for rows in read_pages(self.fetch, queries, ReadOptions(**chosen))]


def query(name: str, keep: Keep | None = None) -> Query:
    return Query(params=(("list", name),), keep=keep)


def ids(name: str, *numbers: int) -> list[str]:
    return [f"{name}{n}" for n in numbers]


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def test_queries_are_read_one_after_the_other() -> None:
    """Each to its end, in order, and an empty one costs one call."""
    lists = Lists({"a": 5, "b": 0, "c": 1})
    pages = await lists.read([query("a"), query("b"), query("c")], concurrency=1)
    assert pages == [ids("a", 0, 1, 2, 3), ids("a", 4), [], ids("c", 0)]
    assert lists.asked == [("a", 0, 4), ("a", 4, 4), ("b", 0, 4), ("c", 0, 4)]


async def test_no_query_reads_nothing() -> None:
    """No ids to list by, no call."""
    lists = Lists({})
    assert (await lists.read([]), lists.asked) == ([], [])


async def test_only_wanted_rows_are_yielded() -> None:
    """What Planhat cannot filter is left out here; a page may come out empty."""
    lists = Lists({"a": 5})
    pages = await lists.read([query("a", lambda row: row.type == "note")])
    assert pages == [ids("a", 1, 3), []]


async def test_each_query_keeps_its_own_rows() -> None:
    """A filter of one list does not touch the next."""
    lists = Lists({"a": 1, "b": 1})
    assert await lists.read([query("a", lambda row: row.type == "note"), query("b")]) == [[], ids("b", 0)]


@pytest.mark.parametrize(
    ("most", "pages", "asked"),
    [
        (0, [], []),
        (1, [[0]], [(0, 1)]),
        (3, [[0, 1, 2]], [(0, 3)]),
        (4, [[0, 1, 2, 3]], [(0, 4)]),
        (5, [[0, 1, 2, 3], [4]], [(0, 4), (4, 4)]),
        (8, [[0, 1, 2, 3], [4, 5, 6, 7]], [(0, 4), (4, 4)]),
    ],
)
async def test_no_more_records_are_read_than_wanted(
    most: int, pages: list[list[int]], asked: list[tuple[int, int]]
) -> None:
    """Nor asked for, beyond the page that holds the last one."""
    lists = Lists({"a": 40})
    assert await lists.read([query("a"), query("b")], max_records=most) == [ids("a", *page) for page in pages]
    assert lists.asked == [("a", *one) for one in asked]


async def test_the_records_wanted_are_counted_over_all_queries() -> None:
    """A later query gives only what the ones before it left to give."""
    lists = Lists({"a": 3, "b": 9})
    assert await lists.read([query("a"), query("b")], max_records=5) == [ids("a", 0, 1, 2), [], ids("b", 0, 1)]
    assert [(name, offset) for name, offset, _ in lists.asked] == [("a", 0), ("a", 3), ("b", 0)]
    assert lists.asked[-1] == ("b", 0, 2)


async def test_only_wanted_rows_count() -> None:
    """Pages are read until enough of their rows are wanted."""
    lists = Lists({"a": 40})
    pages = await lists.read([query("a", lambda row: row.type == "note")], max_records=3, concurrency=1)
    assert (pages, lists.asked) == ([ids("a", 1, 3), ids("a", 5)], [("a", 0, 4), ("a", 4, 4)])


async def test_leaving_early_leaves_nothing_running() -> None:
    """Pages on their way are ended with the reader."""
    lists = Lists({"a": 400})
    options = ReadOptions(page_size=4, default_limit=2)
    async with aclosing(read_pages(lists.fetch, [query("a")], options)) as pages:
        for _ in range(3):
            await anext(pages)
        assert others() != set()
    assert others() == set()


async def test_a_row_whose_flags_cannot_be_read_is_an_error() -> None:
    """It is neither kept nor left out silently."""

    async def fetch(_params: Params, offset: int, limit: int) -> Page[RawRow]:
        return Page(offset=offset, limit=limit, rows=split_rows(b'[{"_id":"x","type":7}]'), n_bytes=9, first_id="x")

    options = ReadOptions(page_size=4, default_limit=2)
    with pytest.raises(DecodeError) as caught:
        async for _ in read_pages(fetch, [query("a", lambda row: row.type == "note")], options):
            pass
    assert caught.value.id == "x"


@pytest.mark.parametrize("wrong", [{"page_size": 0}, {"concurrency": 0}, {"max_records": -1}])
def test_options_out_of_bounds_are_refused(wrong: dict[str, int]) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReadOptions(**{"page_size": 1, "default_limit": 1} | wrong)
