"""Reads whole lists: several queries, page after page, as the rows that are wanted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial

import attrs

from planhat_async._convert import RawRow
from planhat_async.batching.paging import run_pages
from planhat_async.batching.stitching import Page, Stitcher
from planhat_async.queries import Params, Query

FetchPage = Callable[[Params, int, int], Awaitable[Page[RawRow]]]
"""Fetches one page, by the query's parameters, offset and limit."""


@attrs.frozen(kw_only=True)
class ReadOptions:
    """How much is read, and how."""

    page_size: int = attrs.field(validator=attrs.validators.ge(1))
    default_limit: int
    concurrency: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    max_records: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))


async def read_pages(
    fetch: FetchPage, queries: Iterable[Query], options: ReadOptions
) -> AsyncGenerator[list[RawRow], None]:
    """Yield the wanted rows of each page, query after query, in order; at most `max_records` in all."""
    left = options.max_records
    for query in queries:
        if left is not None and left <= 0:
            return
        most = left if query.keep is None else None
        stitcher: Stitcher[RawRow] = Stitcher(
            page_size=options.page_size if most is None else min(most, options.page_size),
            default_limit=options.default_limit,
            max_pages=options.concurrency,
            max_rows=most,
        )
        async with aclosing(run_pages(partial(fetch, query.params), stitcher)) as pages:
            async for page in pages:
                rows = query.wanted(page.rows)[:left]
                del page
                yield rows
                left = None if left is None else left - len(rows)
                del rows
                if left == 0:
                    return
