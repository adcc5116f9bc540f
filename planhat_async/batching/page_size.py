"""How many rows to ask for at once, where a server has limits of its own."""

from __future__ import annotations

from typing import Any

import attrs

from planhat_async.batching.page import Page

SMALL_BYTES = 1 << 20
"""An answer below it was not cut short for its bytes: the least that a server may cap them at."""


@attrs.define
class PageSize:
    """Follows what a server gives.

    A page of one row could not overlap the one before and go on, so two is the least.
    """

    most: int
    """What the caller asks for."""
    default_limit: int
    """What the endpoint returns when it is asked for no particular number."""
    rows: int = attrs.field(init=False)
    """How many to ask for now."""
    _capped_at_bytes: int | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = max(2, self.most)

    def shrink_to(self, page: Page[Any]) -> None:
        """Ask for no more rows than this short page has."""
        self.rows = max(2, min(self.rows, len(page.rows)))
        self._capped_at_bytes = page.n_bytes if page.n_bytes >= SMALL_BYTES else None

    def grow_with(self, page: Page[Any]) -> None:
        """Ask for as many rows as the server gives anyway, and for more where they have become small again."""
        if len(page.rows) > page.limit:
            self.rows = max(self.rows, min(len(page.rows), self.default_limit))
        elif self._capped_at_bytes is not None and page.n_bytes < self._capped_at_bytes // 2:
            self.rows = max(2, min(self.most, self.rows * 2))
