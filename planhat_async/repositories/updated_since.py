"""The capability to walk over the records that changed since a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Generic, Literal, TypedDict, TypeVar, Unpack

import attrs

from planhat_async.batching.changes import ChangedSince
from planhat_async.batching.query import Query
from planhat_async.batching.reading import Batch
from planhat_async.batching.stitching import Seam
from planhat_async.records import Record
from planhat_async.repositories.lists import Lists
from planhat_async.repositories.queries import Options, queries_of

R = TypeVar("R", bound=Record)


class UpdatedSinceOptions(TypedDict, total=False):
    """What a walk over the changed records of every model takes."""

    select: Iterable[str] | None
    """Fields to fetch, in either spelling; all by default."""
    page_size: int | None
    """Records a call asks for; 2,000 by default."""
    concurrency: int
    """Pages on their way or in memory at once; 1 by default, since most walks end early."""
    on_bad_record: Literal["raise", "skip"]
    """What to do with a record that cannot be read: raise `DecodeError`, the default, or count, log and skip it.

    One that is skipped is not seen again by the next walk, unless it changes.
    """


class UpdatedSince(AsyncIterator[R], Generic[R]):
    """The records that changed since a time, for one `async for`; see `iter_updated_since`.

    Args:
        since: The time.
        margin: Seconds by which the next walk looks back further than this one's start.
        records: Makes the records.
        is_whole: Whether no record was missed, asked once all were handed out.
    """

    def __init__(
        self, since: datetime, *, margin: float, records: AsyncGenerator[R, None], is_whole: Callable[[], bool]
    ) -> None:
        self._margin = timedelta(seconds=margin)
        self._records = records
        self._is_whole = is_whole
        self._started: datetime | None = None
        self._next_since = since
        self._is_broken = False

    @property
    def next_since(self) -> datetime:
        """Where the next walk has to begin: once this one is complete, its start less the margin; until then, `since`.

        A walk that was left early, failed, or during which rows were missed has to be made again.
        """
        return self._next_since

    async def __anext__(self) -> R:
        self._started = self._started or datetime.now(UTC)
        try:
            return await anext(self._records)
        except StopAsyncIteration:
            if self._is_whole() and not self._is_broken:
                self._next_since = max(self._next_since, self._started - self._margin)
            raise
        except BaseException:
            self._is_broken = True  # asked once more, it would only say that it has ended
            raise

    async def aclose(self) -> None:
        """End the walk early."""
        self._is_broken = True
        await self._records.aclose()


class ListsUpdated(Lists[R]):
    """Lists what changed, of a model that can be sorted by `updated_at`."""

    def iter_updated_since(
        self, since: datetime, *, margin: float = 300.0, **options: Unpack[UpdatedSinceOptions]
    ) -> UpdatedSince[R]:
        """Yield the records that changed at `since` or later.

        Reads `sort=-updatedAt` ("List" in Planhat's documentation): each list to the end of the page with the first
        older record, so a walk that finds little costs a call a list. The order is checked on the way: a server that
        ignores the sort is read whole, and where it orders records that changed at the same time anew for each call,
        this walk has to be made again. Deleted records are not seen, nor those without `updated_at`, unless they come
        before an older one.

        `next_since` of what comes back is where the next walk has to begin. From one walk to the next a record may
        come twice, and none is missed as long as `margin` covers the difference between the two machines' clocks.

        Args:
            since: An aware time, the `next_since` of the walk before.
            margin: Seconds by which `next_since` lies before this walk's start.
            **options: `UpdatedSinceOptions`, and the model's filters.

        Raises:
            TypeError: `since` is no time, or an unknown option.
            ValueError: A time without a zone, a negative margin, an unknown field, an id that cannot be one.
            DecodeError: As `iter`; `next_since` stays what it was.
            RequestError: Likewise.
        """
        if not isinstance(since, datetime):
            raise TypeError(f"since is a datetime, not {type(since).__name__}")
        if since.utcoffset() is None or margin < 0:
            raise ValueError(f"since is a time with a zone and margin not negative, not {since} and {margin}")
        known = {*UpdatedSinceOptions.__annotations__, *(one.option for one in self.model.filters)}
        for name in options.keys() - known:
            raise TypeError(f"{name} is no option of iter_updated_since, which has {', '.join(sorted(known))}")
        chosen: Options = {"page_size": 2000, "concurrency": 1, **options, "sort": "-updated_at"}
        met: set[Seam] = set()

        def on_seam(seam: Seam) -> None:
            met.add(seam)
            self._count_seam(seam)

        name = f"GET {self.model.path}"
        lists = [
            self._walk(ChangedSince(name=name, since=since, on_seam=on_seam, keep=query.row_filter), query, chosen)
            for query in queries_of(self.model, chosen, required_fields=("updated_at",))
        ]
        return UpdatedSince(since, margin=margin, records=_chained(lists), is_whole=lambda: Seam.BROKEN not in met)

    def _walk(self, changed: ChangedSince, query: Query, options: Options) -> AsyncGenerator[R, None]:
        batches = self._read([attrs.evolve(query, row_filter=changed.take)], options, on_seam=changed.on_seam)
        return self._decoded(_until_over(changed, batches), self._on_bad(options))


async def _chained(lists: Iterable[AsyncGenerator[R, None]]) -> AsyncGenerator[R, None]:
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
