"""The capability to list the records that changed since a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal, TypedDict, TypeVar

import attrs

from planhat_async.batching.changes import ChangedSince
from planhat_async.batching.list_reader import Batch, FetchPage
from planhat_async.batching.query import Query
from planhat_async.batching.stitcher import PageJoin
from planhat_async.records import Record
from planhat_async.records.arguments import number
from planhat_async.repositories.lists import Lists, each_row
from planhat_async.repositories.queries import Options, check_options, queries_of
from planhat_async.repositories.update_walk import ServerClock, UpdatedSince

R = TypeVar("R", bound=Record)
T = TypeVar("T")

ReadBatches = Callable[[AsyncGenerator[Batch, None]], AsyncGenerator[T, None]]


class UpdatedSinceOptions(TypedDict, total=False):
    """The options of every walk over changed records, besides the model's filters."""

    select: Iterable[str] | None
    """The fields to fetch, in either spelling; all by default."""
    page_size: int | None
    """Records per call; 2,000 by default."""
    concurrency: int
    """Pages that may be requested or in memory at once; 1 by default, because most walks end early."""
    on_bad_record: Literal["raise", "skip"]
    """What to do with a record that cannot be decoded: raise `DecodeError` (the default), or count, log and skip it.

    The next walk does not yield a skipped record either, unless it changes.
    """


class ListsUpdated(Lists[R]):
    """Lists the changed records of a model that can be sorted by `updated_at`."""

    def iter_updated_since(self, since: datetime, *, margin: float = 300.0, **options: Any) -> UpdatedSince[R]:
        """Yield the records that changed at `since` or later.

        Reads each list with `sort=-updatedAt` ("List" in Planhat's documentation) to the end of the page with the first
        older record, so a walk that finds few records costs one call per list. The order is checked: if the server
        ignores the sort, the whole list is read; if it orders records with equal times anew for each call, the walk has
        to be repeated. Deleted records are not seen, nor records without `updated_at` after the first older one.

        Pass `next_since` of the returned object to the next walk. A record may come in two walks, but none is missed:
        the start of a walk is taken from this machine's clock or the `Date` of the first answer, whichever is earlier.
        (If answers have no `Date`, `margin` must cover the seconds by which the clock is ahead.)

        Args:
            since: An aware time: the `next_since` of the walk before.
            margin: Seconds by which `next_since` lies before the start of this walk.
            **options: `UpdatedSinceOptions`, and the model's filters.

        Raises:
            TypeError: `since` is not a time, or an unknown option.
            ValueError: A time without a zone, a negative margin, an unknown field, a malformed id.
            DecodeError: As `iter`; `next_since` stays `since`.
            RequestError: As `iter`; `next_since` stays `since`.
        """
        on_bad = self._on_bad(options)
        return self._updated_since(
            since, margin, options, call="iter_updated_since", read=lambda batches: self._decoded(batches, on_bad)
        )

    def iter_json_updated_since(self, since: datetime, *, margin: float = 300.0, **options: Any) -> UpdatedSince[bytes]:
        """Like `iter_updated_since`, but yields each record's JSON as Planhat sent it, like `iter_json`."""
        return self._updated_since(since, margin, options, call="iter_json_updated_since", read=each_row)

    def _updated_since(
        self, since: datetime, margin: float, options: Options, *, call: str, read: ReadBatches[T]
    ) -> UpdatedSince[T]:
        if not isinstance(since, datetime):
            raise TypeError(f"since must be a datetime, not {since!r}")
        if since.utcoffset() is None:
            raise ValueError(f"since must be a time with a zone, not {since}")
        number(0)("margin", margin)
        known = {*UpdatedSinceOptions.__annotations__, *(one.option for one in self.model.filters)}
        check_options(options, known, call=self._call(call))
        chosen: Options = {"page_size": 2000, "concurrency": 1, **options, "sort": "-updated_at"}
        met: set[PageJoin] = set()
        queries = queries_of(self.model, chosen, required_fields=("updated_at",))
        clock = ServerClock(self._fetching(queries))

        def on_join(join: PageJoin) -> None:
            met.add(join)
            self._count_join(join)

        name = f"GET {self.model.path}"
        walks = [
            ChangedSince(name=name, since=since, on_join=on_join, row_filter=query.row_filter) for query in queries
        ]
        lists = [
            read(self._walk(changed, query, chosen, clock.fetch)) for changed, query in zip(walks, queries, strict=True)
        ]
        return UpdatedSince(
            since,
            margin=margin,
            records=_chained(lists),
            is_whole=lambda: PageJoin.BROKEN not in met,
            server_start=lambda: clock.started,
        )

    def _walk(
        self, changed: ChangedSince, query: Query, options: Options, fetch: FetchPage
    ) -> AsyncGenerator[Batch, None]:
        walked = attrs.evolve(query, row_filter=changed.selects)
        return _until_over(changed, self._read([walked], options, on_join=changed.on_join, fetch=fetch))


async def _chained(lists: Iterable[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    for records in lists:
        async with aclosing(records):
            async for record in records:
                yield record


async def _until_over(changed: ChangedSince, batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
    async with aclosing(batches):
        async for batch in batches:
            yield batch
            if batch.ends_page:
                if changed.is_over:
                    return
                changed.end_page()
