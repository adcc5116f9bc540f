"""The page size, adapted to the limits of the server."""

from __future__ import annotations

from typing import Any

import attrs

from planhat_async.batching.page import Page

SMALL_BYTES = 1 << 20
"""A smaller answer was not cut short for its size: servers are assumed to cap at no less."""


@attrs.define
class PageSize:
    """Follows the page sizes that a server answers with.

    The least is two: a page of one row cannot overlap the page before and hold a new row.
    """

    most: int
    """The page size that the caller asked for."""
    default_limit: int
    """Rows that the endpoint returns without a `limit`."""
    rows: int = attrs.field(init=False)
    """The `limit` of the next page."""
    _capped_at_bytes: int | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = max(2, self.most)

    def shrink_to(self, page: Page[Any]) -> None:
        """Reduce the limit to the rows of this short page."""
        self.rows = max(2, min(self.rows, len(page.rows)))
        self._capped_at_bytes = page.n_bytes if page.n_bytes >= SMALL_BYTES else None

    def grow_with(self, page: Page[Any]) -> None:
        """Raise the limit to what the server returns anyway, or again once rows are smaller than at a cap on bytes."""
        if len(page.rows) > page.limit:
            self.rows = max(self.rows, min(len(page.rows), self.default_limit))
        elif self._capped_at_bytes is not None and page.n_bytes < self._capped_at_bytes // 2:
            self.rows = max(2, min(self.most, self.rows * 2))
