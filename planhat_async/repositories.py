"""Notes, tasks and tickets: what can be done with each.

A repository offers only what Planhat's documentation has for its model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Unpack

from planhat_async.bulk_upserts import BulkUpserts
from planhat_async.models import Note, Task, Ticket
from planhat_async.queries import (
    NOTES,
    TASKS,
    TICKETS,
    NoteListingOptions,
    NotePageOptions,
    TaskListingOptions,
    TaskPageOptions,
    TicketListingOptions,
    TicketPageOptions,
)
from planhat_async.single_calls import SingleCalls


class Notes(SingleCalls[Note]):
    """Notes about companies: `/conversations` of type `note`, or of a custom touch type."""

    endpoint = NOTES
    _told_apart_by = ("type",)  # other conversations are in the same list

    def _filled_in(self, wire: dict[str, Any]) -> dict[str, Any]:
        return {"type": "note", **wire}

    async def page(
        self, *, offset: int = 0, limit: int | None = None, **options: Unpack[NotePageOptions]
    ) -> list[Note]:
        """One call, as Planhat answers it: conversations of every type, at most 2,000."""
        return await self._page(offset, limit, options)

    def iter(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[Note, None]:
        """Yield notes in order, while pages are fetched ahead; `NoteListingOptions` has the options."""
        return self._iter(options)

    def iter_json(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[bytes, None]:
        """Yield each note's JSON as it came, for exports."""
        return self._iter_json(options)

    def pages(self, **options: Unpack[NoteListingOptions]) -> AsyncGenerator[list[Note], None]:
        """Yield notes page by page; a page may be empty where its rows are of another type."""
        return self._pages(options)

    async def all(self, **options: Unpack[NoteListingOptions]) -> list[Note]:
        """All notes in one list: as much memory as there are notes."""
        return [note async for note in self._iter(options)]


class Tasks(SingleCalls[Task]):
    """Tasks and events: `/tasks`."""

    endpoint = TASKS
    _lists = ((), (("isArchived", "true"),))

    async def page(
        self, *, offset: int = 0, limit: int | None = None, **options: Unpack[TaskPageOptions]
    ) -> list[Task]:
        """One call, as Planhat answers it: open tasks unless `archived=True`, at most 10,000."""
        options["archived"] = options.get("archived") or False
        return await self._page(offset, limit, options)

    def iter(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[Task, None]:
        """Yield tasks in order, while pages are fetched ahead; `TaskListingOptions` has the options.

        Open tasks come first, then archived ones: Planhat has a list for each.
        """
        return self._iter(options)

    def iter_json(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[bytes, None]:
        """Yield each task's JSON as it came, for exports."""
        return self._iter_json(options)

    def pages(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[list[Task], None]:
        """Yield tasks page by page."""
        return self._pages(options)

    async def all(self, **options: Unpack[TaskListingOptions]) -> list[Task]:
        """All tasks in one list: as much memory as there are tasks."""
        return [task async for task in self._iter(options)]


class Tickets(BulkUpserts[Ticket]):
    """Support tickets: `/tickets`. Planhat documents lists, bulk upserts and deletion, no single calls else."""

    endpoint = TICKETS

    async def page(
        self, *, offset: int = 0, limit: int | None = None, **options: Unpack[TicketPageOptions]
    ) -> list[Ticket]:
        """One call, as Planhat answers it: at most 10,000 tickets."""
        return await self._page(offset, limit, options)

    def iter(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[Ticket, None]:
        """Yield tickets in order, while pages are fetched ahead; `TicketListingOptions` has the options."""
        return self._iter(options)

    def iter_json(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[bytes, None]:
        """Yield each ticket's JSON as it came, for exports."""
        return self._iter_json(options)

    def pages(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[list[Ticket], None]:
        """Yield tickets page by page."""
        return self._pages(options)

    async def all(self, **options: Unpack[TicketListingOptions]) -> list[Ticket]:
        """All tickets in one list: as much memory as there are tickets."""
        return [ticket async for ticket in self._iter(options)]
