"""Which rows changed since a time, and where to stop looking: decisions only.

Planhat has no filter for it. But it can sort by the time of the last change, newest first, and then everything
behind the first row that is too old is too old as well. A server that ignores the sort would end such a reading at
once and lose the rest, so the order is checked: all of a page is, before anybody stops at its end. Where it does
not hold, the whole list is read, and each row is judged for itself.

During a reading, rows that change move to the front, past the reader. They changed after the reading began, so
the next one, which looks back to before that, finds them.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import attrs

from planhat_async._convert import read_time
from planhat_async.batching.stitcher import OnPageJoin, PageJoin
from planhat_async.records import RowFilter

_logger = logging.getLogger("planhat_async.listing")


@attrs.define(kw_only=True)
class ChangedSince:
    """Takes the rows of one list in the order in which they come."""

    name: str
    """The list's, for messages."""
    since: datetime
    on_join: OnPageJoin
    """Called where the order does not hold."""
    keep: RowFilter | None = None
    """Which rows are wanted at all."""
    _is_ordered: bool = True
    _is_descending: bool = False
    """Whether a row changed before the one ahead of it: equal times prove no order."""
    _is_past: bool = False
    _last: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether all rows behind the ones taken are too old."""
        return self._is_past and self._is_ordered and self._is_descending

    def end_page(self) -> None:
        """Note that the next row is another page's, which may be older: a page is in order for itself."""
        self._last = None

    def take(self, row: Any) -> bool:
        """Take a row, and tell whether it is wanted: also where it does not say when it changed."""
        changed = _time_of(row)
        if changed is not None:
            self._check_order(changed)
            self._is_past = self._is_past or changed < self.since
        return (changed is None or changed >= self.since) and (self.keep is None or self.keep(row))

    def _check_order(self, changed: datetime) -> None:
        if self._last is not None and changed != self._last:
            if changed < self._last:
                self._is_descending = True
            elif self._is_ordered:
                self._is_ordered = False
                self.on_join(PageJoin.UNSORTED)
                _logger.warning("%s does not come with the last changed rows first, so all of it is read", self.name)
        self._last = changed


def _time_of(row: Any) -> datetime | None:
    try:
        return read_time(row.updated_at)
    except (TypeError, ValueError):
        return None
