"""The options that lists of every model take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict


class PageOptions(TypedDict, total=False):
    """What every list takes, also a single page."""

    sort: str
    """A field to sort by, in either spelling, `-` in front for descending; `id` by default."""
    select: Iterable[str] | None
    """Fields to fetch beside `id`, in either spelling; all by default.

    Fields that are needed for filtering are fetched as well, and not handed on.
    """


class ListingOptions(PageOptions, total=False):
    """What listings of many pages take."""

    page_size: int | None
    """Records a call asks for; by default, and at most, the model's maximum."""
    max_records: int | None
    """Stop after this many records; those that are skipped count."""
    concurrency: int
    """Pages on their way or in memory at once; 4 by default."""
    start_offset: int
    """Records to leave out at the front of Planhat's list; only where the listing comes down to one list."""
    after: str | None
    """Only records with an `_id` beyond this one, in the default order: resumes a listing that was broken off.

    With the number of records read so far as `start_offset` (about right is enough) they are not asked for again. Only
    where the listing comes down to one list; `DecodeError` where a server ignores the order.
    """
    on_bad_record: Literal["raise", "skip"]
    """What to do with a record that cannot be read: raise `DecodeError`, the default, or count, log and skip it."""
