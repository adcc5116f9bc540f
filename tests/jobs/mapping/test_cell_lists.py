"""Test lists in a cell, and typed values as JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.mapping.cell_lists import json_value, list_in, split_list
from planhat_async.jobs.mapping.notation import Notation

BERLIN = Notation(zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "separator", "items"),
    [
        ("vip, urgent", ",", ["vip", "urgent"]),
        (" a ;; b; ", ";", ["a", "b"]),
        ("a, b", ";", ["a, b"]),
        ("a||b", "||", ["a", "b"]),
        ("a\r\nb\n", "\n", ["a", "b"]),
        ('"a, b", c', ",", ["a, b", "c"]),
        ('a, "say ""hi"""', ",", ["a", 'say "hi"']),
        ('5" pipe, x', ",", ['5" pipe', "x"]),
        ('"hot" lead, x', ",", ['"hot" lead', "x"]),
        ('"open, x', ",", ['"open', "x"]),
        (" , ", ",", []),
    ],
)
def test_a_cell_is_split_at_its_separator(text: str, separator: str, items: list[str]) -> None:
    """Blank items are dropped; an item in quotes may hold the separator, and other quotes are part of their item."""
    assert split_list(text, separator) == items


@pytest.mark.parametrize("value", ['["a,b", 1]', ("a,b", 1), ["a,b", 1]])
def test_a_list_may_be_json_or_typed(value: Any) -> None:
    """Its items keep their types."""
    assert list_in(value, Notation(list_separator=";"), "tags") == ["a,b", 1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[VIP] a", "tags: '[VIP] a' is not a JSON list"),
        (5, "tags: 5 is not a list"),
        (" ", "tags: ' ' is not a list"),
        (" , ", "tags: ' , ' is a list without items; write [] to empty the field"),
        ('""', "tags: '\"\"' is a list without items; write [] to empty the field"),
    ],
)
def test_what_is_no_list_is_refused(value: Any, message: str) -> None:
    """A bracket begins JSON."""
    with pytest.raises(ValueError, match="tags: ") as caught:
        list_in(value, Notation(), "tags")
    assert str(caught.value) == message


def test_cells_with_other_separators_are_counted() -> None:
    """A remark says so, because the cell may have been meant as a list."""
    notation = Notation()
    assert [list_in(text, notation, "tags") for text in ("a;b", "a|b", "a,b;c", "a")] == [
        ["a;b"], ["a|b"], ["a", "b;c"], ["a"]
    ]  # fmt: skip
    assert notation.remarks.single_items == {"tags": 2}


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text().map(str.strip).filter(lambda item: item and '"' not in item)), st.sampled_from(",;|"))
def test_items_survive_a_round_trip(items: list[str], separator: str) -> None:
    """What is joined is split into the same items, where none of them holds the separator."""
    plain = [item for item in items if separator not in item]
    assert split_list(f" {separator} ".join(plain), separator) == plain


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Decimal("12.50"), 12.5),
        (Decimal(7), 7),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (date(2024, 5, 31), "2024-05-31"),
        (datetime(2024, 5, 31), datetime(2024, 5, 31, tzinfo=ZoneInfo("Europe/Berlin"))),  # noqa: DTZ001
        (datetime(2024, 5, 31, tzinfo=UTC), datetime(2024, 5, 31, tzinfo=UTC)),
        ({"a": [Decimal("0.5"), {"b": date(2024, 5, 31)}]}, {"a": [0.5, {"b": "2024-05-31"}]}),
        ((1, None, "x", True, 0.5), [1, None, "x", True, 0.5]),
    ],
)
def test_typed_values_become_json(value: Any, found: Any) -> None:
    """They keep their digits, and their names where JSON has no type of its own for them."""
    assert json_value(value, BERLIN, "custom.x") == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (time(9, 30), "custom.x: 09:30:00 (time) cannot be sent as JSON"),
        (timedelta(1), "custom.x: 1 day, 0:00:00 (timedelta) cannot be sent as JSON"),
        ({"a": b"x"}, "custom.x.a: b'x' (bytes) cannot be sent as JSON"),
    ],
)
def test_what_json_has_nothing_for_is_refused(value: Any, message: str) -> None:
    """The message names the place and the type."""
    with pytest.raises(ValueError, match=r"custom\.x") as caught:
        json_value(value, BERLIN, "custom.x")
    assert str(caught.value) == message


def test_an_object_of_plain_values_is_returned_itself() -> None:
    """Most rows have nothing else, and it takes no copy."""
    held = {"a": 1, "b": None}
    assert json_value(held, BERLIN, "custom") is held


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    """Only its row is invalid."""
    value: Any = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(ValueError, match=r"^custom\.x: nested too deep$"):
        json_value(value, BERLIN, "custom.x")
