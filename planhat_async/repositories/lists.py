"""The capability to list a model's records."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any, TypeVar, cast

from planhat_async._convert import decode_records, row_ids, split_rows
from planhat_async._http.wire import Request, answered_at
from planhat_async.batching.list_reader import Batch, FetchPage, ReadOptions, read_batches
from planhat_async.batching.page import Page
from planhat_async.batching.query import Query
from planhat_async.batching.stitcher import OnPageJoin, PageJoin
from planhat_async.errors import DecodeError
from planhat_async.records import PageLimits, Params, Record
from planhat_async.records.arguments import whole
from planhat_async.records.keys import checked_key
from planhat_async.repositories.arrow_lists import ArrowLists
from planhat_async.repositories.queries import Options, page_query, queries_of

R = TypeVar("R", bound=Record)

OnBad = Callable[[DecodeError], None]

_logger = logging.getLogger("planhat_async.listing")

_TURN_BYTES = 1 << 17
"""Bytes of rows that are decoded before other tasks run: about half a millisecond."""
_RAW_TURN_BYTES = 1 << 18
"""The same for rows that are yielded as JSON."""
_MAX_SINGLE_PAGES = 2
"""The lists of a listing whose first pages are single calls."""
_DECODED_A_TURN = 200
"""Rows of a single page that are decoded before other tasks run."""


class Lists(ArrowLists[R]):
    """Lists a model's records ("List" in Planhat's documentation of each model).

    Each model's repository states the options that its lists take, for type checkers and editors.
    """

    async def page(self, *, offset: int = 0, limit: int | None = None, **options: Any) -> list[R]:
        """Read one page of the model's list. Costs one call.

        It is a single call for the pace, so it does not wait behind listings.

        Args:
            offset: The number of records to skip at the front of the list.
            limit: The number of records; by default, and at most, the model's maximum.
            **options: The model's page options.

        Raises:
            TypeError: An unknown option, an option of listings, or a value of the wrong type.
            ValueError: An unknown field, a malformed id, too many ids for one call, a number out of bounds.
            DecodeError: The answer, or a record in it, cannot be decoded.
            RequestError: The call failed, after all retries.
        """
        whole(0)("offset", offset)
        whole(1, or_none=True)("limit", limit)
        query = page_query(self.model, options, call=self._call("page"))
        if query is None:
            return []  # a filter by no company at all
        most = min(limit or self._limits.most, self._limits.most)
        rows = (await self._fetch(query.params, offset, most, is_bulk=False)).rows
        records = []
        for position, row in enumerate(rows, offset):
            records.append(self._decode(query.project(row), position))
            if len(records) % _DECODED_A_TURN == 0:
                await asyncio.sleep(0)
        return records

    def iter(self, **options: Any) -> AsyncGenerator[R, None]:
        """Yield records in order, while pages are fetched ahead.

        In the default order, by `_id`, each record that exists throughout the listing is yielded exactly once, even if
        others create and delete records meanwhile. Costs one call per page, and a few more for a long list or after
        rows moved; at most `concurrency` pages are in memory, and the event loop is blocked for a few milliseconds at
        a time. To leave it early, close it, for example with `contextlib.aclosing`.

        Args:
            **options: The model's listing options.

        Raises:
            TypeError: An unknown option or a value of the wrong type; raised at once, like `ValueError`.
            ValueError: An unknown field, a malformed id, a number out of bounds, `after` or `start_offset` for several
                lists.
            DecodeError: A record cannot be decoded (`on_bad_record` skips such records), or the pages do not advance.
            RequestError: A call failed, after all retries; the records before it were yielded.
        """
        return self._iter(options)

    def iter_json(self, **options: Any) -> AsyncGenerator[bytes, None]:
        """Like `iter`, but yields each record's JSON, for exports, at a fraction of the cost.

        The bytes are those of Planhat's answer, unless a filter needs a field that `select` leaves out: such a record
        is encoded again without the field.
        """
        return each_row(self._batches(options, call="iter_json", turn_bytes=_RAW_TURN_BYTES))

    def pages(self, **options: Any) -> AsyncGenerator[list[R], None]:
        """Like `iter`, but yields a list of records for each page.

        A list may be empty if the filter leaves out every row of a page. While that many records exist, Python's
        garbage collector may block the event loop for tens of milliseconds; with `iter` it does not.
        """
        return self._decoded_pages(self._batches(options, call="pages"), self._on_bad(options))

    async def all(self, **options: Any) -> list[R]:
        """Like `iter`, but returns all records in one list; memory grows with their number.

        While that many records exist, Python's garbage collector may block the event loop for a long time.
        """
        return [record async for record in self._iter(options, call="all")]

    @property
    def _limits(self) -> PageLimits:
        if self.model.limits is None:
            raise TypeError(f"{self.model.name} have no pages")
        return self.model.limits

    def _iter(self, options: Options, *, call: str = "iter") -> AsyncGenerator[R, None]:
        return self._decoded(self._batches(options, call=call), self._on_bad(options))

    def _batches(self, options: Options, *, call: str, turn_bytes: int = _TURN_BYTES) -> AsyncGenerator[Batch, None]:
        """The selected rows, a few at a time; wrong options are refused at once."""
        return self._read(queries_of(self.model, options, call=self._call(call)), options, turn_bytes=turn_bytes)

    def _read(
        self,
        queries: list[Query],
        options: Options,
        *,
        turn_bytes: int = _TURN_BYTES,
        on_join: OnPageJoin | None = None,
        fetch: FetchPage | None = None,
    ) -> AsyncGenerator[Batch, None]:
        limits = self._limits
        asked, after = options.get("page_size"), options.get("after")
        read = ReadOptions(
            name=f"GET {self.model.path}",
            page_size=limits.most if asked is None else min(asked, limits.most),
            default_limit=limits.default,
            after=None if after is None else checked_key(after, by="after", prefixes=()),
            turn_bytes=turn_bytes,
            **{name: options[name] for name in ("concurrency", "max_records", "start_offset") if name in options},
        )
        read.check_queries(queries)
        on_join = on_join or self._count_join
        fetch = fetch or self._fetching(queries)
        return read_batches(fetch, queries, read, on_join=on_join, on_bad=self._on_bad(options))

    def _count_join(self, join: PageJoin) -> None:
        stats = self._session.stats
        match join:
            case PageJoin.REPAIRED:
                stats.joins_repaired += 1
            case PageJoin.BROKEN:
                stats.joins_broken += 1
            case PageJoin.UNSORTED:
                stats.sorts_ignored += 1

    def _on_bad(self, options: Options) -> OnBad:
        """The handler of a record that cannot be decoded."""
        return self._skip if options.get("on_bad_record") == "skip" else _raise

    def _skip(self, error: DecodeError) -> None:
        self._session.stats.records_skipped += 1
        _logger.warning("skipped: %s", error)

    async def _decoded(self, batches: AsyncGenerator[Batch, None], on_bad: OnBad) -> AsyncGenerator[R, None]:
        async with aclosing(batches):
            async for batch in batches:
                for record in self._records(batch, on_bad):
                    yield record

    async def _decoded_pages(
        self, batches: AsyncGenerator[Batch, None], on_bad: OnBad
    ) -> AsyncGenerator[list[R], None]:
        page: list[R] = []
        async with aclosing(batches):
            async for batch in batches:
                page += self._records(batch, on_bad)
                if batch.ends_page:
                    yield page
                    page = []

    def _records(self, batch: Batch, on_bad: OnBad) -> Iterator[R]:
        return cast(
            "Iterator[R]", decode_records(self.model.record, batch.rows, position=batch.position, on_bad=on_bad)
        )

    def _fetching(self, queries: list[Query]) -> FetchPage:
        """A function that fetches pages; a first page may be the only one, so for the pace it is a single call.

        That holds for two lists, such as open and archived tasks; a listing of more lists, by many ids, is a bulk job.
        """
        firsts = {query.params for query in queries[:_MAX_SINGLE_PAGES]}

        async def fetch(params: Params, offset: int, limit: int) -> Page[bytes]:
            is_first = params in firsts
            firsts.discard(params)
            return await self._fetch(params, offset, limit, is_bulk=not is_first)

        return fetch

    async def _fetch(
        self, params: Params, offset: int = 0, limit: int | None = None, *, is_bulk: bool = True
    ) -> Page[bytes]:
        """One page; the whole list without a limit."""
        place = (("limit", limit), ("offset", offset or None))
        query = (*params, *((name, str(value)) for name, value in place if value is not None))
        request = Request(method="GET", path=self.model.path, params=query, is_bulk=is_bulk)
        response = await self._session.send(request)
        status, n_bytes, pieces = response.status, response.n_bytes, deque(response.pieces)
        answered, beginning = answered_at(response), pieces[0][:4096] if pieces else b""
        del response  # or a page would be held twice while it is split
        rows: list[bytes] = []
        ids: list[bytes] = []
        try:
            for some in split_rows(_drained(pieces)):
                rows += some
                ids += row_ids(some, before=ids[-1] if ids else b"")
                await asyncio.sleep(0)
        except DecodeError:
            raise self._session.unusable(request, status, beginning, "the answer is not a list") from None
        known = ids if any(ids) else ()
        return Page(offset=offset, limit=limit or len(rows), rows=rows, ids=known, n_bytes=n_bytes, answered=answered)


def _drained(pieces: deque[bytes]) -> Iterator[bytes]:
    while pieces:
        yield pieces.popleft()


def _raise(error: DecodeError) -> None:
    raise error


async def each_row(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[bytes, None]:
    """Yield the JSON of each record."""
    async with aclosing(batches):
        async for batch in batches:
            for row in batch.rows:
                yield row
