"""Which page comes next, and whether the list has ended: decisions only.

Planhat gives no total and no cursor, so the end has to be told from the pages. A page shorter than asked proves
nothing by itself: a server that lowers `limit`, or caps an answer's bytes, looks just the same. It is the end
only where it is shorter than the endpoint's own default limit as well, and small. Any other short page is
followed by one at the offset where it stopped.

What this does not see: whatever moves rows to other offsets while the list is read. Records that others delete,
or that leave a filter, move the rest to the left, past the offsets asked for; under a sort of the caller's own,
records that are added or changed move rows too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

from planhat_async.errors import DecodeError

Row = TypeVar("Row")

_SMALL_BYTES = 1 << 20


@attrs.frozen(kw_only=True)
class Page(Generic[Row]):
    """What one GET returned."""

    offset: int
    limit: int
    """How many rows were asked for."""
    rows: Sequence[Row]
    n_bytes: int
    first_id: str | None = None
    """The `_id` of the first row."""


@attrs.define(kw_only=True)
class Stitcher(Generic[Row]):
    """Plans the pages of one list, and takes them in order of their offsets."""

    page_size: int
    default_limit: int
    """What the endpoint returns when it is asked for no particular number."""
    max_pages: int
    """Pages that may be asked for at once."""
    max_rows: int | None = None
    """Rows after which nobody cares."""
    is_over: bool = False
    _window: int = 1
    _next: int = 0
    _stride: int = attrs.field(init=False)
    _first_id: str | None = None

    def __attrs_post_init__(self) -> None:
        self._stride = self.page_size

    def next_page(self, n_asked: int) -> tuple[int, int] | None:
        """The next offset and limit to ask for while `n_asked` pages are on their way or being read, if any."""
        if self.is_over or n_asked >= self._window or (self.max_rows is not None and self._next >= self.max_rows):
            return None
        offset, self._next = self._next, self._next + self._stride
        return offset, self._stride

    def accept(self, page: Page[Row]) -> bool:
        """Take the next page in order; returns whether the pages asked for after it are still of use.

        Raises:
            DecodeError: The server ignores `offset`: following it would never end.
        """
        if page.offset == 0:
            self._first_id = page.first_id
        elif page.first_id is not None and page.first_id == self._first_id:
            raise DecodeError(f"the page at offset {page.offset} is the first one again: the server ignores `offset`")
        n_rows = len(page.rows)
        if n_rows == 0 or (n_rows < min(page.limit, self.default_limit) and page.n_bytes < _SMALL_BYTES):
            self.is_over = True
            return False
        if n_rows != page.limit:
            # The server has a limit of its own. The next page begins where this one really ended.
            self._window = 1
            self._stride = min(n_rows, self.page_size)
            self._next = page.offset + n_rows
            return False
        self._window = min(self.max_pages, self._window + 1)
        return True
