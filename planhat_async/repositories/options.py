"""The options of the lists of every model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict


class PageOptions(TypedDict, total=False):
    """The options of a page and of a listing."""

    sort: str
    """The field to sort by, in either spelling, with `-` in front for descending order; `id` by default."""
    select: Iterable[str] | None
    """The fields to fetch besides `id`, in either spelling; all by default.

    Fields that a filter needs are fetched as well, and dropped.
    """


class WholeListOptions(TypedDict, total=False):
    """The options of a list that one call answers."""

    max_records: int | None
    """Stop after this many records, including skipped ones."""
    on_bad_record: Literal["raise", "skip"]
    """What to do with a record that cannot be decoded: raise `DecodeError` (the default), or count, log and skip it."""


class ListingOptions(PageOptions, WholeListOptions, total=False):
    """The options of a listing of all pages."""

    page_size: int | None
    """Records per call; by default, and at most, the model's maximum."""
    concurrency: int
    """Pages that may be requested or in memory at once; 4 by default."""
    start_offset: int
    """The number of records to skip at the front of the list; not for a listing of several lists."""
    after: str | None
    """Read only records with an `_id` beyond this one, in the default order: resumes an interrupted listing.

    Pass the number of records read so far as `start_offset` (roughly is enough), so that they are not fetched again.
    Not for a listing of several lists; raises `DecodeError` if the server ignores the order.
    """
