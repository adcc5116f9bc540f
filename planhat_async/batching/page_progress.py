"""Detects a server whose pages do not advance."""

from __future__ import annotations

from typing import Any

import attrs

from planhat_async.batching.page import Id, Page
from planhat_async.errors import DecodeError

_MAX_FRUITLESS = 60
"""Pages in a row without a new row, after which the listing fails."""
_MAX_REPEATS = 3
"""Offsets at which the first page may come again before the listing fails."""


@attrs.define
class PageProgress:
    """Watches the pages of one list."""

    name: str
    """The list's name, for messages."""
    start: int
    """The offset of the first page."""
    _first: tuple[Any, Any] | None = attrs.field(default=None, init=False)
    """The first and the last `_id` of the first page, or of rows without `_id`s the rows themselves."""
    _repeats: set[int] = attrs.field(factory=set, init=False)
    _n_failed: int = attrs.field(default=0, init=False)
    """Joins that failed since the last new row."""
    _n_fruitless: int = attrs.field(default=0, init=False)
    """Pages since then that joined and held no new row."""
    _furthest: Id = attrs.field(default=b"", init=False)
    """The highest `_id` of those pages."""

    @property
    def is_repairing(self) -> bool:
        """Whether a join failed since the last new row."""
        return self._n_failed > 0

    def check_page(self, page: Page[Any], *, n_rows: int) -> None:
        """Examine a page before it is joined; `n_rows` rows were read so far.

        Raises:
            DecodeError: The server ignores `offset`, or its pages hold no new rows.
        """
        known = page.ids or page.rows
        ends = (known[0], known[-1]) if known else None
        if self._first is None:
            self._first = ends
        elif ends == self._first and page.offset > self.start:
            self._repeats.add(page.offset)
        if len(self._repeats) >= _MAX_REPEATS:
            where = ", ".join(map(str, sorted(self._repeats)))
            raise DecodeError(
                f"{self.name}: the first page came again at the offsets {where}: the server ignores `offset`"
            )
        if max(self._n_fruitless, self._n_failed) >= _MAX_FRUITLESS:
            raise DecodeError(
                f"{self.name}: {_MAX_FRUITLESS} pages after {n_rows} rows held no new row: "
                "the server may ignore `offset`, or rows move faster than they are read"
            )

    def note_gap(self) -> None:
        """Note that a page did not join."""
        self._n_failed += 1
        self._furthest = b""

    def note_new(self, page: Page[Any]) -> None:
        """Note that a page held new rows."""
        self._n_fruitless = self._n_failed = 0
        if page.ids:  # else only its offset says that a row is new
            self._repeats.clear()

    def note_nothing_new(self, page: Page[Any], *, is_by_id: bool) -> None:
        """Note that a page joined and held no new row.

        If its `_id`s are higher than before, it is on the way to the place where a listing resumes.
        """
        is_nearer = is_by_id and page.ids[-1] > self._furthest
        self._furthest = max(self._furthest, page.ids[-1]) if is_by_id else b""
        self._n_fruitless = 0 if is_nearer else self._n_fruitless + 1
