"""What all repositories share: deletion, lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, Generic, TypeVar

from planhat_async._convert import (
    RawRow,
    decode_json,
    decode_record,
    row_id,
    split_rows,
)
from planhat_async._http.retrying import unreadable
from planhat_async._http.wire import Request
from planhat_async.batching.reading import ReadOptions, read_pages
from planhat_async.batching.stitching import Page
from planhat_async.errors import DecodeError, NotFoundError
from planhat_async.keys import path_segment
from planhat_async.models import Record
from planhat_async.queries import (
    LISTING_ONLY,
    Endpoint,
    Options,
    Params,
)
from planhat_async.session import Session

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_ROWS_PER_TURN = 50


class Repository(Generic[R]):
    """What notes, tasks and tickets have in common: deletion, lists.

    Args:
        session: An open session. Repositories are cheap: make as many as you like.
    """

    endpoint: ClassVar[Endpoint]
    """Where the model's endpoint is, and how it lists."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    async def delete(self, key: str) -> None:
        """Delete a record for good.

        It is repeated after a lost answer; that the record is gone by then counts as success.

        Args:
            key: Its `_id`.

        Raises:
            NotFoundError: There is no such record.
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
        """
        return [gone is not None for gone in await self._each(self._delete_found, keys)]

    def _filled_in(self, wire: dict[str, Any]) -> dict[str, Any]:
        """A row with what Planhat needs of a record that is created and the caller need not say."""
        return wire

    async def _page(self, offset: int, limit: int | None, options: Options) -> list[R]:
        """One call, as Planhat answers it."""
        if offset < 0 or (limit is not None and limit < 1):
            raise ValueError(f"offset counts from 0 and limit from 1, not {offset} and {limit}")
        for name in LISTING_ONLY.intersection(options):
            raise TypeError(f"{name} is an option of iter, iter_json, pages and all, not of page")
        queries = self.endpoint.queries(options)
        if not queries:
            return []  # of no company at all
        if len(queries) > 1:
            raise ValueError("too many ids for one call: list them with iter, pages or all")
        most = min(limit or self.endpoint.max_limit, self.endpoint.max_limit)
        page = await self._fetch(queries[0].params, offset, most, is_bulk=False)
        return [self._decode(row, offset + i) for i, row in enumerate(page.rows)]

    def _raw_pages(self, options: Options) -> AsyncGenerator[list[RawRow], None]:
        """The wanted rows of each page; wrong options are refused at once."""
        asked = options.get("page_size")
        read = ReadOptions(
            page_size=self.endpoint.max_limit if asked is None else min(asked, self.endpoint.max_limit),
            default_limit=self.endpoint.default_limit,
            concurrency=options.get("concurrency", 4),
            max_records=options.get("max_records"),
        )
        return read_pages(self._fetch, self.endpoint.queries(options), read)

    def _iter(self, options: Options) -> AsyncGenerator[R, None]:
        return self._decoded(self._raw_pages(options))

    def _iter_json(self, options: Options) -> AsyncGenerator[bytes, None]:
        return _each_row(self._raw_pages(options))

    def _pages(self, options: Options) -> AsyncGenerator[list[R], None]:
        return self._decoded_pages(self._raw_pages(options))

    async def _decoded(self, pages: AsyncGenerator[list[RawRow], None]) -> AsyncGenerator[R, None]:
        position = 0
        async with aclosing(_each_row(pages)) as rows:
            async for row in rows:
                yield self._decode(row, position)
                position += 1

    async def _decoded_pages(self, pages: AsyncGenerator[list[RawRow], None]) -> AsyncGenerator[list[R], None]:
        position = 0
        async with aclosing(pages):
            async for rows in pages:
                page = []
                for row in rows:
                    page.append(self._decode(row, position))
                    position += 1
                    if position % _ROWS_PER_TURN == 0:
                        await asyncio.sleep(0)
                yield page

    async def _fetch(self, params: Params, offset: int, limit: int, *, is_bulk: bool = True) -> Page[RawRow]:
        at = (("offset", str(offset)),) if offset else ()
        query = (*params, ("limit", str(limit)), *at)
        request = Request(method="GET", path=self.endpoint.path, params=query, is_bulk=is_bulk)
        body = (await self._session.send(request)).body
        rows = split_rows(body)
        return Page(
            offset=offset, limit=limit, rows=rows, n_bytes=len(body), first_id=row_id(rows[0]) if rows else None
        )

    def _decode(self, row: bytes | RawRow, position: int | None = None) -> R:
        record: R = decode_record(self.endpoint.record, row, position=position)  # type: ignore[assignment]
        return record

    def _request(self, method: str, key: str, *, body: bytes | None = None) -> Request:
        path = f"{self.endpoint.path}/{path_segment(key)}"
        return Request(method=method, path=path, body=body, is_keyed=True)

    async def _delete_found(self, key: str) -> bool:
        await self.delete(key)
        return True

    async def _each(self, call: Callable[[str], Awaitable[T]], keys: Iterable[str]) -> list[T | None]:
        """Call for each key concurrently; `None` where there is no such record."""

        async def found(key: str) -> T | None:
            try:
                return await call(key)
            except NotFoundError:
                return None

        if isinstance(keys, str):
            raise TypeError("keys are an iterable of keys, not one")
        checked = list(keys)
        for key in checked:
            path_segment(key)
        calls = [asyncio.ensure_future(found(key)) for key in checked]
        try:
            return list(await asyncio.gather(*calls))
        finally:
            for task in calls:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


async def _each_row(pages: AsyncGenerator[list[RawRow], None]) -> AsyncGenerator[bytes, None]:
    """Yield each row's bytes, letting others have the event loop between."""
    async with aclosing(pages):
        async for rows in pages:
            for n_rows, row in enumerate(rows, 1):
                yield bytes(row)
                if n_rows % _ROWS_PER_TURN == 0:
                    await asyncio.sleep(0)
            del rows  # a page counts as long as it is held
