"""Reads whole lists: query after query, page after page; yields the selected rows, a few at a time."""

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
"""Rows after which other tasks run, however small the rows are."""


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
    """Bytes of rows after which other tasks run."""

    def check_queries(self, queries: Sequence[Query]) -> None:
        """Refuse a starting place that several lists, or a list in another order, cannot have.

        Raises:
            ValueError: There are several lists, or the list is not in the order of `_id`s.
        """
        if len(queries) > 1 and (self.start_offset or self.after is not None):
            raise ValueError(
                f"start_offset and after belong to one list, and this listing comes down to {len(queries)}: read them "
                "one by one (with archived=False, then archived=True; fewer ids at once)"
            )
        if self.after is not None and any(query.sort != ID for query in queries):
            raise ValueError("after resumes a list in the default order: leave out sort")

    def stitcher(self, query: Query, on_join: OnPageJoin, *, most: int | None) -> Stitcher[bytes]:
        """The plan for one of the lists, at most `most` rows of it."""
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
    """The number of records before them that the listing yielded or could not read."""
    ends_page: bool = False


async def read_batches(
    fetch: FetchPage,
    queries: Sequence[Query],
    options: ReadOptions,
    *,
    on_join: OnPageJoin,
    on_bad: Callable[[DecodeError], None],
) -> AsyncGenerator[Batch, None]:
    """Yield the selected rows, query after query, in order; at most `max_records` in all.

    Args:
        fetch: Fetches a page.
        queries: The lists to read.
        options: How much is read.
        on_join: Called when a join of two pages is worth counting.
        on_bad: Called with the error of a row that the filter cannot read, after the rows before it were yielded.
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
                del page, rows  # free the page before the next one


@attrs.define
class _Count:
    """The number of records read, and its maximum."""

    most: int | None
    n_read: int = 0

    @property
    def left(self) -> int | None:
        """The number of records still to be read; `None` for all."""
        return None if self.most is None else self.most - self.n_read

    @property
    def is_full(self) -> bool:
        """Whether the maximum is reached."""
        return self.most is not None and self.n_read >= self.most


async def _newest(fetch: FetchPage, query: Query) -> Sequence[Id]:
    return (await fetch(query.newest_params, 0, 2)).ids


def _turns(page: Sequence[bytes], turn_bytes: int) -> Iterator[Sequence[bytes]]:
    """Cut a page where other tasks should run."""
    start = 0
    while start < len(page):
        turn = page[start : start + _ROWS_A_TURN]
        # Only as far as the turn goes: touching a row that has left the CPU's caches costs more than adding its length.
        end = bisect_left(list(accumulate(map(len, turn))), turn_bytes) + 1
        yield turn if end >= len(turn) else turn[:end]
        start += min(end, len(turn))


def _batches(
    rows: Sequence[bytes], query: Query, count: _Count, on_bad: Callable[[DecodeError], None]
) -> Iterator[Batch]:
    """Yield the selected rows as batches; report a row that the filter cannot read in its place."""
    for judged in _judged(rows, query, count.left):
        if isinstance(judged, DecodeError):
            judged.position = count.n_read
            on_bad(judged)
            count.n_read += 1
        elif judged:
            yield Batch(judged, count.n_read)
            count.n_read += len(judged)


def _judged(rows: Sequence[bytes], query: Query, left: int | None) -> Iterator[Sequence[bytes] | DecodeError]:
    """Yield the selected rows, at most `left`; a row that the filter cannot read as its error, in its place."""
    if query.row_filter is None and not query.fetched_only:
        yield rows[:left]
        return
    selected: list[bytes] = []
    for row in rows:
        if left is not None and len(selected) >= left:
            break
        try:
            projected = query.select_row(row)
        except DecodeError as error:
            yield selected
            left = None if left is None else left - len(selected) - 1
            selected = []
            yield error
        else:
            selected += [] if projected is None else [projected]
    yield selected
