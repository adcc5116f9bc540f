"""Test which page comes next, whether it joins the one before, and where the list ends."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeded
from worlds import Counted, Reading, World, id_of, read

from planhat_async.batching.page import Ask, Page
from planhat_async.batching.stitcher import Stitcher
from planhat_async.errors import DecodeError

many = settings(seeded, max_examples=500)

SIZES = st.integers(1, 24)
DEFAULTS = st.integers(2, 11)
WINDOWS = st.integers(1, 5)
RANDOM = st.integers(0, 2**32).map(random.Random)
HABITS = ["none", "none", "rows", "bytes", "limit"]


def stitcher_of(page_size: int = 4, default_limit: int = 2, max_pages: int = 4, **options: Any) -> Stitcher[int]:
    chosen: dict[str, Any] = {"name": "GET /a", "on_join": Counted()} | options
    return Stitcher(page_size=page_size, default_limit=default_limit, max_pages=max_pages, **chosen)


def page(offset: int, numbers: range | list[int], *, limit: int = 4, n_bytes: int = 100) -> Page[int]:
    return Page(offset=offset, limit=limit, rows=numbers, ids=[id_of(n) for n in numbers], n_bytes=n_bytes)


def world_of(n_rows: int, habit: str, draw: random.Random, default_limit: int) -> World:
    """Return a list behind a server that may cap its pages."""
    if habit == "rows":
        return World.of(n_rows, cap_rows=draw.randrange(default_limit, 25))
    if habit == "bytes":
        sizes: dict[int, int] = {}
        choices = [1000, 100_000, 400_000, 1 << 19]
        return World.of(n_rows, cap_bytes=1 << 20, row_bytes=lambda row: sizes.setdefault(row, draw.choice(choices)))
    return World.of(n_rows, ignores_limit_with=default_limit if habit == "limit" else None)


def changing(draw: random.Random, deletions: float, creations: float, *, in_front: bool) -> Callable[[World], None]:
    """Delete and create this many rows after each answer, on average."""

    def change(world: World) -> None:
        for _ in range(int(deletions) + (draw.random() < deletions % 1)):
            world.delete(0 if in_front else draw.randrange(10**6))
        for _ in range(int(creations) + (draw.random() < creations % 1)):
            world.create()

    return change


@attrs.frozen(kw_only=True)
class Churn:
    """The changes to a list after each answer, on average."""

    insertions: float = 0
    deletions: float = 0
    creations: float = 0
    up_to: float = 1
    """The part of the list, from its beginning, in which rows are inserted."""
    every: int = 1
    """Changes happen after this many answers, and this many times as many at once."""

    def after_each(self, draw: random.Random) -> Callable[[World], None]:
        """Return a function that changes a world after each answer."""
        answers = itertools.count(1)

        def change(world: World) -> None:
            if next(answers) % self.every:
                return
            for act, rate in ((insert, self.insertions), (delete, self.deletions), (World.create, self.creations)):
                for _ in range(int(rate * self.every + draw.random())):
                    act(world)

        def insert(world: World) -> None:
            world.insert(int(draw.random() * self.up_to * world.next_row))

        def delete(world: World) -> None:
            world.delete(draw.randrange(10**6))

        return change


@attrs.define(kw_only=True)
class Hiccuping(World):
    """A list that returns an empty page once."""

    empty_from: int | None

    def answer(self, offset: int, limit: int) -> Page[int]:
        if self.empty_from is not None and offset >= self.empty_from:
            self.empty_from = None
            return page(offset, [], limit=limit)
        return super().answer(offset, limit)


@pytest.mark.slow
@many
@given(
    st.integers(0, 200),
    SIZES,
    DEFAULTS,
    WINDOWS,
    st.sampled_from(HABITS),
    st.tuples(st.sampled_from([0, 0.2, 0.5, 1, 3]), st.sampled_from([0, 0.3, 1, 5])),
    RANDOM,
)
def test_every_surviving_record_comes_exactly_once_in_order(
    n_rows: int,
    page_size: int,
    default_limit: int,
    max_pages: int,
    habit: str,
    rates: tuple[float, float],
    draw: random.Random,
) -> None:
    """Rows are created and deleted between any two answers, which arrive in any order, capped or not."""
    world = world_of(n_rows, habit, draw, default_limit)
    before = set(world.rows)
    change = changing(draw, *rates, in_front=draw.random() < 0.3)
    reading = read(stitcher_of(page_size, default_limit, max_pages), world, change=change, draw=draw)
    assert reading.rows == sorted(set(reading.rows))
    assert before - world.gone <= set(reading.rows)
    assert reading.most_pages <= max_pages


@pytest.mark.slow
@many
@given(
    st.integers(0, 200),
    st.integers(4, 24),
    DEFAULTS,
    WINDOWS,
    st.sampled_from(HABITS),
    st.builds(
        Churn,
        insertions=st.sampled_from([0.1, 0.3, 0.6, 1]),
        deletions=st.sampled_from([0, 0, 0.5, 2]),
        creations=st.sampled_from([0, 0, 0.5, 2]),
        up_to=st.sampled_from([0.05, 0.3, 1]),
        every=st.sampled_from([1, 3, 10, 40]),
    ),
    RANDOM,
)
def test_reinserted_rows_hide_and_repeat_no_others(
    n_rows: int, page_size: int, default_limit: int, max_pages: int, habit: str, churn: Churn, draw: random.Random
) -> None:
    """Deletions and creations beside them do not matter either, one by one or many at once."""
    world = world_of(n_rows, habit, draw, default_limit)
    before = set(world.rows)
    if habit != "none":  # the server's pages may have two rows; no list can be read if two are inserted with each
        churn = attrs.evolve(churn, insertions=churn.insertions / 3)
    change = churn.after_each(draw)
    reading = read(stitcher_of(page_size, default_limit, max_pages), world, change=change, draw=draw)
    assert reading.rows == sorted(set(reading.rows))
    assert before - world.gone <= set(reading.rows)
    assert reading.most_pages <= max_pages


@pytest.mark.slow
@many
@given(st.integers(0, 120), SIZES, DEFAULTS, WINDOWS, st.sampled_from([0, 0.5, 2]), st.integers(-30, 30), RANDOM)
def test_resumed_reading_yields_every_later_record(
    n_rows: int,
    page_size: int,
    default_limit: int,
    max_pages: int,
    deletions: float,
    error: int,
    draw: random.Random,
) -> None:
    """Each surviving record after the last one read is yielded once, however wrong its guessed offset is."""
    world = World.of(n_rows)
    index = draw.randrange(n_rows + 1)
    after = id_of(10 * index)
    expected = {row for row in world.rows if id_of(row) > after}
    change = changing(draw, deletions, 0, in_front=draw.random() < 0.5)
    change(world)
    stitcher = stitcher_of(page_size, default_limit, max_pages, after=after, start=max(0, index + error))
    reading = read(stitcher, world, change=change, draw=draw)
    assert reading.rows == sorted(set(reading.rows))
    assert expected & set(world.rows) <= set(reading.rows) <= expected


@pytest.mark.slow
@many
@given(st.integers(40, 160), st.integers(6, 24), DEFAULTS, WINDOWS, st.sampled_from([0, 0.5, 2]), RANDOM)
def test_a_custom_sort_keeps_its_order(
    n_rows: int, page_size: int, default_limit: int, max_pages: int, changes: float, draw: random.Random
) -> None:
    """Records that are neither moved nor deleted are yielded once, in order, unless a broken join is reported."""
    numbers = [10 * n for n in range(n_rows)]
    draw.shuffle(numbers)
    world, joins = World(rows=numbers, next_row=10**6), Counted()
    before = list(numbers)

    def change(world: World) -> None:
        for _ in range(int(changes) + (draw.random() < changes % 1)):
            if draw.random() < 0.5:
                world.delete(draw.randrange(10**6))
            else:
                world.rows.insert(0, world.next_row)
                world.next_row += 1

    reading = read(
        stitcher_of(page_size, default_limit, max_pages, on_join=joins, is_by_id=False),
        world,
        change=change,
        draw=draw,
    )
    if not joins.joins_broken:
        surviving = [row for row in before if row in set(world.rows)]
        assert [row for row in reading.rows if row in set(surviving)] == surviving


@pytest.mark.slow
@many
@given(st.integers(0, 120), st.integers(6, 24), DEFAULTS, WINDOWS, RANDOM)
def test_a_server_that_ignores_the_sort_is_read_in_its_own_order(
    n_rows: int, page_size: int, default_limit: int, max_pages: int, draw: random.Random
) -> None:
    """Every row is yielded once, and the wrong order is counted once."""
    order = random.Random(draw.randrange(10**9))
    weights = {10 * n: order.random() for n in range(n_rows)}
    world, joins = World.of(n_rows, shuffles=lambda rows: sorted(rows, key=weights.__getitem__)), Counted()
    reading = read(stitcher_of(page_size, default_limit, max_pages, on_join=joins), world, draw=draw)
    assert reading.rows == sorted(world.rows, key=weights.__getitem__)
    assert joins.sorts_ignored == (n_rows > 1 and reading.rows != sorted(reading.rows))


@seeded
@given(st.integers(0, 200), SIZES, WINDOWS, st.integers(0, 60), RANDOM)
def test_no_more_rows_are_read_than_requested(
    n_rows: int, page_size: int, max_pages: int, max_rows: int, draw: random.Random
) -> None:
    """The first rows are read, with as many pages as they fill and the window adds."""
    reading = read(stitcher_of(page_size, 2, max_pages, max_rows=max_rows), World.of(n_rows), draw=draw)
    assert reading.rows == [10 * n for n in range(min(n_rows, max_rows))]
    assert all(offset < max_rows for offset, _ in reading.asked)


@pytest.mark.parametrize(
    ("n_rows", "page_size", "default_limit", "most"),
    [
        (0, 2000, 30, 1),
        (29, 2000, 30, 1),
        (30, 2000, 30, 2),
        (300, 10_000, 500, 1),
        (700, 10_000, 500, 2),
        (10_000, 10_000, 500, 4),
        (300_000, 10_000, 500, 36),
        (200_000, 2000, 30, 106),
    ],
)
def test_a_list_costs_few_calls_beyond_its_pages(n_rows: int, page_size: int, default_limit: int, most: int) -> None:
    """A short list costs one call; any other at most its pages, the window and the newest `_id`."""
    reading = read(stitcher_of(page_size, default_limit), World.of(n_rows))
    assert len(reading.rows) == n_rows
    assert reading.n_calls <= most


def test_deletions_cost_few_extra_calls() -> None:
    """Read 300,000 tasks while a dozen are deleted after every answer, about a hundred a second."""
    draw = random.Random(7)
    world, joins = World.of(300_000), Counted()
    change = changing(draw, 12, 0, in_front=False)
    reading = read(stitcher_of(10_000, 500, on_join=joins), world, change=change, draw=draw)
    assert set(world.rows) <= set(reading.rows)
    assert reading.n_calls <= 31 + 4 + 1 + joins.joins_repaired


PAGES = 40


@pytest.mark.parametrize(("page_size", "max_pages"), [(40, 2), (250, 4)])
@pytest.mark.parametrize("up_to", [0.05, 0.3, 1])
@pytest.mark.parametrize("part", [0.002, 0.05, 0.4])
@pytest.mark.parametrize("is_balanced", [False, True])
def test_insertions_cost_few_extra_calls(
    page_size: int, max_pages: int, up_to: float, part: float, *, is_balanced: bool
) -> None:
    """At most a quarter more calls than page by page, and ten, with up to two fifths of a page inserted per answer."""
    n_inserted = part * page_size
    churn = Churn(insertions=n_inserted, deletions=n_inserted if is_balanced else 0, up_to=up_to)
    costs = []
    for window in (1, max_pages):
        draw, world = random.Random(page_size), World.spread(page_size * PAGES)
        before = set(world.rows)
        reading = read(stitcher_of(page_size, 30, window), world, change=churn.after_each(draw), draw=draw)
        assert before - world.gone <= set(reading.rows)
        costs.append(reading.n_calls)
    one_by_one, ahead = costs
    assert one_by_one <= (PAGES + one_by_one * part) * 1.2 + 3
    assert ahead <= one_by_one * 5 // 4 + 10


@pytest.mark.parametrize("page_size", [40, 250])
@pytest.mark.parametrize("max_pages", [1, 4])
@pytest.mark.parametrize("n_pages", [1, 30, 100])
def test_many_reinserted_rows_cost_the_pages_they_fill(page_size: int, max_pages: int, n_pages: int) -> None:
    """Half as many calls more, and a dozen, even for more pages than the stitcher retries."""
    draw, world = random.Random(page_size), World.spread(page_size * PAGES)
    before = set(world.rows)
    burst = Churn(insertions=page_size * n_pages / 20, up_to=0.3, every=20).after_each(draw)
    n_answers = itertools.count(1)
    reading = read(
        stitcher_of(page_size, 30, max_pages),
        world,
        change=lambda world: burst(world) if next(n_answers) <= 20 else None,
        draw=draw,
    )
    assert before <= set(reading.rows)
    assert reading.n_calls <= 1.5 * (PAGES + n_pages) + 12


@pytest.mark.parametrize("n_rows", [5, 40])
@pytest.mark.parametrize("max_pages", [1, 4])
def test_rows_that_come_and_go_cost_few_extra_calls(n_rows: int, max_pages: int) -> None:
    """Each search for the last row L finds it where it was before."""
    world = World.spread(100 * PAGES)
    before, n_answers = set(world.rows), itertools.count(1)

    def change(world: World) -> None:
        if next(n_answers) % 2:
            world.rows[1:1] = range(1, n_rows + 1)
        else:
            del world.rows[1 : n_rows + 1]

    reading = read(stitcher_of(100, 30, max_pages), world, change=change, draw=random.Random(1))
    assert before <= set(reading.rows)
    assert reading.n_calls <= (1.3 if n_rows == 5 else 3) * PAGES + 6


def test_reading_ends_although_a_page_is_created_after_every_answer() -> None:
    """Reading ends at the record that was newest when it began."""
    world = World.of(40)

    def change(world: World) -> None:
        for _ in range(10):
            world.create()

    reading = read(stitcher_of(10, 2), world, change=change)
    assert set(range(0, 400, 10)) <= set(reading.rows)
    assert reading.n_calls < 20


# The single rules.


def test_pages_overlap_by_one_row() -> None:
    """Each page begins at the last row of the one before, and each full page allows one more in flight."""
    reading = read(stitcher_of(max_pages=2), World.of(12))
    assert sorted(reading.asked) == [(0, 4), (3, 4), (6, 4), (9, 4), (12, 4)]
    assert reading.rows == [10 * n for n in range(12)]


def test_every_full_page_allows_one_more_in_flight() -> None:
    """First one page, then one more at a time, up to the bound, which includes the current page."""
    stitcher = stitcher_of(max_pages=3)
    windows = []
    for start in range(0, 15, 3):
        windows.append([ask.offset for ask in stitcher.plan()])
        stitcher.accept(page(start, range(start, start + 4)))
    assert windows == [[0], [3, 6], [6, 9, 12], [9, 12, 15], [12, 15, 18]]
    assert [ask.offset for ask in stitcher.plan(is_reading=True)] == [15, 18]


def test_a_page_that_does_not_join_waits_for_a_repair() -> None:
    """The page before it is requested again further left; the fetched page is kept and joins then."""
    joins = Counted()
    stitcher = stitcher_of(page_size=16, max_pages=4, on_join=joins)
    stitcher.plan()
    stitcher.accept(page(0, range(16), limit=16))
    (held, _) = stitcher.plan()
    assert stitcher.accept(page(15, range(17, 33), limit=16)) == ()
    repair, *others = stitcher.plan()
    assert (repair.offset, others[0]) == (13, held)
    assert list(stitcher.accept(page(13, range(14, 30), limit=16))) == [*range(16, 30)]
    assert stitcher.plan()[0] is held
    assert list(stitcher.accept(page(15, range(17, 33), limit=16))) == [30, 31, 32]
    assert joins.joins_repaired == 1


def test_an_empty_page_does_not_end_the_list() -> None:
    """All rows may have moved to the left of it."""
    stitcher = stitcher_of(page_size=8, default_limit=2)
    stitcher.plan()
    stitcher.accept(page(0, range(8), limit=8))
    stitcher.plan()
    assert stitcher.accept(page(7, [], limit=8)) == ()
    assert (stitcher.is_over, stitcher.plan()[0].offset) == (False, 6)


def test_a_list_that_became_empty_ends() -> None:
    """At offset 0, no row can be further left."""
    world = World.of(30)
    reading = read(stitcher_of(4, 2, 1), world, change=lambda world: world.rows.clear())
    assert reading.rows == [0, 10, 20, 30]


def test_a_repair_goes_further_back_each_time() -> None:
    """An eighth of a page, then four times as far, but not before the beginning."""
    stitcher = stitcher_of(page_size=64, max_pages=8)
    offsets: list[int] = []
    stitcher.plan()
    stitcher.accept(page(0, range(64), limit=64))
    stitcher.plan()
    for _ in range(3):
        ask = stitcher.plan()[0]
        stitcher.accept(page(ask.offset, range(1000 - len(offsets), 1064), limit=64))
        offsets.append(stitcher.plan()[0].offset)
    assert offsets == [63 - 8, 63 - 8 - 32, 0]


def test_a_repair_takes_the_place_of_the_page_furthest_away() -> None:
    """The number of pages held stays the same."""
    stitcher = stitcher_of(page_size=16, max_pages=2)
    stitcher.plan()
    stitcher.accept(page(0, range(16), limit=16))
    held, _ = stitcher.plan()
    stitcher.accept(page(15, range(20, 36), limit=16))
    assert [ask is held for ask in stitcher.plan()] == [False, True]


def test_pages_overlap_by_more_after_a_failure() -> None:
    """The overlap is a fiftieth of a page, doubles with each failure, and is at most a quarter."""
    stitcher = stitcher_of(page_size=400, max_pages=1)
    stitcher.plan()
    stitcher.accept(page(0, range(400), limit=400))
    overlaps = []
    last = 399
    for _ in range(6):
        (ask,) = stitcher.plan()
        stitcher.accept(page(ask.offset, range(last + 100, last + 500), limit=400))
        (repair,) = stitcher.plan()
        stitcher.accept(page(repair.offset, range(last, last + 400), limit=400))
        last += 399
        (following,) = stitcher.plan()
        overlaps.append(repair.offset + 400 - following.offset)
    assert overlaps == [8, 16, 32, 64, 100, 100]


@pytest.mark.parametrize("n_bytes", [(1 << 20) - 1, 1 << 20])
def test_a_short_page_is_the_end_only_while_it_is_small(n_bytes: int) -> None:
    """From 1 MiB on, the server may have cut it to limit its size."""
    stitcher = stitcher_of(page_size=10, default_limit=5)
    stitcher.plan()
    stitcher.accept(page(0, [1, 2], limit=10, n_bytes=n_bytes))
    assert (stitcher.is_over, len(stitcher.plan())) == ((True, 0) if n_bytes < 1 << 20 else (False, 1))


def test_a_page_of_only_the_last_row_is_the_end() -> None:
    """This holds for a page of 1 MiB or more, too."""
    stitcher = stitcher_of(page_size=10, default_limit=5)
    stitcher.plan()
    stitcher.accept(page(0, [1, 2], limit=10, n_bytes=1 << 21))
    (ask,) = stitcher.plan()
    assert (ask.offset, list(stitcher.accept(page(1, [2], limit=2, n_bytes=1 << 21)))) == (1, [])
    assert stitcher.is_over


def test_the_page_after_a_short_one_is_requested_alone() -> None:
    """It is as large as the server's pages; pages requested after it are dropped."""
    stitcher = stitcher_of(page_size=8, default_limit=2)
    stitcher.plan()
    stitcher.accept(page(0, range(8), limit=8))
    assert [ask.offset for ask in stitcher.plan()] == [7, 14]
    stitcher.accept(page(7, range(7, 12), limit=8))
    assert [(ask.offset, ask.limit) for ask in stitcher.plan()] == [(11, 5)]


def test_pages_grow_again_with_small_rows() -> None:
    """A cap on bytes that cut one page of large rows does not shrink all later pages."""
    large = set(range(100, 140, 10))
    world = World.of(300, cap_bytes=1 << 20, row_bytes=lambda row: 1 << 19 if row in large else 500)
    reading = read(stitcher_of(50, 10), world)
    assert reading.rows == world.rows
    assert max(limit for _, limit in reading.asked[-4:]) == 50


def test_a_page_larger_than_requested_sets_the_page_size() -> None:
    """The server's page size is used from then on, so that no row is fetched twice."""
    world = World.of(100, ignores_limit_with=20)
    reading = read(stitcher_of(page_size=5, default_limit=20, max_pages=1), world)
    assert reading.rows == world.rows
    assert len(reading.asked) <= 7


@pytest.mark.parametrize(
    ("ids", "ends"),
    [
        ([], False),
        ([4], False),
        ([3, 2], True),
        ([3], True),
        ([3, 9], False),
        ([0, 1], False),
        ([2, 1], True),
        ([9, 8], False),
    ],
)
def test_the_newest_id_ends_a_list_that_has_reached_it(ids: list[int], ends: bool) -> None:
    """An answer that neither descends nor is as new as the rows read shows that the server ignores the sort."""
    stitcher = stitcher_of()
    stitcher.plan()
    stitcher.accept(page(0, range(4)))
    assert stitcher.wants_newest
    stitcher.end_at_newest([id_of(n) for n in ids])
    assert (stitcher.is_over, stitcher.wants_newest) == (ends, False)


def test_the_newest_id_is_requested_at_most_once() -> None:
    """It is not requested for a list of one page, a limited number of rows, or another sort."""
    cases: list[tuple[dict[str, Any], bool]] = [({}, True), ({"max_rows": 9}, False), ({"is_by_id": False}, False)]
    for options, expected in cases:
        stitcher = stitcher_of(**options)
        stitcher.plan()
        stitcher.accept(page(0, range(4)))
        assert stitcher.wants_newest is expected
    short = stitcher_of()
    short.plan()
    short.accept(page(0, range(1)))
    assert (short.is_over, short.wants_newest) == (True, False)


@pytest.mark.parametrize("max_pages", [1, 3])
def test_a_server_that_ignores_the_offset_is_detected(max_pages: int) -> None:
    """It would return the first page for ever."""
    with pytest.raises(DecodeError, match=r"came again at the offsets .*: the server ignores `offset`"):
        read(stitcher_of(max_pages=max_pages), World.of(30, ignores_offset=True))


def test_pages_without_new_rows_end_with_an_error() -> None:
    """Reading would never end."""
    draw = random.Random(1)
    stitcher = stitcher_of(page_size=4, default_limit=2, max_pages=2)

    def go_on(rows: list[int]) -> None:
        stitcher.accept(page(stitcher.plan()[0].offset, rows))

    def never_end() -> None:
        while True:
            go_on([draw.randrange(50, 60), 90, 91, 92])

    go_on([0, 1, 2, 3])
    stitcher.end_at_newest([])
    with pytest.raises(DecodeError, match="60 pages after 8 rows held no new row"):
        never_end()


def test_an_ignored_sort_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The number of pages out of order does not matter."""
    with caplog.at_level(logging.WARNING, "planhat_async.listing"):
        reading = read(stitcher_of(page_size=5), World.of(40, shuffles=lambda rows: rows[::-1]))
    assert reading.rows == [10 * n for n in range(40)][::-1]
    assert len(caplog.records) == 1


def test_rows_without_ids_are_identified_by_offset(caplog: pytest.LogCaptureFixture) -> None:
    """They have no other identity."""
    stitcher = stitcher_of(max_pages=1)
    rows: list[int] = []
    while not stitcher.is_over:
        ask = stitcher.plan()[0]
        answer = World.of(9).answer(ask.offset, ask.limit)
        rows += stitcher.accept(attrs.evolve(answer, ids=()))
    assert rows == [10 * n for n in range(9)]
    assert "rows without an `_id`" in caplog.text


def test_reading_without_order_is_not_resumed() -> None:
    """Without an order, no row lies after an `_id`."""
    stitcher = stitcher_of(after=id_of(20), start=2)
    with pytest.raises(DecodeError, match="cannot be resumed"):
        stitcher.accept(page(2, [20, 10]))


def test_a_lost_last_row_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Under a custom sort, reading continues at the same offset."""
    joins = Counted()
    stitcher = stitcher_of(page_size=8, is_by_id=False, on_join=joins, max_pages=2)
    stitcher.plan()
    stitcher.accept(page(0, range(8), limit=8))
    while not joins.joins_broken:
        ask = stitcher.plan()[0]
        assert stitcher.accept(page(ask.offset, range(50, 58), limit=8)) == ()
    ask = stitcher.plan()[0]
    assert (ask.offset, list(stitcher.accept(page(8, range(60, 68), limit=8)))) == (8, [*range(60, 68)])
    assert "behind row 8 some may be missing or repeated" in caplog.text


def test_few_rows_at_a_high_offset_cost_few_calls() -> None:
    """Pages before the row to resume after are as large as possible."""
    stitcher = stitcher_of(10_000, 500, after=id_of(1_000_000), max_rows=10)
    reading = read(stitcher, World.of(200_000))
    assert reading.rows == [1_000_000 + 10 * n for n in range(1, 11)]
    assert reading.n_calls < 15


def test_a_server_that_ignores_the_offset_is_detected_without_ids() -> None:
    """The repeated rows give it away."""
    stitcher = stitcher_of(max_pages=1)

    def never_end() -> None:
        while True:
            stitcher.accept(attrs.evolve(page(stitcher.plan()[0].offset, range(4)), ids=()))

    with pytest.raises(DecodeError, match="the server ignores `offset`"):
        never_end()


def test_a_row_without_an_id_is_not_lost_after_its_predecessor() -> None:
    """It is identified by the `_id` before it; the row before a page proves nothing."""
    stitcher = stitcher_of(max_pages=1)
    stitcher.plan()
    stitcher.accept(page(0, range(4)))
    named = Page(offset=3, limit=4, rows=[3, 99, 4, 5], ids=[id_of(n) for n in (3, 3, 4, 5)], n_bytes=9)
    assert list(stitcher.accept(named)) == [99, 4, 5]
    gap = Page(offset=6, limit=4, rows=[99, 8, 9, 10], ids=[b"", *map(id_of, (8, 9, 10))], n_bytes=9)
    assert stitcher.accept(gap) == ()


def test_an_empty_page_is_not_examined_again() -> None:
    """It never proves anything, so one empty answer costs few calls."""
    reading = read(stitcher_of(10_000, 500), Hiccuping.of(300_000, empty_from=100_000))
    assert (len(reading.rows), reading.n_calls <= 40) == (300_000, True)


def test_a_moved_row_does_not_hide_rows_before_it() -> None:
    """Under a custom sort, a row of the page before may occur again later, after other rows."""
    stitcher = stitcher_of(page_size=40, is_by_id=False, max_pages=1)
    stitcher.plan()
    stitcher.accept(page(0, range(40), limit=40))
    (ask,) = stitcher.plan()
    assert (ask.offset, stitcher.accept(page(30, [*range(40, 60), 20, *range(60, 79)], limit=40))) == (30, ())
    (repair,) = stitcher.plan()
    joined = page(repair.offset, [*range(35, 60), 20, *range(60, 74)], limit=40)
    assert list(stitcher.accept(joined)) == [*range(40, 60), *range(60, 74)]


def test_no_page_is_requested_after_the_end() -> None:
    """The plan stays empty."""
    stitcher = stitcher_of()
    assert isinstance(read(stitcher, World.of(1)), Reading)
    assert (stitcher.is_over, stitcher.plan()) == (True, ())


def test_requests_for_the_same_page_are_distinct() -> None:
    """A failed request stays in the plan beside its repetition."""
    assert len({Ask(0, 5), Ask(0, 5)}) == 2


@pytest.mark.slow
@settings(seeded, max_examples=150)
@given(st.integers(1, 150), RANDOM)
def test_no_row_of_equal_rows_is_lost_silently(n_equal: int, draw: random.Random) -> None:
    """A server may order equal rows differently for each call."""

    def shuffled(rows: list[int]) -> list[int]:
        return sorted(rows, key=lambda row: (row // 10 // n_equal, draw.random()))

    joins = Counted()
    stitcher = stitcher_of(200, 30, 1, is_by_id=False, on_join=joins)
    reading = read(stitcher, World.of(900, shuffles=shuffled))
    is_exact = len(reading.rows) == len(set(reading.rows)) == 900
    assert is_exact or joins.joins_broken > 0


def test_a_correct_order_is_not_a_broken_join() -> None:
    """Many rows may be equal, and rows may be deleted or inserted in front."""
    joins, world = Counted(), World.of(2000)
    order = {row: -(row // 2500) for row in world.rows}
    world.shuffles = lambda rows: sorted(rows, key=lambda row: order.get(row, -(10**6)))

    def change(world: World) -> None:
        world.create()
        world.delete(0)

    reading = read(stitcher_of(200, 30, 1, is_by_id=False, on_join=joins), world, change=change)
    assert (len(reading.rows) >= 1950, joins.joins_broken) == (True, 0)
