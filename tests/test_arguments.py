"""Test the messages about invalid arguments."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async import RateLimits, RetryPolicy, Timeouts
from planhat_async.records import PageLimits
from planhat_async.records.arguments import choice, flag, number, several, text, whole

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("check", "value", "error", "said"),
    [
        (whole(1), "4", TypeError, "a whole number of at least 1, not '4'"),
        (whole(1), 4.0, TypeError, "a whole number of at least 1, not 4.0"),
        (whole(0), True, TypeError, "a whole number of at least 0, not True"),
        (whole(1), None, TypeError, "a whole number of at least 1, not None"),
        (whole(1), NAN, TypeError, "a whole number of at least 1, not nan"),
        (whole(1), 0, ValueError, "a whole number of at least 1, not 0"),
        (whole(1, 5), 6, ValueError, "a whole number from 1 to 5, not 6"),
        (whole(1, or_none=True), -1, ValueError, "a whole number of at least 1 or None, not -1"),
        (number(0), "0.5", TypeError, "a number of at least 0, not '0.5'"),
        (number(0), False, TypeError, "a number of at least 0, not False"),
        (number(0), None, TypeError, "a number of at least 0, not None"),
        (number(0), -0.1, ValueError, "a number of at least 0, not -0.1"),
        (number(0), NAN, ValueError, "a number of at least 0, not nan"),
        (number(0), INF, ValueError, "a number of at least 0, not inf"),
        (number(0, is_open=True), 0, ValueError, "a number greater than 0, not 0"),
        (number(0, below=1), 1, ValueError, "a number of at least 0 and below 1, not 1"),
        (number(0, is_open=True, or_none=True), 0.0, ValueError, "a number greater than 0 or None, not 0.0"),
        (flag(), "yes", TypeError, "True or False, not 'yes'"),
        (flag(), 1, TypeError, "True or False, not 1"),
        (flag(), None, TypeError, "True or False, not None"),
        (flag(or_none=True), "no", TypeError, "True, False or None, not 'no'"),
        (choice("raise", "skip"), "ignore", ValueError, "'raise' or 'skip', not 'ignore'"),
        (choice("raise", "skip"), ["skip"], TypeError, "'raise' or 'skip', not ['skip']"),
        (text(), b"x", TypeError, "text, not b'x'"),
        (text(or_none=True), 5, TypeError, "text or None, not 5"),
    ],
)
def test_an_invalid_value_is_refused_in_one_line(check: Any, value: Any, error: type[Exception], said: str) -> None:
    """`TypeError` is for the type, `ValueError` for the value; the line says what is valid."""
    with pytest.raises(error) as caught:
        check("x", value)
    assert str(caught.value) == f"x must be {said}"


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (whole(1), [1, 10**9]),
        (whole(1, 5, or_none=True), [1, 5, None]),
        (number(0), [0, 0.0, 5, 1e300]),
        (number(0, below=1), [0, 0.999]),
        (number(0, is_open=True, or_none=True), [0.001, None]),
        (flag(), [True, False]),
        (flag(or_none=True), [True, False, None]),
        (choice("raise", "skip"), ["raise", "skip"]),
        (text(or_none=True), ["x", None]),
    ],
)
def test_a_value_within_bounds_is_accepted(check: Any, values: list[Any]) -> None:
    """The bounds themselves are valid."""
    for value in values:
        check("x", value)


def test_a_blank_text_is_refused() -> None:
    """Planhat may ignore a blank filter."""
    with pytest.raises(ValueError, match=r"^x must not be blank: ' '$"):
        text()("x", " ")


@pytest.mark.parametrize("value", ["abc", b"abc", 5, None])
def test_a_single_value_is_not_an_iterable_of_values(value: Any) -> None:
    """A text would be read as its characters."""
    with pytest.raises(TypeError) as caught:
        several("keys", value, of="keys")
    assert str(caught.value) == f"keys must be an iterable of keys, not {value!r}"
    assert several("keys", ("a",), of="keys") == ("a",)


WHOLE: dict[type[Any], list[str]] = {
    RateLimits: ["per_minute", "per_second", "max_in_flight"],
    RetryPolicy: ["attempts"],
}
NUMBERS: dict[type[Any], list[str]] = {
    RateLimits: ["reserve", "window"],
    RetryPolicy: ["wait_initial", "wait_max", "total", "budget"],
    Timeouts: ["connect", "read", "total", "deadline"],
}


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, names in WHOLE.items() for name in names])
@pytest.mark.parametrize(("wrong", "error"), [("200", TypeError), (2.5, TypeError), (True, TypeError), (0, ValueError)])
def test_counts_are_whole_numbers(cls: Any, name: str, wrong: Any, error: type[Exception]) -> None:
    """They must be at least 1."""
    with pytest.raises(error) as caught:
        cls(**{name: wrong})
    assert str(caught.value) == f"{name} must be a whole number of at least 1, not {wrong!r}"


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, names in NUMBERS.items() for name in names])
@pytest.mark.parametrize(
    ("wrong", "error"), [("5", TypeError), (True, TypeError), (-1, ValueError), (NAN, ValueError), (INF, ValueError)]
)
def test_seconds_and_parts_are_finite_numbers(cls: Any, name: str, wrong: Any, error: type[Exception]) -> None:
    """They must not be negative."""
    with pytest.raises(error, match=rf"^{name} must be a number .*, not {wrong!r}$"):
        cls(**{name: wrong})


@pytest.mark.parametrize(("default", "most"), [(0, 100), (-1, 100), (101, 100)])
def test_page_limits_are_positive_and_in_order(default: int, most: int) -> None:
    """The default limit must not exceed the maximum."""
    assert PageLimits(default=100, most=100).most == 100
    with pytest.raises(ValueError, match=r"^(default|most) must be a whole number of at least "):
        PageLimits(default=default, most=most)
