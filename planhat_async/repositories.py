"""Notes, tasks and tickets: what can be done with each.

A repository offers only what Planhat's documentation has for its model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Unpack

import attrs

from planhat_async._checks import number
from planhat_async.batching.changes import ChangedSince
from planhat_async.batching.list_reader import Batch, FetchPage
from planhat_async.batching.stitcher import PageJoin
from planhat_async.bulk_upserts import BulkUpserts
from planhat_async.listing_options import (
    NoteListingOptions,
    NotePageOptions,
    TaskListingOptions,
    TaskPageOptions,
    TaskUpdateOptions,
    TicketListingOptions,
    TicketPageOptions,
)
from planhat_async.models import Note, Task, Ticket
from planhat_async.queries import NOTES, TASKS, TICKETS, Options, Query, check_options
from planhat_async.single_calls import SingleCalls
from planhat_async.updates import ServerClock, Updates


class Notes(SingleCalls[Note]):
    """Notes about companies: `/conversations` of type `note`, or of a custom touch type."""

    endpoint = NOTES
    _told_apart_by = ("type",)  # other conversations are in the same list

    def _filled_in(self, wire: dict[str, Any]) -> dict[str, Any]:
        return wire if wire.get("type") else {**wire, "type": "note"}

    async def page(
        self, *, offset: int = 0, limit: int | None = None, **options: Unpack[NotePageOptions]
    ) -> list[Note]:
        """One call, as Planhat answers it: conversations of every type, at most 2,000.

        `NotePageOptions` has the options. It is a single call, so it does not wait behind listings. Rests on "List" in
        Planhat's documentation of notes.

        Args:
            offset: Records of the list to leave out in front.
            limit: How many records to ask for; as many as one call may, by default.

        Raises:
            TypeError: An unknown option, one of listings only, or a value of the wrong type.
            ValueError: An unknown field, a key that is no `_id`, more ids than one call can hold, a number out of
                bounds.
            DecodeError: The answer, or a record in it, cannot be read.
            RequestError: The call failed for good.
        """
        return await self._page(offset, limit, options)

    def iter(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[Note, None]:
        """Yield notes in order, while pages are fetched ahead; `NoteListingOptions` has the options.

        In the default order, by `_id`, each note that is there from the beginning to the end comes exactly once,
        whatever others create and delete meanwhile. Costs a call a page, and a few more for a long list or where
        rows moved; at most `concurrency` pages are in memory, and the event loop is held for a few milliseconds at a
        time. Close it, as with `contextlib.aclosing`, where you leave it early. Rests on "List" in Planhat's
        documentation of notes.

        Raises:
            TypeError: An unknown option, a value of the wrong type; like `ValueError` at once, before anything is sent.
            ValueError: An unknown field, a key that is no `_id`, a number out of bounds, `after` or
                `start_offset` where there are two lists.
            DecodeError: A record cannot be read, or the list makes no sense; `on_bad_record` skips such records.
            RequestError: A call failed for good; the records before it were handed out.
        """
        return self._iter(options)

    def iter_json(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[bytes, None]:
        """Yield each note's JSON, for exports; in all else as `iter`, at a fraction of its cost.

        The bytes are those of Planhat's answer. They are written anew only where a filter needs a field that `select`
        leaves out.
        """
        return self._iter_json(options)

    def pages(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[list[Note], None]:
        """Yield notes as lists of a page each; in all else as `iter`.

        A page may be empty where its rows are of another type. While so many records are kept, Python's garbage
        collector holds the event loop for tens of milliseconds now and then; `iter` does not.
        """
        return self._pages(options)

    async def all(self, **options: Unpack[NoteListingOptions]) -> list[Note]:
        """All notes in one list; in all else as `iter`. As much memory as there are notes.

        While so many are kept, Python's garbage collector holds the event loop for a long time now and then.
        """
        return [note async for note in self._iter(options, call="all")]


class Tasks(SingleCalls[Task]):
    """Tasks and events: `/tasks`."""

    endpoint = TASKS
    _lists = ((), (("isArchived", "true"),))

    async def page(
        self, *, offset: int = 0, limit: int | None = None, **options: Unpack[TaskPageOptions]
    ) -> list[Task]:
        """One call, as Planhat answers it: open tasks unless `archived=True`, at most 10,000.

        `TaskPageOptions` has the options. It is a single call, so it does not wait behind listings. Rests on "List" in
        Planhat's documentation of tasks.

        Args:
            offset: Records of the list to leave out in front.
            limit: How many records to ask for; as many as one call may, by default.

        Raises:
            TypeError: An unknown option, one of listings only, or a value of the wrong type.
            ValueError: An unknown field, a key that is no `_id`, more ids than one call can hold, a number out of
                bounds.
            DecodeError: The answer, or a record in it, cannot be read.
            RequestError: The call failed for good.
        """
        if options.get("archived") is None:
            options["archived"] = False
        return await self._page(offset, limit, options)

    def iter(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[Task, None]:
        """Yield tasks in order, while pages are fetched ahead; `TaskListingOptions` has the options.

        Open tasks come first, then archived ones: Planhat has a list for each. One that is archived meanwhile may come
        twice, and one that is opened again not at all; with `archived=False` or `True` a single list is read.

        In the default order, by `_id`, each task that is in a list from the beginning to the end comes exactly once,
        whatever others create and delete meanwhile. Costs a call a page, and a few more for a long list or where
        rows moved; at most `concurrency` pages are in memory, and the event loop is held for a few milliseconds at a
        time. Close it, as with `contextlib.aclosing`, where you leave it early. Rests on "List" in Planhat's
        documentation of tasks.

        Raises:
            TypeError: An unknown option, a value of the wrong type; like `ValueError` at once, before anything is sent.
            ValueError: An unknown field, a key that is no `_id`, a number out of bounds, `after` or
                `start_offset` where there are two lists.
            DecodeError: A record cannot be read, or the list makes no sense; `on_bad_record` skips such records.
            RequestError: A call failed for good; the records before it were handed out.
        """
        return self._iter(options)

    def iter_json(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[bytes, None]:
        """Yield each task's JSON, for exports; in all else as `iter`, at a fraction of its cost.

        The bytes are those of Planhat's answer. They are written anew only where a filter needs a field that `select`
        leaves out.
        """
        return self._iter_json(options)

    def pages(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[list[Task], None]:
        """Yield tasks as lists of a page each; in all else as `iter`.

        While so many records are kept, Python's garbage collector holds the event loop for tens of milliseconds
        now and then; `iter` does not.
        """
        return self._pages(options)

    async def all(self, **options: Unpack[TaskListingOptions]) -> list[Task]:
        """All tasks in one list; in all else as `iter`. As much memory as there are tasks.

        While so many are kept, Python's garbage collector holds the event loop for a long time now and then.
        """
        return [task async for task in self._iter(options, call="all")]

    def iter_updated_since(
        self, since: datetime, *, margin: float = 300.0, **options: Unpack[TaskUpdateOptions]
    ) -> Updates[Task]:
        """Yield the tasks that changed at `since` or later; `TaskUpdateOptions` has the options.

        Reads `sort=-updatedAt` ("List" in Planhat's documentation of tasks): the open tasks, then the archived
        ones, each to the end of the page with the first older one, so a walk that finds little costs two calls. The
        order is checked on the way: a server that ignores the sort is read whole, and where it orders tasks that
        changed at the same time anew for each call, this walk has to be made again. Deleted tasks are not seen, nor
        those without `updated_at`, unless they come before an older one.

        `next_since` of what comes back is where the next walk has to begin. From one walk to the next a task may
        come twice, and none is missed: the walk's start is by this machine's clock or by the `Date` of the first
        answer, whichever is earlier. (Where answers have no `Date`, `margin` must cover what the clock is ahead.)
        Tickets cannot be walked like this: their `update_date` is the time of the system they came from.

        Args:
            since: An aware time, the `next_since` of the walk before.
            margin: Seconds by which `next_since` lies before this walk's start.

        Raises:
            TypeError: `since` is no time, or an unknown option.
            ValueError: A time without a zone, a negative margin, an unknown field, a key that is no `_id`.
            DecodeError: As `iter`; `next_since` stays what it was.
            RequestError: Likewise.
        """
        if not isinstance(since, datetime):
            raise TypeError(f"since must be a datetime, not {since!r}")
        if since.utcoffset() is None:
            raise ValueError(f"since must be a time with a zone, not {since}")
        number(0)("margin", margin)
        check_options(options, TaskUpdateOptions, call="Tasks.iter_updated_since()")
        chosen: Options = {"page_size": 2000, "concurrency": 1, **options, "sort": "-updated_at"}
        met: set[PageJoin] = set()
        queries = self.endpoint.queries(chosen, needs=("updated_at",))
        clock = ServerClock(self._fetching(queries))

        def on_join(seam: PageJoin) -> None:
            met.add(seam)
            self._count_seam(seam)

        lists = [
            self._walk(
                ChangedSince(name="GET /tasks", since=since, on_join=on_join, keep=query.keep),
                query,
                chosen,
                clock.fetch,
            )
            for query in queries
        ]
        return Updates(
            since,
            margin=margin,
            records=_chained(lists),
            is_whole=lambda: PageJoin.BROKEN not in met,
            server_start=lambda: clock.started,
        )

    def _walk(
        self, changed: ChangedSince, query: Query, options: Options, fetch: FetchPage
    ) -> AsyncGenerator[Task, None]:
        batches = self._read([attrs.evolve(query, keep=changed.take)], options, on_join=changed.on_join, fetch=fetch)
        return self._decoded(_until_over(changed, batches), self._on_bad(options))


async def _chained(lists: Iterable[AsyncGenerator[Task, None]]) -> AsyncGenerator[Task, None]:
    for tasks in lists:
        async with aclosing(tasks):
            async for task in tasks:
                yield task


async def _until_over(changed: ChangedSince, batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
    async with aclosing(batches):
        async for batch in batches:
            yield batch
            if batch.ends_page:
                if changed.is_over:
                    return
                changed.end_page()


class Tickets(BulkUpserts[Ticket]):
    """Support tickets: `/tickets`. Planhat documents lists, bulk upserts and deletion, no single calls else."""

    endpoint = TICKETS

    async def page(
        self, *, offset: int = 0, limit: int | None = None, **options: Unpack[TicketPageOptions]
    ) -> list[Ticket]:
        """One call, as Planhat answers it: at most 10,000 tickets; `TicketPageOptions` has the options.

        It is a single call, so it does not wait behind listings. Rests on "List" in Planhat's documentation of tickets.

        Args:
            offset: Records of the list to leave out in front.
            limit: How many records to ask for; as many as one call may, by default.

        Raises:
            TypeError: An unknown option, one of listings only, or a value of the wrong type.
            ValueError: An unknown field, a key that is no `_id`, more ids than one call can hold, a number out of
                bounds.
            DecodeError: The answer, or a record in it, cannot be read.
            RequestError: The call failed for good.
        """
        return await self._page(offset, limit, options)

    def iter(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[Ticket, None]:
        """Yield tickets in order, while pages are fetched ahead; `TicketListingOptions` has the options.

        In the default order, by `_id`, each ticket that is there from the beginning to the end comes exactly once,
        whatever others create and delete meanwhile. Costs a call a page, and a few more for a long list or where
        rows moved; at most `concurrency` pages are in memory, and the event loop is held for a few milliseconds at a
        time. Close it, as with `contextlib.aclosing`, where you leave it early. Rests on "List" in Planhat's
        documentation of tickets.

        Raises:
            TypeError: An unknown option, a value of the wrong type; like `ValueError` at once, before anything is sent.
            ValueError: An unknown field, a key that is no `_id`, a number out of bounds, `after` or
                `start_offset` where there are two lists.
            DecodeError: A record cannot be read, or the list makes no sense; `on_bad_record` skips such records.
            RequestError: A call failed for good; the records before it were handed out.
        """
        return self._iter(options)

    def iter_json(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[bytes, None]:
        """Yield each ticket's JSON, for exports; in all else as `iter`, at a fraction of its cost.

        The bytes are those of Planhat's answer. They are written anew only where a filter needs a field that `select`
        leaves out.
        """
        return self._iter_json(options)

    def pages(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[list[Ticket], None]:
        """Yield tickets as lists of a page each; in all else as `iter`.

        While so many records are kept, Python's garbage collector holds the event loop for tens of milliseconds
        now and then; `iter` does not.
        """
        return self._pages(options)

    async def all(self, **options: Unpack[TicketListingOptions]) -> list[Ticket]:
        """All tickets in one list; in all else as `iter`. As much memory as there are tickets.

        While so many are kept, Python's garbage collector holds the event loop for a long time now and then.
        """
        return [ticket async for ticket in self._iter(options, call="all")]
