"""What listings take: the options of each model, and of a single page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict


class PageOptions(TypedDict, total=False):
    """What every list takes, also a single page."""

    sort: str
    """A field to sort by, in either spelling, `-` in front for descending; `id` by default."""
    select: Iterable[str] | None
    """Fields to fetch, in either spelling; all by default.

    The `_id` always comes as well. Other fields that a filter needs are fetched, and not handed on.
    """


class ListingOptions(TypedDict, total=False):
    """What listings of many pages take."""

    page_size: int | None
    """Records a call asks for; by default, and at most, the endpoint's maximum."""
    max_records: int | None
    """Stop after so many records, those that are skipped included."""
    concurrency: int
    """Pages on their way or in memory at once; 4 by default."""
    start_offset: int
    """Records of Planhat's list to leave out in front; only where the listing comes down to one list."""
    after: str | None
    """Only records with an `_id` beyond this one, in the default order: resumes a listing that was broken off.

    With the number of records read so far as `start_offset` (about right is enough) they are not asked for again. Only
    where the listing comes down to one list; `DecodeError` where a server ignores the order.
    """
    on_bad_record: Literal["raise", "skip"]
    """What to do with a record that cannot be read: raise `DecodeError`, the default, or count, log and skip it."""


class NotePageOptions(PageOptions, total=False):
    """What a page of notes takes."""

    company_id: str | Iterable[str] | None
    """Only notes about these companies; name each in one way, by `_id`, `extid("…")` or `srcid("…")`.

    More than a URL holds are read as several lists (some 80 ids each), one after another: each is in order.
    """


class NoteListingOptions(NotePageOptions, ListingOptions, total=False):
    """What listings of notes take."""

    type: str | None
    """`note`, the default, takes in custom touch types; `None` every conversation, e-mails and tickets included."""


class TaskFilters(TypedDict, total=False):
    """What all lists of tasks can be filtered by."""

    company_id: str | Iterable[str] | None
    """Only tasks about these companies; name each in one way, by `_id`, `extid("…")` or `srcid("…")`.

    More ids than a URL holds, of companies or of end users, are read as several lists (some 80 ids each), one after
    another: each is in order.
    """
    enduser_ids: str | Iterable[str] | None
    """Only tasks that concern these end users, by `_id`, `extid("…")` or `srcid("…")`."""


class TaskPageOptions(PageOptions, TaskFilters, total=False):
    """What a page of tasks takes."""

    archived: bool | None
    """`True` for archived (completed) tasks; open ones otherwise."""


class TaskListingOptions(PageOptions, TaskFilters, ListingOptions, total=False):
    """What listings of tasks take."""

    archived: bool | None
    """`False` only open tasks, `True` only archived (completed) ones; `None`, the default, first those, then these.

    Planhat has a list for each: a task that is archived while they are read may come twice, one that is opened
    again not at all.
    """


class TaskUpdateOptions(TaskFilters, total=False):
    """What a walk over the changed tasks takes."""

    archived: bool | None
    """`False` only open tasks, `True` only archived ones; `None`, the default, both."""
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


class TicketPageOptions(PageOptions, total=False):
    """What a page of tickets takes."""

    company_id: str | Iterable[str] | None
    """Only tickets of these companies; name each in one way, by `_id`, `extid("…")` or `srcid("…")`.

    More than a URL holds are read as several lists (some 80 ids each), one after another: each is in order.
    """
    status: str | None
    """Only tickets with this status."""
    email: str | None
    """Only tickets from this address."""
    search: str | None
    """Only tickets with this text in their snippet."""


class TicketListingOptions(TicketPageOptions, ListingOptions, total=False):
    """What listings of tickets take."""
