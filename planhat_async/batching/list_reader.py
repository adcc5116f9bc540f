"""Reads whole lists: several queries, page after page, as the rows that are wanted, a few at a time."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import accumulate

import attrs

from planhat_async.batching.page import Id, Page
from planhat_async.batching.page_fetcher import fetch_pages
from planhat_async.batching.query import ID, Query
from planhat_async.batching.stitcher import OnPageJoin, Stitcher
from planhat_async.errors import DecodeError
from planhat_async.records import Params
from planhat_async.records.arguments import valid, whole

FetchPage = Callable[[Params, int, int], Awaitable[Page[bytes]]]
"""Fetches one page, by the query's parameters, offset and limit."""

_ROWS_A_TURN = 300
"""Rows in a turn of the event loop, however small they are."""


@attrs.frozen(kw_only=True)
class ReadOptions:
    """How much is read, and how."""

    name: str
    """The list's, for messages."""
    page_size: int = attrs.field(validator=valid(whole(1)))
    default_limit: int
    concurrency: int = attrs.field(default=4, validator=valid(whole(1)))
    max_records: int | None = attrs.field(default=None, validator=valid(whole(0, or_none=True)))
    start_offset: int = attrs.field(default=0, validator=valid(whole(0)))
    after: str | None = None
    turn_bytes: int
    """Bytes of rows after which others have the event loop."""

    def check(self, queries: Sequence[Query]) -> None:
        """Refuse to begin anywhere else than at the beginning where that has no meaning.

        Raises:
            ValueError: There are several lists, or `_id`s do not tell how far one has come.
        """
        if len(queries) > 1 and (self.start_offset or self.after is not None):
            raise ValueError(
                f"start_offset and after belong to one list, and this listing comes down to {len(queries)}: read them "
                "one by one (with archived=False, then archived=True; fewer ids at once)"
            )
        if self.after is not None and any(query.sort != ID for query in queries):
            raise ValueError("after tells how far a listing in the default order had come, not one with a sort")

    def stitcher(self, query: Query, on_join: OnPageJoin, *, most: int | None) -> Stitcher[bytes]:
        """The plan for one of the lists, of which `most` rows are wanted."""
        return Stitcher(
            name=self.name,
            page_size=self.page_size,
            default_limit=self.default_limit,
            max_pages=self.concurrency,
            on_join=on_join,
            is_by_id=query.sort == ID,
            max_rows=most,
            start=self.start_offset,
            after=None if self.after is None else self.after.encode(),
        )


@attrs.frozen
class Batch:
    """Some rows of a page."""

    rows: Sequence[bytes]
    position: int
    """How many records the listing handed out, or could not read, before them."""
    ends_page: bool = False


async def read_batches(
    fetch: FetchPage,
    queries: Sequence[Query],
    options: ReadOptions,
    *,
    on_join: OnPageJoin,
    on_bad: Callable[[DecodeError], None],
) -> AsyncGenerator[Batch, None]:
    """Yield the wanted rows, query after query, in order; at most `max_records` in all.

    Args:
        fetch: Fetches a page.
        queries: The lists to read.
        options: How much is read.
        on_join: Called when a join of two pages is worth counting.
        on_bad: Called with what is wrong with a row that cannot be judged, once those before it were yielded.
    """
    count = _Count(options.max_records)
    for query in queries:
        if count.is_full:
            return
        stitcher = options.stitcher(query, on_join, most=count.left if query.row_filter is None else None)
        pages = fetch_pages(partial(fetch, query.params), partial(_newest, fetch, query), stitcher)
        async with aclosing(pages):
            async for page in pages:
                rows: Sequence[bytes] = ()
                for rows in _turns(page, options.turn_bytes):
                    for batch in _batches(rows, query, count, on_bad):
                        yield batch
                    if count.is_full:
                        break
                    await asyncio.sleep(0)
                yield Batch((), count.n_read, ends_page=True)
                if count.is_full:
                    return
                del page, rows  # a page counts as long as it is held


@attrs.define
class _Count:
    """How many records were read, and how many may be."""

    most: int | None
    n_read: int = 0

    @property
    def left(self) -> int | None:
        """How many more are wanted; `None` for all."""
        return None if self.most is None else self.most - self.n_read

    @property
    def is_full(self) -> bool:
        """Whether no more are."""
        return self.most is not None and self.n_read >= self.most


async def _newest(fetch: FetchPage, query: Query) -> Sequence[Id]:
    return (await fetch(query.newest_params, 0, 2)).ids


def _turns(page: Sequence[bytes], turn_bytes: int) -> Iterator[Sequence[bytes]]:
    """Cut a page where others should have the event loop."""
    start = 0
    while start < len(page):
        turn = page[start : start + _ROWS_A_TURN]
        # Only as far as the turn goes: a look at a row that was long in memory costs more than its sum.
        end = bisect_left(list(accumulate(map(len, turn))), turn_bytes) + 1
        yield turn if end >= len(turn) else turn[:end]
        start += min(end, len(turn))


def _batches(
    rows: Sequence[bytes], query: Query, count: _Count, on_bad: Callable[[DecodeError], None]
) -> Iterator[Batch]:
    """Yield what is wanted of some rows, as far as it is, and tell of what cannot be judged in its place."""
    for judged in _judged(rows, query, count.left):
        if isinstance(judged, DecodeError):
            judged.position = count.n_read
            on_bad(judged)
            count.n_read += 1
        elif judged:
            yield Batch(judged, count.n_read)
            count.n_read += len(judged)


def _judged(rows: Sequence[bytes], query: Query, left: int | None) -> Iterator[Sequence[bytes] | DecodeError]:
    """Yield the wanted ones of some rows, at most `left`, and in its place what is wrong with one of them."""
    if query.row_filter is None and not query.fetched_only:
        yield rows[:left]
        return
    wanted: list[bytes] = []
    for row in rows:
        if left is not None and len(wanted) >= left:
            break
        try:
            as_wanted = query.select_row(row)
        except DecodeError as error:
            yield wanted
            left = None if left is None else left - len(wanted) - 1
            wanted = []
            yield error
        else:
            wanted += [] if as_wanted is None else [as_wanted]
    yield wanted
