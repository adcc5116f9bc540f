"""What all repositories share: deletion, lists."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, Generic, TypeVar

from planhat_async._checks import several, whole
from planhat_async._convert import decode_json, decode_record, row_ids, split_rows
from planhat_async._http.retrying import unreadable
from planhat_async._http.wire import Request
from planhat_async.batching.pages import Page
from planhat_async.batching.reading import Batch, ReadOptions, read_batches
from planhat_async.batching.stitching import OnSeam, Seam
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

        It is repeated after a lost answer; that the record is gone by then counts as success.

        Args:
            key: Its `_id`; Planhat documents no other.

        Raises:
            NotFoundError: There is no such record.
            ValueError: The key is no `_id`.
        """
        request = self._request("DELETE", key)
        response = await self._session.send(request)
        try:
            answer = decode_json(response.body) if response.body.strip() else None
        except DecodeError as error:
            raise unreadable(request, error) from None
        deleted_none = isinstance(answer, Mapping) and answer.get("deletedCount") == 0
        if deleted_none and not response.follows_unknown:
            message = f"DELETE {request.path}: Planhat deleted nothing"
            raise NotFoundError(message, status=200, method="DELETE", path=request.path)

    async def delete_many(self, keys: Iterable[str]) -> list[bool]:
        """Delete records concurrently, at the session's pace.

        All keys are checked before anything is sent. After an error the calls that have not left are dropped;
        records may have been deleted by then.

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
        on_seam: OnSeam | None = None,
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
        on_seam = on_seam or self._count_seam
        return read_batches(self._fetch, queries, read, on_seam=on_seam, on_bad=self._on_bad(options))

    def _count_seam(self, seam: Seam) -> None:
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

    async def _fetch(self, params: Params, offset: int, limit: int, *, is_bulk: bool = True) -> Page[bytes]:
        at = (("offset", str(offset)),) if offset else ()
        query = (*params, ("limit", str(limit)), *at)
        request = Request(method="GET", path=self.endpoint.path, params=query, is_bulk=is_bulk)
        response = await self._session.send(request)
        n_bytes, pieces = response.n_bytes, deque(response.pieces)
        del response  # or a page would be held twice while it is split
        rows: list[bytes] = []
        ids: list[bytes] = []
        try:
            for some in split_rows(_drained(pieces)):
                rows += some
                ids += row_ids(some, before=ids[-1] if ids else b"")
                await asyncio.sleep(0)
        except DecodeError as error:
            raise DecodeError(f"GET {self.endpoint.path}: {error}") from None
        return Page(offset=offset, limit=limit, rows=rows, ids=ids if any(ids) else (), n_bytes=n_bytes)

    def _decode(self, row: bytes, position: int | None = None) -> R:
        record: R = decode_record(self.endpoint.record, row, position=position)  # type: ignore[assignment]
        return record

    def _request(self, method: str, key: str, *, body: bytes | None = None) -> Request:
        path = f"{self.endpoint.path}/{self._segment(method, key)}"
        return Request(method=method, path=path, body=body, is_keyed=True)

    def _segment(self, method: str, key: str) -> str:
        """The key in a path, where the method takes such a key.

        Raises:
            ValueError: It does not: Planhat would answer that there is no such record.
        """
        call = f"{type(self).__name__}.{_CALLS[method]}()"
        return path_segment(key, by=call, prefixes=self.endpoint.key_prefixes.get(method, ()))

    async def _delete_found(self, key: str) -> bool:
        await self.delete(key)
        return True

    async def _each(self, call: Callable[[str], Awaitable[T]], keys: Iterable[str], method: str) -> list[T | None]:
        """Call for each key concurrently; `None` where there is no such record."""

        async def found(key: str) -> T | None:
            try:
                return await call(key)
            except NotFoundError:
                return None

        checked = list(several("keys", keys, of="keys"))
        for key in checked:
            self._segment(method, key)
        calls = [asyncio.ensure_future(found(key)) for key in checked]
        try:
            return list(await asyncio.gather(*calls))
        finally:
            for task in calls:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


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
