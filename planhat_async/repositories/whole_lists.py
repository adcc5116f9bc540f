"""The capability to list records that Planhat answers all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from planhat_async.batching.list_reader import Batch
from planhat_async.batching.query import Query
from planhat_async.records import Record
from planhat_async.records.arguments import whole
from planhat_async.repositories.lists import Lists
from planhat_async.repositories.options import WholeListOptions
from planhat_async.repositories.queries import Options, check_options, known_options, queries_of

R = TypeVar("R", bound=Record)

_ROWS_A_TURN = 300
"""Rows after which other tasks run."""


class WholeLists(Lists[R]):
    """Lists a model's records with one call, which has no `limit`, `offset`, `sort` or `select`.

    The answer is held in memory as bytes; records are decoded from it a few at a time.
    """

    async def page(self, *, offset: int = 0, limit: int | None = None, **options: Any) -> list[R]:
        """Some records of the list. Costs one call, which answers the whole list.

        Args:
            offset: The number of records to skip at the front of the list.
            limit: The number of records; all by default.
            **options: The model's filters.

        Raises:
            TypeError: An unknown option, or a value of the wrong type.
            ValueError: A number out of bounds.
            DecodeError: The answer, or a record in it, cannot be decoded.
            RequestError: The call failed, after all retries.
        """
        whole(0)("offset", offset)
        whole(1, or_none=True)("limit", limit)
        most = None if limit is None else offset + limit
        return (await self.all(**options, max_records=most))[offset:]

    def _batches(
        self,
        options: Options,
        *,
        call: str,
        turn_bytes: int = 0,  # noqa: ARG002 - rows are small
    ) -> AsyncGenerator[Batch, None]:
        check_options(options, known_options(self.model, WholeListOptions), call=self._call(call))
        return self._read_whole(queries_of(self.model, options), options.get("max_records"))

    async def _read_whole(self, queries: list[Query], most: int | None) -> AsyncGenerator[Batch, None]:
        n_read = 0
        for query in queries:
            rows = (await self._fetch(query.filters)).rows
            rows = rows if most is None else rows[: most - n_read]
            for start in range(0, len(rows), _ROWS_A_TURN):
                yield Batch(rows[start : start + _ROWS_A_TURN], n_read)
                n_read += len(rows[start : start + _ROWS_A_TURN])
                await asyncio.sleep(0)
            yield Batch((), n_read, ends_page=True)
