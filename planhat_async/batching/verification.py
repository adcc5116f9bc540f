"""Decides which rows of a chunk without an answer are stored: decisions only.

A row without a key is created each time it arrives, so after a lost answer it can neither be sent again nor counted as
stored. If the caller warrants that some of its values, its *fingerprint*, are unique, Planhat's own list settles the
question: all records created since lie above the newest `_id` there was before the chunk was sent.

The list is read from its newest record down to that floor. It is read by offset, so rows come twice while others create
(harmless) and are skipped while others delete: each page must begin at or above the last record of the page before,
else it is read again further up.

The floor comes from Planhat's `_id`s alone; this machine's clock may be wrong by hours. The newest `_id` by itself is
not enough: imported records may have an `_id` in the future, and records created since lie below it. So the newest
1,000 are read, in one call, before the first chunk is sent. The floor lies below the lowest of them, which is wrong
only if all 1,000 lie in the future; if there are fewer, there is no floor and the whole list is read. The `_id`s read
at the start belong to no row. Once an answer has named an `_id`, Planhat has just made it, so everything that is
created later lies above: chunks that begin from then on get a floor below it, and a long run does not read back to its
start. Each floor lies a minute below the `_id` it comes from, because the machines that make `_id`s need not agree on
the time, nor on the order within a second.

A record is claimed for one row only: for two rows with the same fingerprint, two records must be found. Records that
answers have named are claimed from the start. If the values are not unique after all, the record that one row is given
may be another's, whose request is late: a row of which an equal one was found in a list is never sent again.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import attrs

from planhat_async._convert import Fingerprint
from planhat_async.batching.chunks import Row

Seen: TypeAlias = tuple[str, Fingerprint]
"""The `_id` and the fingerprint of a record in a list."""

AMBIGUOUS = "not found, and another row has the same values of verify_by: the record found may belong to either"
"""The reason of a row that is not looked for again."""
N_NEWEST = 1000
"""The number of the newest `_id`s that are read to find a floor."""
_MARGIN_SECONDS = 60
_SECONDS_DIGITS = 8
_MAX_IDLE_PAGES = 30
"""Pages in a row that lead no further down, after which a scan fails."""


def floor_below(created_id: str) -> str:
    """Lower bound for `_id`s created later than this one; "" where it is no ObjectId."""
    try:
        seconds = int(created_id[:_SECONDS_DIGITS], 16)
    except ValueError:
        return ""
    return f"{max(0, seconds - _MARGIN_SECONDS):08x}" + "0" * (len(created_id) - _SECONDS_DIGITS)


@attrs.frozen
class Floor:
    """Where the records of a chunk can be: above an `_id`, and not among those that existed before it was sent."""

    id: str = ""
    """The bound; empty if the records can be anywhere."""
    known: frozenset[str] = frozenset()
    """Records above it that existed before the chunk was sent."""


@attrs.define
class Horizon:
    """The floor of chunks that begin now."""

    newest: frozenset[str] = frozenset()
    """The newest `_id`s at the start, `N_NEWEST` of them unless there are fewer."""
    _newest_created: str = ""

    def note_created(self, ids: Iterable[str]) -> None:
        """Note `_id`s that an answer has named as created."""
        self._newest_created = max((self._newest_created, *ids))

    @property
    def floor(self) -> Floor:
        """The floor of a chunk that begins now."""
        if self._newest_created:
            return Floor(floor_below(self._newest_created), self.newest)
        newest = sorted(self.newest, reverse=True)[:N_NEWEST]
        return Floor(floor_below(newest[-1]) if len(newest) == N_NEWEST else "", self.newest)


class Matches(NamedTuple):
    """What a list says of rows without an answer."""

    found: list[tuple[Row, str]]
    """Each row found with the `_id` of its record."""
    missing: tuple[Row, ...]
    """Rows without a record."""
    ambiguous: tuple[Row, ...]
    """Of the missing rows, those whose record an equal row may have been given."""


@attrs.define
class ClaimedIds:
    """The records that are known to be rows of this run, down to the lowest floor in use."""

    _ids: dict[str, Fingerprint | None] = attrs.field(factory=dict)
    """Each with its fingerprint if it was found in a list, not named by an answer."""
    _order: deque[str] = attrs.field(factory=deque)

    def claim(self, ids: Iterable[str], fingerprint: Fingerprint | None = None) -> None:
        """Note records that are rows of this run."""
        for one in ids:
            if one not in self._ids:
                self._ids[one] = fingerprint
                self._order.append(one)

    def forget_below(self, floor: str) -> None:
        """Forget the records below every floor in use."""
        while self._order and self._order[0] < floor:
            del self._ids[self._order.popleft()]

    def match(self, rows: Sequence[Row], records: Iterable[Seen]) -> Matches:
        """Find the rows among the records, and claim the records found."""
        free: dict[Fingerprint, list[str]] = {}
        for record_id, fingerprint in sorted(records, reverse=True):
            if record_id not in self._ids:
                free.setdefault(fingerprint, []).append(record_id)
        found, missing = [], []
        for row in rows:
            ids = free.get(row.fingerprint) if row.fingerprint else None
            if ids:
                found.append((row, ids.pop()))
            else:
                missing.append(row)
        for row, record_id in found:
            self.claim([record_id], row.fingerprint)
        given = set(self._ids.values()) - {None}
        return Matches(found, tuple(missing), tuple(row for row in missing if row.fingerprint in given))


def are_shown(rows: Sequence[Row], fingerprints: Iterable[Fingerprint]) -> bool:
    """Whether a list shows the values that rows are recognised by.

    If no record that could be such a row has a value, Planhat does not show it, and a row that was not found may exist.
    """
    kinds = {row.fingerprint[1] for row in rows if row.fingerprint}
    alike = [values for values, kind in fingerprints if kind in kinds]
    return not alike or all(any(value is not None for value in column) for column in zip(*alike, strict=True))


class UnreadableListError(Exception):
    """The list is not sorted by descending `_id`, or does not show the compared values."""


@attrs.define
class DescendingScan:
    """The plan for reading one list from its newest record down to a floor."""

    floor: str
    page_size: int
    offset: int = 0
    """The offset of the next page."""
    is_done: bool = False
    records: dict[str, Fingerprint] = attrs.field(factory=dict)
    """The records read above the floor."""
    _last_id: str = ""
    """The last `_id` of the joined pages."""
    _lowest_id: str = ""
    _step_back: int = 0
    _n_idle: int = 0

    def take_page(self, page: Sequence[Seen]) -> None:
        """Add the page at `offset`.

        Raises:
            UnreadableListError: It is not sorted, or the scan does not advance.
        """
        ids = [record_id for record_id, _ in page]
        if any(above <= below for above, below in itertools.pairwise(ids)):
            raise UnreadableListError("the list is not sorted by descending _id")
        self.records.update((record_id, fingerprint) for record_id, fingerprint in page if record_id > self.floor)
        is_further = bool(ids) and (not self._lowest_id or ids[-1] < self._lowest_id)
        self._lowest_id = ids[-1] if is_further else self._lowest_id
        self._n_idle = 0 if is_further else self._n_idle + 1
        if self._n_idle > _MAX_IDLE_PAGES:
            raise UnreadableListError("its pages do not advance")
        if self.offset == 0 or (ids and ids[0] >= self._last_id):
            self._join(ids)
        else:
            # Rows were deleted above: those between the pages may not have been read.
            self._step_back = max(1, 4 * self._step_back or self.page_size // 8)
            self.offset = max(0, self.offset - self._step_back)

    def _join(self, ids: list[str]) -> None:
        self._step_back = 0
        is_end = not ids or ids == [self._last_id]
        self.is_done = is_end or ids[-1] <= self.floor
        if ids:
            self._last_id = ids[-1]
            # One row is read again, to prove that the pages join.
            self.offset += len(ids) - 1
