"""Whether a server's pages lead anywhere."""

from __future__ import annotations

from typing import Any

import attrs

from planhat_async.batching.page import Id, Page
from planhat_async.errors import DecodeError

_MAX_BARREN = 60
"""Pages in a row without a new row, after which the server makes no sense."""
_MAX_REPEATS = 3
"""Offsets at which the first page came again."""


@attrs.define
class PageProgress:
    """Watches the pages of one list as they come."""

    name: str
    """The list's, for messages."""
    start: int
    """The offset of the first one."""
    _first: tuple[Any, Any] | None = attrs.field(default=None, init=False)
    """The first and the last `_id` of the first page, or its rows where they have none."""
    _repeats: set[int] = attrs.field(factory=set, init=False)
    _n_failed: int = attrs.field(default=0, init=False)
    """Seams that failed since a row was new."""
    _n_barren: int = attrs.field(default=0, init=False)
    """Pages since then that joined and held nothing new."""
    _furthest: Id = attrs.field(default=b"", init=False)
    """The last `_id` of all those pages."""

    @property
    def is_repairing(self) -> bool:
        """Whether a seam failed since a row was new."""
        return self._n_failed > 0

    def check(self, page: Page[Any], *, n_rows: int) -> None:
        """Look at a page before anything else is done with it; `n_rows` were read so far.

        Raises:
            DecodeError: The server ignores `offset`, or says nothing new for ever.
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
        if max(self._n_barren, self._n_failed) >= _MAX_BARREN:
            raise DecodeError(
                f"{self.name}: {_MAX_BARREN} pages after {n_rows} rows held no new one: "
                "the server may ignore `offset`, or rows move faster than they are read"
            )

    def note_gap(self) -> None:
        """Note that a page did not join."""
        self._n_failed += 1
        self._furthest = b""

    def note_new(self, page: Page[Any]) -> None:
        """Note that a page held new rows."""
        self._n_barren = self._n_failed = 0
        if page.ids:  # else a row only counts as new by its place
            self._repeats.clear()

    def note_nothing_new(self, page: Page[Any], *, is_by_id: bool) -> None:
        """Note that a page joined and held no new row.

        One that came further all the same is on the way to where a reading is resumed.
        """
        is_nearer = is_by_id and page.ids[-1] > self._furthest
        self._furthest = max(self._furthest, page.ids[-1]) if is_by_id else b""
        self._n_barren = 0 if is_nearer else self._n_barren + 1
