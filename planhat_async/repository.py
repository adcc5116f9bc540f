"""What all repositories share: deletion, lists."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import aclosing
from typing import Any, ClassVar, Generic, TypeVar

from planhat_async._checks import several, whole
from planhat_async._convert import decode_record, deleted_in, row_ids, split_rows
from planhat_async._http.wire import Request, answered_at
from planhat_async.batching.concurrent_calls import call_each
from planhat_async.batching.list_reader import Batch, FetchPage, ReadOptions, read_batches
from planhat_async.batching.page import Page
from planhat_async.batching.stitcher import OnPageJoin, PageJoin
from planhat_async.errors import DecodeError, NotFoundError
from planhat_async.keys import checked_key, path_segment
from planhat_async.models import Record
from planhat_async.queries import LISTING_ONLY, Endpoint, Options, Params, Query
from planhat_async.session import Session

R = TypeVar("R", bound=Record)
T = TypeVar("T")

OnBad = Callable[[DecodeError], None]

_logger = logging.getLogger("planhat_async.listing")

_CALLS = {"GET": "get", "PUT": "update", "DELETE": "delete"}

_TURN_BYTES = 1 << 17
"""Bytes of rows that are decoded before others have the event loop: about half a millisecond's."""
_RAW_TURN_BYTES = 1 << 18
"""The same for rows that are handed on as they came."""
_MAX_SINGLE_PAGES = 2
"""First pages of a listing's lists that are single calls."""
_KEYS_A_TURN = 500
"""Keys that are checked before others have the event loop."""
_DECODED_A_TURN = 200
"""Rows of a single page that are decoded before others have the event loop."""


class Repository(Generic[R]):
    """What notes, tasks and tickets have in common: deletion, lists.

    Args:
        session: An open session. Repositories are cheap: make as many as you like.
    """

    endpoint: ClassVar[Endpoint]
    """Where the model's endpoint is, and how it lists."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        """The session it uses."""
        return self._session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    async def delete(self, key: str) -> None:
        """Delete a record for good.

        It is repeated after a lost answer; that the record is gone by then counts as success. So does any 2xx whose
        body is the record, a count, a short text such as OK, or empty.

        Args:
            key: Its `_id`; Planhat documents no other.

        Raises:
            NotFoundError: There is no such record.
            DecodeError: The answer is a success that says something else: an error, a page of HTML.
            ValueError: The key is no `_id`.
        """
        await self._delete(key)

    async def _delete(self, key: str, *, is_bulk: bool = False) -> None:
        request = self._request("DELETE", key, is_bulk=is_bulk)
        response = await self._session.send(request)
        try:
            is_deleted = deleted_in(response.body)
        except DecodeError:
            problem = "the answer does not say that the record was deleted"
            raise self._session.unusable(request, response.status, response.body, problem) from None
        if not is_deleted and not response.follows_unknown:
            message = f"DELETE {request.path}: Planhat deleted nothing"
            raise NotFoundError(message, status=200, method="DELETE", path=request.path)

    async def delete_many(self, keys: Iterable[str]) -> list[bool]:
        """Delete records concurrently, at the session's pace.

        All keys are checked before anything is sent. Costs one call per key, in the class of bulk calls unless there
        is but one, and memory for the results. After an error the calls that have not left are dropped; records may
        have been deleted by then.

        Returns:
            For each key, in order, whether there was such a record.

        Raises:
            ValueError: One of the keys is no `_id`.
            TypeError: `keys` is one key, or one of them is not a string.
        """
        return [gone is not None for gone in await self._each(self._delete_found, keys, "DELETE")]

    def _filled_in(self, wire: dict[str, Any]) -> dict[str, Any]:
        """A row with what Planhat needs of a record that is created and the caller need not say."""
        return wire

    async def _page(self, offset: int, limit: int | None, options: Options) -> list[R]:
        """One call, as Planhat answers it."""
        whole(0)("offset", offset)
        whole(1, or_none=True)("limit", limit)
        queries = self.endpoint.queries(options, call="page")
        for name in LISTING_ONLY.intersection(options):
            raise TypeError(f"{name} is an option of iter, iter_json, pages and all, not of page")
        if not queries:
            return []  # of no company at all
        if len(queries) > 1:
            raise ValueError("too many ids for one call: list them with iter, pages or all")
        most = min(limit or self.endpoint.max_limit, self.endpoint.max_limit)
        (query,) = queries
        rows = (await self._fetch(query.params, offset, most, is_bulk=False)).rows
        records = []
        for position, row in enumerate(rows, offset):
            records.append(self._decode(query.shown(row), position))
            if len(records) % _DECODED_A_TURN == 0:
                await asyncio.sleep(0)
        return records

    def _iter(self, options: Options, *, call: str = "iter") -> AsyncGenerator[R, None]:
        return self._decoded(self._batches(options, call=call), self._on_bad(options))

    def _iter_json(self, options: Options) -> AsyncGenerator[bytes, None]:
        return _each_row(self._batches(options, call="iter_json", turn_bytes=_RAW_TURN_BYTES))

    def _pages(self, options: Options) -> AsyncGenerator[list[R], None]:
        return self._decoded_pages(self._batches(options, call="pages"), self._on_bad(options))

    def _batches(self, options: Options, *, call: str, turn_bytes: int = _TURN_BYTES) -> AsyncGenerator[Batch, None]:
        """The wanted rows, a few at a time; wrong options are refused at once."""
        return self._read(self.endpoint.queries(options, call=call), options, turn_bytes=turn_bytes)

    def _read(
        self,
        queries: list[Query],
        options: Options,
        *,
        turn_bytes: int = _TURN_BYTES,
        on_join: OnPageJoin | None = None,
        fetch: FetchPage | None = None,
    ) -> AsyncGenerator[Batch, None]:
        asked, after = options.get("page_size"), options.get("after")
        read = ReadOptions(
            name=f"GET {self.endpoint.path}",
            page_size=self.endpoint.max_limit if asked is None else min(asked, self.endpoint.max_limit),
            default_limit=self.endpoint.default_limit,
            concurrency=options.get("concurrency", 4),
            max_records=options.get("max_records"),
            start_offset=options.get("start_offset", 0),
            after=None if after is None else checked_key(after, by="after", prefixes=()),
            turn_bytes=turn_bytes,
        )
        read.check(queries)
        on_join = on_join or self._count_seam
        fetch = fetch or self._fetching(queries)
        return read_batches(fetch, queries, read, on_join=on_join, on_bad=self._on_bad(options))

    def _count_seam(self, seam: PageJoin) -> None:
        stats = self._session.stats
        setattr(stats, seam.value, getattr(stats, seam.value) + 1)

    def _on_bad(self, options: Options) -> OnBad:
        """What is done with a record that cannot be read."""
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
        for position, row in enumerate(batch.rows, batch.position):
            try:
                record = self._decode(row, position)
            except DecodeError as error:
                on_bad(error)
            else:
                yield record

    def _fetching(self, queries: list[Query]) -> FetchPage:
        """Fetches pages; the first page of a list may be all of it, so for the pace it is a single call.

        Tasks come down to two lists, open and archived. More are asked for by ids, and reading them is a bulk job.
        """
        firsts = {query.params for query in queries[:_MAX_SINGLE_PAGES]}

        async def fetch(params: Params, offset: int, limit: int) -> Page[bytes]:
            is_first = params in firsts
            firsts.discard(params)
            return await self._fetch(params, offset, limit, is_bulk=not is_first)

        return fetch

    async def _fetch(self, params: Params, offset: int, limit: int, *, is_bulk: bool = True) -> Page[bytes]:
        at = (("offset", str(offset)),) if offset else ()
        query = (*params, ("limit", str(limit)), *at)
        request = Request(method="GET", path=self.endpoint.path, params=query, is_bulk=is_bulk)
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
        return Page(offset=offset, limit=limit, rows=rows, ids=known, n_bytes=n_bytes, answered=answered)

    def _decode(self, row: bytes, position: int | None = None) -> R:
        record: R = decode_record(self.endpoint.record, row, position=position)  # type: ignore[assignment]
        return record

    def _request(self, method: str, key: str, *, body: bytes | None = None, is_bulk: bool = False) -> Request:
        path = f"{self.endpoint.path}/{self._segment(method, key)}"
        return Request(method=method, path=path, body=body, is_keyed=True, is_bulk=is_bulk)

    def _segment(self, method: str, key: str) -> str:
        """The key in a path, where the method takes such a key.

        Raises:
            ValueError: It does not: Planhat would answer that there is no such record.
        """
        call = f"{type(self).__name__}.{_CALLS[method]}()"
        return path_segment(key, by=call, prefixes=self.endpoint.key_prefixes.get(method, ()))

    async def _delete_found(self, key: str, *, is_bulk: bool) -> bool:
        await self._delete(key, is_bulk=is_bulk)
        return True

    async def _each(self, call: Callable[..., Awaitable[T]], keys: Iterable[str], method: str) -> list[T | None]:
        """Call for each key concurrently; `None` where there is no such record."""
        checked = await self._checked(keys, method)
        is_bulk = len(checked) > 1

        async def found(key: str) -> T | None:
            try:
                return await call(key, is_bulk=is_bulk)
            except NotFoundError:
                return None

        return await call_each(found, checked, max_at_once=self._session.limits.max_in_flight)

    async def _checked(self, keys: Iterable[str], method: str) -> list[str]:
        """All keys; others have the event loop while they are checked."""
        several("keys", keys, of="keys")
        checked = []
        for key in list(keys) if isinstance(keys, Collection) else keys:
            self._segment(method, key)
            checked.append(key)
            if len(checked) % _KEYS_A_TURN == 0:
                await asyncio.sleep(0)
        return checked


def _drained(pieces: deque[bytes]) -> Iterator[bytes]:
    while pieces:
        yield pieces.popleft()


def _raise(error: DecodeError) -> None:
    raise error


async def _each_row(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(batches):
        async for batch in batches:
            for row in batch.rows:
                yield row
