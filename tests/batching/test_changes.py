"""Test which rows changed since a time, and when reading stops."""

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
    """Return a row that changed so many minutes after noon."""
    return SimpleNamespace(updated_at=(NOON + timedelta(minutes=minutes)).isoformat())


def walk_of(joins: Counted | None = None) -> ChangedSince:
    return ChangedSince(name="GET /a", since=NOON, on_join=joins or Counted())


def test_rows_changed_since_the_time_are_selected() -> None:
    """The time itself is included; reading ends at the first older row."""
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
def test_no_changed_row_is_missed_in_any_order(minutes: list[int]) -> None:
    """If the rows are not in order, reading never ends early."""
    walk = walk_of()
    wanted = [walk.selects(row(n)) for n in minutes]
    assert wanted == [n >= 0 for n in minutes]
    is_descending = minutes == sorted(minutes, reverse=True) and len(set(minutes)) > 1
    assert walk.is_over == (is_descending and any(n < 0 for n in minutes))


def test_equal_times_prove_no_order() -> None:
    """A server that ignores the sort may begin with many tasks that changed at the same time."""
    walk = walk_of()
    assert [walk.selects(row(-5)) for _ in range(9)] == [False] * 9
    assert not walk.is_over
    assert walk.selects(row(1))


def test_order_is_checked_within_each_page() -> None:
    """A page that was fetched before others may hold a row that moved since."""
    joins = Counted()
    walk = walk_of(joins)
    walk.selects(row(2))
    walk.end_page()
    walk.selects(row(3))
    assert joins.sorts_ignored == 0


def test_a_wrong_order_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The wrong order is counted, too."""
    joins = Counted()
    walk = walk_of(joins)
    with caplog.at_level(logging.WARNING, "planhat_async.listing"):
        for minutes in (1, 2, 1, 2):
            walk.selects(row(minutes))
    assert (len(caplog.records), joins.sorts_ignored) == (1, 1)


@pytest.mark.parametrize("updated_at", [None, 7, "yesterday"])
def test_a_row_without_a_time_of_change_is_selected(updated_at: object) -> None:
    """A row may be read twice but must not be missed; it proves nothing about the order."""
    walk = walk_of()
    assert walk.selects(SimpleNamespace(updated_at=updated_at))
    assert not walk.is_over


def test_the_filter_of_the_list_still_applies() -> None:
    """A changed row that the list's own filter excludes is not selected."""
    walk = ChangedSince(name="GET /a", since=NOON, on_join=Counted(), row_filter=lambda row: row.updated_at == "never")
    assert not walk.selects(row(1))
