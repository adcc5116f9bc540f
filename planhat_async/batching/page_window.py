"""The number of pages that may be requested ahead."""

from __future__ import annotations

import attrs

_MAX_CAUTION = 1024
"""The most pages that are read one by one before reading ahead is tried again."""
_CALM = 32
"""Pages in a row that join while the window is open, after which the caution is divided by four."""


@attrs.define
class PageWindow:
    """Widens by one page for each page with new rows, and closes when a page does not join.

    A page that does not join costs calls, so after each the window opens later: while rows keep moving, a list is read
    page by page.
    """

    most: int
    """The most pages."""
    n_pages: int = 1
    """Pages that may be requested or in memory now."""
    _caution: int = 1
    """Pages in a row that must join before more than one is requested again."""
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
        """Have the next page requested alone."""
        self.n_pages = 1
