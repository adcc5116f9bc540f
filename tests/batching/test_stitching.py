"""Which page comes next, and whether the list has ended."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeded

from planhat_async.batching.stitching import Page, Stitcher
from planhat_async.errors import DecodeError

Serve = Callable[[int, int], range]
"""Rows by offset and limit."""


def page(offset: int, rows: range, row_bytes: int = 100, limit: int = 4) -> Page[int]:
    first_id = str(rows[0]) if rows else None
    return Page(offset=offset, limit=limit, rows=rows, n_bytes=len(rows) * row_bytes, first_id=first_id)


def serving(n_rows: int, most: int | None = None) -> Serve:
    """A server with so many rows, which lowers `limit` to `most`."""
    return lambda offset, limit: range(n_rows)[offset:][: min(limit, most or limit)]


def read(stitcher: Stitcher[int], serve: Serve, row_bytes: int = 100) -> tuple[list[int], list[int]]:
    """The rows of a whole list, and the offsets asked for, as many at a time as the stitcher wants."""
    rows: list[int] = []
    asked: list[int] = []
    ahead: list[tuple[int, int]] = []
    for _ in range(1000):
        while (place := stitcher.next_page(len(ahead))) is not None:
            ahead.append(place)
            asked.append(place[0])
        if stitcher.is_over or not ahead:
            return rows, asked
        offset, limit = ahead.pop(0)
        got = page(offset, serve(offset, limit), row_bytes, limit)
        rows += got.rows
        if not stitcher.accept(got):
            ahead.clear()
    raise AssertionError("the list does not end")


def stitcher_of(
    page_size: int = 4, default_limit: int = 2, max_pages: int = 1, max_rows: int | None = None
) -> Stitcher[int]:
    return Stitcher(page_size=page_size, default_limit=default_limit, max_pages=max_pages, max_rows=max_rows)


@pytest.mark.parametrize(
    ("n_rows", "asked"),
    [(0, [0]), (1, [0]), (2, [0, 2]), (3, [0, 3]), (4, [0, 4]), (5, [0, 4]), (8, [0, 4, 8]), (9, [0, 4, 8])],
)
def test_a_list_is_read_to_its_end(n_rows: int, asked: list[int]) -> None:
    """Every row once, in order; a page shorter than the default limit is the end, any other is followed by one."""
    assert read(stitcher_of(), serving(n_rows)) == (list(range(n_rows)), asked)


@seeded
@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_every_row_is_read_once(n_rows: int, page_size: int, default_limit: int, max_pages: int) -> None:
    """Whatever the sizes."""
    rows, asked = read(stitcher_of(page_size, default_limit, max_pages), serving(n_rows))
    assert (rows, len(asked)) == (list(range(n_rows)), len(set(asked)))


@seeded
@given(st.integers(0, 60), st.integers(5, 12), st.integers(1, 5), st.integers(1, 4))
def test_a_server_that_lowers_the_limit_loses_no_row(
    n_rows: int, page_size: int, default_limit: int, max_pages: int
) -> None:
    """Pages of no more than the default limit are followed until one is shorter."""
    rows, _ = read(stitcher_of(page_size, default_limit, max_pages), serving(n_rows, default_limit))
    assert rows == list(range(n_rows))


@seeded
@given(st.integers(0, 40), st.integers(2, 6), st.integers(1, 4))
def test_a_server_that_caps_bytes_loses_no_row(n_rows: int, most: int, max_pages: int) -> None:
    """A page of a megabyte and more is no end, however few its rows are."""
    stitcher = stitcher_of(page_size=8, default_limit=7, max_pages=max_pages)
    rows, _ = read(stitcher, serving(n_rows, most), row_bytes=1 << 20)
    assert rows == list(range(n_rows))


def test_pages_of_differing_length_repeat_no_row() -> None:
    """A server that caps bytes gives more rows where they are small: the next page begins behind them all."""
    lengths = {0: 2, 2: 4}

    def serve(offset: int, limit: int) -> range:
        return range(12)[offset:][: min(limit, lengths.get(offset, 4))]

    rows, _ = read(stitcher_of(page_size=8), serve, row_bytes=1 << 20)
    assert rows == list(range(12))


def test_a_server_that_ignores_a_low_limit_repeats_no_row() -> None:
    """It gives its default number of rows, more than asked for."""
    rows, _ = read(stitcher_of(page_size=4, default_limit=6), lambda offset, _: range(20)[offset:][:6])
    assert rows == list(range(20))


@pytest.mark.parametrize("n_bytes", [(1 << 20) - 1, 1 << 20])
def test_a_short_page_is_the_end_only_while_it_is_small(n_bytes: int) -> None:
    """From 1 MiB on it may have been cut for its size."""
    stitcher = stitcher_of(page_size=10, default_limit=5)
    stitcher.next_page(0)
    goes_on = stitcher.accept(Page(offset=0, limit=10, rows=[1, 2], n_bytes=n_bytes, first_id="1"))
    is_small = n_bytes < 1 << 20
    assert (goes_on, stitcher.is_over, stitcher.next_page(0)) == (False, is_small, None if is_small else (2, 2))


def test_more_pages_are_asked_for_with_every_full_one() -> None:
    """One page first; then one more at a time, up to the bound."""
    stitcher = stitcher_of(max_pages=3)
    windows = []
    for offset in range(0, 20, 4):
        n_ahead = 0
        while stitcher.next_page(n_ahead) is not None:
            n_ahead += 1
        windows.append(n_ahead)
        assert stitcher.accept(page(offset, range(offset, offset + 4)))
    assert windows == [1, 2, 3, 3, 3]


def test_a_short_page_in_the_middle_closes_the_window() -> None:
    """Pages asked for behind it are of no use: the next one begins where it stopped, alone."""
    stitcher = stitcher_of(page_size=8, max_pages=4)
    asked = [stitcher.next_page(0)]
    stitcher.accept(page(0, range(8), limit=8))
    asked += [stitcher.next_page(0), stitcher.next_page(1)]
    assert stitcher.accept(page(8, range(8, 11), limit=8)) is False
    asked += [stitcher.next_page(0), stitcher.next_page(1)]
    assert asked == [(0, 8), (8, 8), (16, 8), (11, 3), None]


@pytest.mark.parametrize(
    ("max_rows", "asked"), [(0, []), (1, [0]), (4, [0]), (5, [0, 4]), (8, [0, 4]), (None, [*range(0, 44, 4)])]
)
def test_no_page_is_asked_for_beyond_the_rows_wanted(max_rows: int | None, asked: list[int]) -> None:
    """Rows nobody cares for cost no call."""
    assert read(stitcher_of(max_rows=max_rows), serving(40))[1] == asked


def test_nothing_is_asked_for_after_the_end() -> None:
    """An end is an end."""
    stitcher = stitcher_of(max_pages=4)
    read(stitcher, serving(1))
    assert (stitcher.is_over, stitcher.next_page(0)) == (True, None)


@pytest.mark.parametrize("max_pages", [1, 3])
def test_a_server_that_ignores_the_offset_is_noticed(max_pages: int) -> None:
    """The first page again would be read for ever."""
    with pytest.raises(DecodeError, match="offset 4 is the first one again: the server ignores `offset`"):
        read(stitcher_of(max_pages=max_pages), lambda _, limit: range(limit))


def test_a_page_without_ids_is_not_taken_for_the_first_one() -> None:
    """Rows that have no `_id` prove nothing about `offset`."""
    numbers = count()
    stitcher = stitcher_of()
    for _ in range(3):
        place = stitcher.next_page(0)
        assert place is not None
        offset, limit = place
        assert stitcher.accept(Page(offset=offset, limit=limit, rows=[next(numbers)] * 4, n_bytes=4))
