"""How many pages may be on their way at once."""

from __future__ import annotations

import attrs

_MAX_CAUTION = 1024
"""Pages after which reading ahead is tried again at the latest."""
_CALM = 32
"""Pages in a row that join while the window is open, after which the next failure is taken less seriously."""


@attrs.define
class PageWindow:
    """Widens by a page with each that brings new rows, and closes where a page did not join.

    A page that does not join costs calls, so after each the window opens later again: where rows move all the while, a
    list is read page by page.
    """

    most: int
    """Pages at most."""
    n_pages: int = 1
    """Pages that may be on their way or in memory by now."""
    _caution: int = 1
    """Pages in a row that have to join before more than one is on its way again."""
    _n_joined: int = 0
    """Pages in a row that joined and brought new rows."""

    def widen(self) -> None:
        """Note that a page joined and brought new rows."""
        self._n_joined += 1
        if self._n_joined >= self._caution:
            self.n_pages = min(self.most, self.n_pages + 1)
        if self._n_joined >= self._caution + _CALM:
            self._n_joined = self._caution = max(1, self._caution // 4)

    def narrow(self) -> None:
        """Note that a page did not join."""
        self.n_pages, self._n_joined = 1, 0
        self._caution = min(_MAX_CAUTION, self._caution * 4)

    def close(self) -> None:
        """Have the next page asked for alone."""
        self.n_pages = 1
