"""Reads whole lists: several queries, page after page, as the rows that are wanted, a few at a time."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import accumulate

import attrs
from attrs.validators import ge, optional

from planhat_async.batching.paging import run_pages
from planhat_async.batching.stitching import Id, Page, Seams, Stitcher
from planhat_async.errors import DecodeError
from planhat_async.queries import BY_ID, Params, Query

FetchPage = Callable[[Params, int, int], Awaitable[Page[bytes]]]
"""Fetches one page, by the query's parameters, offset and limit."""


_MAX_ROWS = 1000
"""Rows in a turn of the event loop, however small they are."""


@attrs.frozen(kw_only=True)
class ReadOptions:
    """How much is read, and how."""

    page_size: int = attrs.field(validator=ge(1))
    default_limit: int
    concurrency: int = attrs.field(default=4, validator=ge(1))
    max_records: int | None = attrs.field(default=None, validator=optional(ge(0)))
    start_offset: int = attrs.field(default=0, validator=ge(0))
    after: str | None = None
    turn_bytes: int = 1 << 16
    """Bytes of rows after which others have the event loop."""

    def check(self, queries: Sequence[Query]) -> None:
        """Refuse to begin anywhere else than at the beginning where that has no meaning.

        Raises:
            ValueError: There are several lists, or `_id`s do not tell how far one has come.
        """
        if len(queries) > 1 and (self.start_offset or self.after is not None):
            raise ValueError(
                f"start_offset and after belong to one list, and this listing comes down to {len(queries)}: "
                "read them one by one (tasks with archived=False, then with archived=True)"
            )
        if self.after is not None and not re.fullmatch("[0-9a-z]+", self.after):
            raise ValueError(f"after is the _id of a record, in lower case, not {self.after!r}")
        if self.after is not None and any(query.sort != BY_ID for query in queries):
            raise ValueError("after tells how far a listing in the default order had come, not one with a sort")

    def stitcher(self, query: Query, seams: Seams, *, most: int | None) -> Stitcher[bytes]:
        """The plan for one of the lists, of which `most` rows are wanted."""
        return Stitcher(
            page_size=self.page_size,
            default_limit=self.default_limit,
            max_pages=self.concurrency,
            seams=seams,
            is_by_id=query.sort == BY_ID,
            max_rows=most,
            start=self.start_offset,
            after=None if self.after is None else self.after.encode(),
        )


@attrs.frozen
class Batch:
    """Some rows of a page."""

    rows: Sequence[bytes]
    ends_page: bool


async def read_batches(
    fetch: FetchPage,
    queries: Sequence[Query],
    options: ReadOptions,
    *,
    seams: Seams,
    on_bad: Callable[[DecodeError], None],
) -> AsyncGenerator[Batch, None]:
    """Yield the wanted rows, query after query, in order; at most `max_records` in all.

    Args:
        fetch: Fetches a page.
        queries: The lists to read.
        options: How much is read.
        seams: Where it is counted how pages met.
        on_bad: Called with what is wrong with a row that cannot be judged, once those before it were yielded.
    """
    left, position = options.max_records, 0
    for query in queries:
        if left is not None and left <= 0:
            return
        stitcher = options.stitcher(query, seams, most=left if query.keep is None else None)
        pages = run_pages(partial(fetch, query.params), partial(_newest, fetch, query), stitcher)
        async with aclosing(pages):
            async for page in pages:
                for rows, is_end in _turns(page, options.turn_bytes):
                    for judged in _judged(rows, query, left):
                        n_rows = 1 if isinstance(judged, DecodeError) else len(judged)
                        left = None if left is None else left - n_rows
                        if isinstance(judged, DecodeError):
                            judged.position = position
                            on_bad(judged)
                        elif judged:
                            yield Batch(judged, ends_page=False)
                        position += n_rows
                    if is_end or left == 0:
                        yield Batch((), ends_page=True)
                    if left == 0:
                        return
                    await asyncio.sleep(0)
                del page, rows  # a page counts as long as it is held


async def _newest(fetch: FetchPage, query: Query) -> Sequence[Id]:
    return (await fetch(query.newest_params, 0, 2)).ids


def _turns(page: Sequence[bytes], turn_bytes: int) -> Iterator[tuple[Sequence[bytes], bool]]:
    """Cut a page where others should have the event loop, and say which part is its last."""
    ends = list(accumulate(map(len, page)))
    start = n_bytes = 0
    while start < len(page):
        end = min(bisect_left(ends, n_bytes + turn_bytes, start) + 1, start + _MAX_ROWS)
        yield page[start:end], end >= len(page)
        start, n_bytes = end, ends[min(end, len(page)) - 1]


def _judged(rows: Sequence[bytes], query: Query, left: int | None) -> Iterator[Sequence[bytes] | DecodeError]:
    """Yield the wanted ones of some rows, at most `left`, and in its place what is wrong with one of them."""
    if query.keep is None and not query.unwanted:
        yield rows[:left]
        return
    wanted: list[bytes] = []
    for row in rows:
        if left is not None and len(wanted) >= left:
            break
        try:
            as_wanted = query.wanted(row)
        except DecodeError as error:
            yield wanted
            left = None if left is None else left - len(wanted) - 1
            wanted = []
            yield error
        else:
            wanted += [] if as_wanted is None else [as_wanted]
    yield wanted
