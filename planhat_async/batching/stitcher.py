"""Decides which page to request next, whether a page joins the one before, and where the list ends: decisions only.

Planhat's lists are read by offset, without a total and without a cursor, while others create and delete records.
A deletion moves all rows behind it to the left, past the offsets asked for; a record that comes back in the middle
(a task opened again) moves them to the right; a creation makes the list longer. So offsets are only guesses where
rows are. What proves something are the `_id`s, in the list's order:

A page proves the interval from its first to its last `_id`: of the records that lived through the whole reading,
it holds all that lie in there. The page at offset 0 proves everything to its left as well, the page that ends the
list everything to its right. Let L be the last `_id` yielded. A page *joins* if its offset is 0 or its first `_id`
is not beyond L; of its rows those beyond L are new. So pages overlap by one row, and it does not matter when a
page was fetched, nor that others were fetched before it.

A gap, or an empty page, is a join that failed, never an end: rows may have moved to the left of it. The pages that
were requested already are kept, and a repair is requested: at the place where L is believed to be, if that is further
left, else an eighth of a page back, then four times as far. From a repair the reading goes forward until a row is new;
the kept pages are looked at only then (looking earlier never ended). A repair without a new row shows that rows moved
to the right by about a page, so the kept pages are where L was: they are dropped.

Rows that move once will go on moving, so after a failure pages overlap by more: by a quarter of a page at most if the
repair found L further left than believed, by a sixteenth if a page that was requested alone did not join (rows that
come and go one after the other look as if none had moved), else by a fiftieth. Rows that move right need no overlap,
as long as pages are answered in the order of their offsets, and it would cost calls. They need reading without
requests ahead: a page that was answered before the page in front of it begins too far right. So each failure closes
the window, and it opens again after 4, 16, 64 and more pages that join (`page_window.py`): while repairs cost more
than reading page by page, the list is read page by page. With up to two fifths of a page inserted at each answer, four
pages ahead cost at most a fourth more calls than one page at a time, plus ten.

The list ends at the newest `_id` there was when it began: without that, creations could make it endless. One call
finds it, once there is more than a page. A list also ends with a page that is short, below 1 MiB, and has fewer rows
than the endpoint returns without a `limit`, because no cap on rows or bytes explains that, and with a page that holds
only L. Any other short page proves nothing: a server that ignores or lowers `limit`, or caps the bytes of an answer,
looks the same. The next page is then requested alone, from where that one stopped, and pages are that small from there
on; if bytes were the limit, they grow again as rows become small.

Under a sort of the caller's own, or if a server ignores the sort, `_id`s have no order to compare. Then a page joins if
it begins with rows that were yielded last, or holds many of them in a row, so pages overlap by more. If these rows come
in another order than before, as when many are equal under the sort and the server orders them anew for each call,
other rows may have changed places with them unseen. That, and rows that cannot be found again, is logged and counted,
and the reading goes on: rows may then be missed or come twice. Such a list has no known end either: one that grows
faster than it is read is read for ever.

Assumed: `_id`s are lower-case text that sorts as Planhat sorts it, and a row at the edge of a page is below 1 MiB.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Generic

import attrs

from planhat_async.batching.page import Ask, Id, Page, Row
from planhat_async.batching.page_progress import PageProgress
from planhat_async.batching.page_size import SMALL_BYTES, PageSize
from planhat_async.batching.page_window import PageWindow
from planhat_async.batching.recognition import TAIL_ROWS, index_behind, is_ascending, keeps_order, without
from planhat_async.errors import DecodeError

_logger = logging.getLogger("planhat_async.listing")

_LEFT_OVERLAP = 4
"""The part of a page by which pages overlap at most while rows move left."""
_LONE_OVERLAP = 16
"""The same after a page that was requested alone and did not join."""
_RIGHT_OVERLAP = 50
"""The same while rows move right."""
_MAX_SEARCHES = 3
"""Steps back in search of the rows yielded last."""


class PageJoin(Enum):
    """An irregular join that the session's `stats` count."""

    REPAIRED = "repaired"
    BROKEN = "broken"
    UNSORTED = "unsorted"


OnPageJoin = Callable[[PageJoin], object]


@attrs.define(kw_only=True)
class Stitcher(Generic[Row]):
    """Plans the pages of one list, and joins them in the order of its plan.

    It is long because it is one state machine: each rule of the essay above reads and changes the same few fields.
    """

    name: str
    """The list's name, for messages."""
    page_size: int
    """The rows that a page should have."""
    default_limit: int
    """Rows that the endpoint returns without a `limit`."""
    max_pages: int
    """Pages that may be requested or in memory at once."""
    on_join: OnPageJoin
    """Called for each irregular join."""
    is_by_id: bool = True
    """Whether the list is in the order of its `_id`s."""
    max_rows: int | None = None
    """Stop after this many rows."""
    start: int = 0
    """The offset to begin at: the number of rows read before."""
    after: Id | None = None
    """Read only rows beyond this `_id`, which is probably that of the row before `start`."""
    is_over: bool = attrs.field(init=False)
    """Whether the end of the list is reached."""
    wants_newest: bool = attrs.field(default=False, init=False)
    """Whether the newest `_id`s are to be fetched, for `end_at_newest`."""

    _asks: list[Ask] = attrs.field(factory=list, init=False)
    """The plan: pages that are requested or here, in the order to join them."""
    _size: PageSize = attrs.field(init=False)
    _progress: PageProgress = attrs.field(init=False)
    _window: PageWindow = attrs.field(init=False)
    """The number of pages that may be requested or here now."""
    _overlap: int = attrs.field(default=1, init=False)
    """Rows of a page that the next page repeats."""
    _last: Id | None = attrs.field(init=False)
    """L, the last `_id` yielded."""
    _tail: Sequence[Id] = attrs.field(default=(), init=False)
    """The `_id`s yielded last."""
    _rank: int = attrs.field(init=False)
    """The offset at which L is believed to be."""
    _n_rows: int = attrs.field(default=0, init=False)
    """Rows yielded."""
    _newest: Id | None = attrs.field(default=None, init=False)
    """The newest `_id` when the reading began."""
    _is_newest_asked: bool = attrs.field(default=False, init=False)
    _was_lone: bool = attrs.field(default=False, init=False)
    """Whether the last page that did not join was requested alone."""
    _n_back: int = attrs.field(default=0, init=False)
    """Steps back since the last new row."""
    _resumes_at: int | None = attrs.field(default=None, init=False)
    """The offset where the reading resumes although the rows yielded last were not found."""

    def __attrs_post_init__(self) -> None:
        self._size = PageSize(self.page_size, self.default_limit)
        self._progress = PageProgress(self.name, self.start)
        self._window = PageWindow(self.max_pages)
        self._last = self.after
        if not self.is_by_id:
            self._overlap_tail()
        self._rank = self.start - 1
        self.is_over = self.max_rows is not None and self.max_rows <= 0

    def plan(self, *, is_reading: bool = False) -> Sequence[Ask]:
        """The pages to request or keep, in the order to join them; one fewer while a page is being read."""
        while not self.is_over and len(self._asks) + is_reading < self._window.n_pages and self._reaches_further():
            self._asks.append(self._ask(self._next_offset()))
        del self._asks[max(1, self.max_pages - is_reading) :]  # a repair takes the place of the page furthest away
        return tuple(self._asks[: self.max_pages - is_reading])

    def accept(self, page: Page[Row]) -> Sequence[Row]:
        """Join the first page of the plan; returns its new rows.

        A page that does not join stays in the plan, after the page that is to repair the join.

        Raises:
            DecodeError: The server ignores `offset`, its pages hold no new rows, or it ignores the order by `_id` that
                `after` needs.
        """
        self._progress.check_page(page, n_rows=self._n_rows)
        if self.is_by_id and not is_ascending(page):
            self._give_up_order(page)
        first_new = self._first_new(page)
        if first_new is None:
            self._step_back(page)
            return ()
        if not self.is_by_id and not keeps_order(self._tail, page.ids):
            self._report_broken()
        del self._asks[:1]
        fresh = _from(first_new, page) if self.is_by_id else without(self._tail, _from(first_new, page))
        rows = fresh.rows if self.max_rows is None else fresh.rows[: self.max_rows - self._n_rows]
        if rows and self.is_by_id and self._progress.is_repairing:
            has_moved_left = page.offset + first_new <= self._rank
            self._overlap_more(_LEFT_OVERLAP if has_moved_left else _LONE_OVERLAP if self._was_lone else _RIGHT_OVERLAP)
        self._note_page(page, fresh, len(rows))
        self._go_on(page, is_fruitless=not rows)
        return rows

    def end_at_newest(self, ids: Sequence[Id]) -> None:
        """Take the first `_id`s of the list in descending order: the reading ends there.

        A server that ignores the sort answers with others, so two count only if they descend, and one only if it is no
        older than what was read already.
        """
        self.wants_newest = False
        if ids and self._last is not None and (ids[0] > ids[1] if len(ids) > 1 else ids[0] >= self._last):
            self._newest = ids[0]
            if self._last >= self._newest:
                self._end()

    def _next_offset(self) -> int:
        if self._asks:
            return self._asks[-1].offset + self._asks[-1].limit - self._overlap
        return max(0, self._rank + 1 - (0 if self._last is None else self._overlap))

    def _reaches_further(self) -> bool:
        """Whether `max_rows` leaves rows for another page."""
        if self.max_rows is None or not self._asks:
            return True
        return self._next_offset() + self._overlap < self._rank + 1 + self.max_rows - self._n_rows

    def _ask(self, offset: int) -> Ask:
        if self.max_rows is None:
            return Ask(offset, self._size.rows)
        return Ask(offset, min(self._size.rows, self._rank + 1 + self.max_rows - self._n_rows - offset))

    def _first_new(self, page: Page[Row]) -> int | None:
        """The index of the first new row, or `None` where the page does not join."""
        if self._last is None or page.offset == self._resumes_at:
            return 0
        if not page.ids:
            return max(0, self._rank + 1 - page.offset) if page.rows else None
        if not self.is_by_id:
            return index_behind(self._tail, page.ids)
        first = next((one for one in page.ids if one), self._last)
        if page.offset == 0 or first <= self._last:
            # The first of equal ones: rows without an `_id` have L's here, and are better repeated than missed.
            index = bisect_left(page.ids, self._last)
            return index + (page.ids[index : index + 1] == [self._last])
        return None

    def _step_back(self, page: Page[Row]) -> None:
        """Request a page further left, to be joined before all others."""
        if page.offset == 0 and self.is_by_id:
            self._end()  # the list has become empty
            return
        if not page.rows:
            del self._asks[:1]  # an empty page proves nothing later either
        self._progress.note_gap()
        if not self.is_by_id:
            self._overlap_more(_LEFT_OVERLAP)
        self._was_lone = self._window.n_pages == 1
        self._window.narrow()
        offset = self._rank
        if offset >= page.offset:
            offset = max(0, page.offset - max(1, self._size.rows // 8) * 4**self._n_back)
            self._n_back += 1
        if not self.is_by_id and (self._n_back > _MAX_SEARCHES or page.offset == 0):
            self._resume_unjoined()
        else:
            self._asks.insert(0, Ask(offset, self._size.rows))

    def _overlap_more(self, part: int) -> None:
        """Have pages overlap by more, up to a part of them."""
        most = max(1, self._size.rows // part)
        self._overlap = max(self._overlap, min(most, max(self._overlap * 2, self._size.rows // 50)))

    def _resume_unjoined(self) -> None:
        """Resume where L was believed to be, although the rows yielded last were not found."""
        self._report_broken()
        self._resumes_at = self._rank + 1
        self._asks = [Ask(self._resumes_at, self._size.rows)]

    def _report_broken(self) -> None:
        self.on_join(PageJoin.BROKEN)
        _logger.warning(
            "%s: rows moved while they were read: behind row %d some may be missing or repeated",
            self.name,
            self._n_rows,
        )

    def _overlap_tail(self) -> None:
        """Have pages overlap by enough rows to be recognised by their order."""
        self._overlap = min(TAIL_ROWS, max(1, self._size.rows // 4))

    def _give_up_order(self, page: Page[Row]) -> None:
        if self.after is not None:
            raise DecodeError(f"{self.name} does not come in the order of its `_id`s, so reading it cannot be resumed")
        self.is_by_id = self.wants_newest = False
        self._newest = None
        self._overlap_tail()
        self.on_join(PageJoin.UNSORTED)
        _logger.warning(
            "%s does not come in the order of its `_id`s: rows that move during the reading may be missed", self.name
        )
        if page.rows and not page.ids:
            _logger.warning("%s: rows without an `_id` cannot be distinguished", self.name)

    def _note_page(self, page: Page[Row], fresh: Page[Row], n_new: int) -> None:
        """Note how far the reading has come."""
        self._resumes_at = None
        end = page.offset + len(page.rows) - 1
        if n_new:
            if self._progress.is_repairing:
                self.on_join(PageJoin.REPAIRED)
            self._progress.note_new(page)
            self._n_rows += n_new
            self._n_back = 0
            self._rank = end
            self._last = page.ids[-1] if page.ids else b""
            self._tail = (*self._tail, *fresh.ids[-TAIL_ROWS:])[-TAIL_ROWS:]
        elif page.rows:
            self._progress.note_nothing_new(page, is_by_id=self.is_by_id)
            self._rank = end if self._progress.is_repairing else max(self._rank, end)

    def _go_on(self, page: Page[Row], *, is_fruitless: bool) -> None:
        if self._is_last(page):
            self._end()
            return
        if page.is_short:
            self._ask_alone(page)
            return
        self._size.grow_with(page)
        if is_fruitless:
            # As large as possible, even if few rows are left to read: the next new one may be far away.
            if self._progress.is_repairing or self.max_rows is not None:
                # The pages requested before are where the rows were, and would be examined again and again.
                self._asks = [Ask(max(0, self._rank + 1 - self._overlap), self._size.rows)]
            return
        self._window.widen()
        if not self._is_newest_asked and self.is_by_id and self.max_rows is None:
            self.wants_newest = self._is_newest_asked = True

    def _is_last(self, page: Page[Row]) -> bool:
        n_rows = len(page.rows)
        if self.max_rows is not None and self._n_rows >= self.max_rows:
            return True
        if self._newest is not None and self._last is not None and self._last >= self._newest:
            return True
        if page.is_short and n_rows < self.default_limit and page.n_bytes < SMALL_BYTES:
            return True
        return page.is_short and n_rows <= 1 and list(page.ids) == [self._last]

    def _end(self) -> None:
        self.is_over, self.wants_newest = True, False
        self._asks.clear()

    def _ask_alone(self, page: Page[Row]) -> None:
        """Continue where a short page stopped: the server has a limit of its own."""
        self._size.shrink_to(page)
        self._overlap = min(self._overlap, max(1, self._size.rows // 4))
        self._window.close()
        self._asks = [Ask(page.offset + max(0, len(page.rows) - 1), self._size.rows)]


def _from(first: int, page: Page[Row]) -> Page[Row]:
    return attrs.evolve(page, rows=page.rows[first:], ids=page.ids[first:]) if first else page
