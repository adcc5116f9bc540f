"""Which rows of a chunk without an answer are there after all: decisions only.

A row without a key is created each time it arrives, so when an answer is lost it can neither be sent again nor be
called stored. Where the caller warrants that some of its values are unique, its *mark*, Planhat's own list settles
the matter: whatever was created since lies above the newest `_id` there was before the chunk left.

The list is read from its newest record down to that floor. It is read by offset, so while others create, rows come
twice (harmless), and while others delete, rows are passed over: each page must begin at or above the last record of
the page before, else it is read again further up. The floor lies a minute below the newest `_id`, because the
machines that make `_id`s need not agree on the time, nor on the order within a second.

A record is claimed for one row only: where two rows have the same mark, two records must be found. Records that
answers have told the `_id`s of are claimed from the start.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import attrs

from planhat_async.batching.chunking import Mark, Row

Seen: TypeAlias = tuple[str, Mark]
"""A record that was read: its `_id` and its mark."""

_MARGIN_SECONDS = 60
_FUTURE_SECONDS = 300
_AHEAD_SECONDS = 3600
_SECONDS_DIGITS = 8
_MAX_IDLE_PAGES = 30
"""After so many pages that lead no further down a list that cannot be followed is given up."""


def floor_below(newest_id: str, *, now: float) -> str:
    """An `_id` below everything created from now on, where this is the newest there is; "" where there is none.

    An `_id` that lies in the future is somebody's own, and says nothing of those that Planhat makes: then the floor
    is an hour below `now`, the time since the epoch, in case this machine's clock is ahead.
    """
    digits = newest_id[:_SECONDS_DIGITS]
    try:
        seconds = int(digits, 16)
    except ValueError:
        return ""
    if seconds > now + _FUTURE_SECONDS:
        seconds = int(now) - _AHEAD_SECONDS
    return f"{max(0, seconds - _MARGIN_SECONDS):08x}" + "0" * (len(newest_id) - _SECONDS_DIGITS)


@attrs.define
class Claims:
    """The records of Planhat's that are known to be rows of this run, as far back as anybody will ask."""

    newest_id: str = ""
    _ids: set[str] = attrs.field(factory=set)
    _order: deque[str] = attrs.field(factory=deque)

    def claim(self, ids: Iterable[str]) -> None:
        """Note records that are rows of this run."""
        for one in ids:
            if one not in self._ids:
                self._ids.add(one)
                self._order.append(one)
                self.newest_id = max(self.newest_id, one)

    def forget_below(self, floor: str) -> None:
        """Forget what lies below every floor that is still in use."""
        while self._order and self._order[0] < floor:
            self._ids.discard(self._order.popleft())

    def match(self, rows: Sequence[Row], records: Iterable[Seen]) -> tuple[list[tuple[Row, str]], tuple[Row, ...]]:
        """Find the rows among the records, and claim what is found.

        Returns:
            Each row found with the `_id` of its record, and the rows that were not found.
        """
        free: dict[Mark, list[str]] = {}
        for record_id, mark in sorted(records, reverse=True):
            if record_id not in self._ids:
                free.setdefault(mark, []).append(record_id)
        found, missing = [], []
        for row in rows:
            ids = free.get(row.mark) if row.mark else None
            if ids:
                found.append((row, ids.pop()))
            else:
                missing.append(row)
        self.claim(record_id for _, record_id in found)
        return found, tuple(missing)


def are_shown(rows: Sequence[Row], marks: Iterable[Mark]) -> bool:
    """Whether a list shows the values that rows are recognised by, as far as its records tell.

    Where none of the records that could be such rows has a value, Planhat does not show it: then it proves nothing
    that a row was not found.
    """
    kinds = {row.mark[1] for row in rows if row.mark}
    alike = [values for values, kind in marks if kind in kinds]
    return not alike or all(any(value is not None for value in column) for column in zip(*alike, strict=True))


class UnreadableListError(Exception):
    """The list does not behave as a list sorted by descending `_id` does, or does not show what is compared."""


@attrs.define
class Descent:
    """Reads one list from its newest record down to a floor: which offset next, and is it done?"""

    floor: str
    page_size: int
    offset: int = 0
    """Where the next page begins."""
    is_done: bool = False
    records: dict[str, Mark] = attrs.field(factory=dict)
    """What was read above the floor."""
    _last_id: str = ""
    """The last record of the pages that are joined."""
    _lowest_id: str = ""
    _step_back: int = 0
    _n_idle: int = 0

    def take(self, page: Sequence[Seen]) -> None:
        """Take the page at `offset` into account.

        Raises:
            UnreadableListError: It is not sorted, or leads nowhere.
        """
        ids = [record_id for record_id, _ in page]
        if any(above <= below for above, below in itertools.pairwise(ids)):
            raise UnreadableListError("the list is not sorted by descending _id")
        self.records.update((record_id, mark) for record_id, mark in page if record_id > self.floor)
        is_further = bool(ids) and (not self._lowest_id or ids[-1] < self._lowest_id)
        self._lowest_id = ids[-1] if is_further else self._lowest_id
        self._n_idle = 0 if is_further else self._n_idle + 1
        if self._n_idle > _MAX_IDLE_PAGES:
            raise UnreadableListError("the list does not go on, nor does it end")
        if self.offset == 0 or (ids and ids[0] >= self._last_id):
            self._join(ids)
        else:
            # Rows were deleted above: what lies between may not have been read.
            self._step_back = max(1, 4 * self._step_back or self.page_size // 8)
            self.offset = max(0, self.offset - self._step_back)

    def _join(self, ids: list[str]) -> None:
        self._step_back = 0
        is_end = not ids or ids == [self._last_id]
        self.is_done = is_end or ids[-1] <= self.floor
        if ids:
            self._last_id = ids[-1]
            # One row again, to see that no other has come between.
            self.offset += len(ids) - 1
