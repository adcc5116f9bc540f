"""Lists that change while they are read, for the tests of stitching."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Self

import attrs

from planhat_async.batching.page import Ask, Page
from planhat_async.batching.stitcher import PageJoin, Stitcher


def id_of(number: int) -> bytes:
    """Return an `_id` that sorts like its number."""
    return b"%08d" % number


@attrs.define
class Counted:
    """Counts how pages joined."""

    joins_repaired: int = 0
    joins_broken: int = 0
    sorts_ignored: int = 0

    def __call__(self, join: PageJoin) -> None:
        """Count it."""
        self.joins_repaired += join is PageJoin.REPAIRED
        self.joins_broken += join is PageJoin.BROKEN
        self.sorts_ignored += join is PageJoin.UNSORTED


@attrs.define(kw_only=True)
class World:
    """A list of numbers in ascending order, behind a server with configurable behaviour."""

    rows: list[int]
    next_row: int
    cap_rows: int | None = None
    cap_bytes: int | None = None
    row_bytes: Callable[[int], int] = lambda _: 100
    ignores_limit_with: int | None = None
    ignores_offset: bool = False
    shuffles: Callable[[list[int]], list[int]] | None = None
    """The order of a server that ignores `sort`."""
    gone: set[int] = attrs.field(factory=set)
    """The rows that were deleted, including those that were inserted again."""

    @classmethod
    def of(cls, n_rows: int, **habits: object) -> Self:
        """Return the numbers from 0 on, ten apart, so that others can be created between them."""
        return cls(rows=[10 * n for n in range(n_rows)], next_row=10 * n_rows, **habits)  # type: ignore[arg-type]

    @classmethod
    def spread(cls, n_rows: int) -> Self:
        """Return the same list with large gaps between the numbers."""
        return cls(rows=[1000 * n for n in range(n_rows)], next_row=1000 * n_rows)

    def create(self) -> None:
        """Add the newest row."""
        self.rows.append(self.next_row)
        self.next_row += 10

    def delete(self, index: int) -> None:
        """Remove the row at an index, modulo the length."""
        if self.rows:
            self.gone.add(self.rows.pop(index % len(self.rows)))

    def insert(self, number: int) -> None:
        """Insert a row between the others unless it exists, such as a task that is opened again."""
        index = bisect_left(self.rows, number)
        if self.rows[index : index + 1] != [number]:
            self.rows.insert(index, number)

    def answer(self, offset: int, limit: int) -> Page[int]:
        """Return the page of the current list."""
        rows = self.rows if self.shuffles is None else self.shuffles(self.rows)
        asked = limit if self.ignores_limit_with is None else self.ignores_limit_with
        rows = rows[0 if self.ignores_offset else offset :][
            : asked if self.cap_rows is None else min(asked, self.cap_rows)
        ]
        if self.cap_bytes is not None:
            rows = self._within(self.cap_bytes, rows)
        n_bytes = sum(map(self.row_bytes, rows))
        return Page(offset=offset, limit=limit, rows=rows, ids=[id_of(n) for n in rows], n_bytes=n_bytes)

    def newest(self) -> Sequence[bytes]:
        """Return the first two `_id`s of the current list in descending order."""
        rows = self.rows[::-1] if self.shuffles is None else self.shuffles(self.rows)
        return [id_of(n) for n in rows[:2]]

    def _within(self, most: int, rows: list[int]) -> list[int]:
        """Return as many rows as fit; the server checks its cap after each row, so one row always fits."""
        n_bytes, kept = 0, []
        for row in rows:
            kept.append(row)
            n_bytes += self.row_bytes(row)
            if n_bytes >= most:
                break
        return kept


@attrs.define
class Reading:
    """The result of reading a list."""

    rows: list[int] = attrs.field(factory=list)
    n_calls: int = 0
    most_pages: int = 0
    asked: list[tuple[int, int]] = attrs.field(factory=list)


def read(
    stitcher: Stitcher[int],
    world: World,
    *,
    change: Callable[[World], None] = lambda _: None,
    draw: random.Random | None = None,
    max_calls: int = 3000,
) -> Reading:
    """Read a whole list; `draw` decides the order of the answers, and the list changes after each."""
    reading, answers = Reading(), dict[Ask, Page[int] | None]()
    newest: Sequence[bytes] | None = None
    is_newest_due = is_reading = False
    while not stitcher.is_over:
        plan = stitcher.plan(is_reading=is_reading)
        answers = {ask: answers.get(ask) for ask in plan}
        reading.most_pages = max(reading.most_pages, len(plan) + is_reading)
        choices: list[Ask | str] = [ask for ask in plan if answers[ask] is None]
        choices += ["newest"] if is_newest_due and newest is None else []
        if is_reading:
            choices.append("read on")
        elif answers[plan[0]] is not None and not (is_newest_due and newest is None):
            choices.append("accept")
        choice = choices[-1] if draw is None else draw.choice(choices)
        if choice == "read on":
            is_reading = False
            continue
        if choice == "newest":
            newest = world.newest()
        elif isinstance(choice, Ask):
            answers[choice] = world.answer(choice.offset, choice.limit)
            reading.asked.append((choice.offset, choice.limit))
        elif is_newest_due:
            assert newest is not None
            stitcher.end_at_newest(newest)
            is_newest_due, newest = False, None
            continue
        else:
            page = answers[plan[0]]
            assert page is not None
            rows = stitcher.accept(page)
            reading.rows += rows
            is_newest_due, is_reading = stitcher.wants_newest, bool(rows)
            continue
        reading.n_calls += 1
        assert reading.n_calls < max_calls, "it does not end"
        change(world)
    return reading
