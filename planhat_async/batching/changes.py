"""Selects the rows that changed since a time, and decides where to stop reading: decisions only.

Planhat has no filter for it, but it can sort by the time of the last change, newest first: then every row after the
first one that is too old is too old as well. A server that ignores the sort would end the reading at once and lose the
rest, so the order of each whole page is checked before the reading stops at its end. If the order does not hold, the
whole list is read and each row is tested by itself.

Rows that change during the reading move to the front, past the reader. They changed after the reading began, so the
next reading, which looks back further than that, finds them.
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
    """Tests the rows of one list, in the order of the list."""

    name: str
    """The list's name, for messages."""
    since: datetime
    on_join: OnPageJoin
    """Called if the order does not hold."""
    row_filter: RowFilter | None = None
    """The filter of the list's query."""
    _is_ordered: bool = True
    _is_descending: bool = False
    """Whether a row changed earlier than the row before it: equal times do not prove the order."""
    _is_past: bool = False
    _last: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether all rows after those tested are too old."""
        return self._is_past and self._is_ordered and self._is_descending

    def end_page(self) -> None:
        """Note that the next row belongs to another page, which may be older: only a page is known to be in order."""
        self._last = None

    def selects(self, row: Any) -> bool:
        """Whether the next row is selected; a row without a time of change is."""
        changed = _time_of(row)
        if changed is not None:
            self._check_order(changed)
            self._is_past = self._is_past or changed < self.since
        return (changed is None or changed >= self.since) and (self.row_filter is None or self.row_filter(row))

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
