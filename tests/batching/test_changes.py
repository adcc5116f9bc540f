"""Which rows changed since a time, and where to stop looking."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeded
from worlds import Counted

from planhat_async.batching.changes import ChangedSince

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def row(minutes: int) -> SimpleNamespace:
    """One that changed so many minutes after noon."""
    return SimpleNamespace(updated_at=(NOON + timedelta(minutes=minutes)).isoformat())


def walk_of(joins: Counted | None = None) -> ChangedSince:
    return ChangedSince(name="GET /a", since=NOON, on_join=joins or Counted())


def test_rows_are_wanted_from_the_time_on() -> None:
    """The time itself included; the walk is over with the first older one."""
    walk = walk_of()
    assert [(walk.selects(row(minutes)), walk.is_over) for minutes in (5, 0, 0, -1)] == [
        (True, False),
        (True, False),
        (True, False),
        (False, True),
    ]


@pytest.mark.slow
@seeded
@given(st.lists(st.integers(-5, 5)))
def test_no_changed_row_is_missed_whatever_the_order(minutes: list[int]) -> None:
    """Where it does not hold, the walk is never over again."""
    walk = walk_of()
    wanted = [walk.selects(row(n)) for n in minutes]
    assert wanted == [n >= 0 for n in minutes]
    is_descending = minutes == sorted(minutes, reverse=True) and len(set(minutes)) > 1
    assert walk.is_over == (is_descending and any(n < 0 for n in minutes))


def test_equal_times_prove_no_order() -> None:
    """A server that ignores the sort may begin with many tasks that changed at once."""
    walk = walk_of()
    assert [walk.selects(row(-5)) for _ in range(9)] == [False] * 9
    assert not walk.is_over
    assert walk.selects(row(1))


def test_each_page_is_in_order_for_itself() -> None:
    """A page that was fetched before others may hold a row that moved since."""
    joins = Counted()
    walk = walk_of(joins)
    walk.selects(row(2))
    walk.end_page()
    walk.selects(row(3))
    assert joins.sorts_ignored == 0


def test_an_order_that_does_not_hold_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """And counted."""
    joins = Counted()
    walk = walk_of(joins)
    with caplog.at_level(logging.WARNING, "planhat_async.listing"):
        for minutes in (1, 2, 1, 2):
            walk.selects(row(minutes))
    assert (len(caplog.records), joins.sorts_ignored) == (1, 1)


@pytest.mark.parametrize("updated_at", [None, 7, "yesterday"])
def test_a_row_that_does_not_say_when_it_changed_is_wanted(updated_at: object) -> None:
    """Better twice than never; it says nothing about the order either."""
    walk = walk_of()
    assert walk.selects(SimpleNamespace(updated_at=updated_at))
    assert not walk.is_over


def test_a_row_may_be_unwanted_for_another_reason() -> None:
    """The list's own filter goes on."""
    walk = ChangedSince(name="GET /a", since=NOON, on_join=Counted(), row_filter=lambda row: row.updated_at == "never")
    assert not walk.selects(row(1))
