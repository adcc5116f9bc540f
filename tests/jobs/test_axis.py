"""Test the scales of charts: few, round and even steps that reach the last value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.jobs.axis import MAX_STEPS, Axis, axis_to, number_labels, time_axis_to, time_labels

VALUES = st.floats(0.001, 1e9)


@given(VALUES, st.booleans())
def test_steps_are_1_2_or_5_times_a_power_of_ten(most: float, is_whole: bool) -> None:
    """At most five of them reach the value, and fewer would not."""
    axis = axis_to(most, is_whole=is_whole)
    mantissa = axis.step / 10 ** math.floor(math.log10(axis.step) + 1e-9)
    assert min(abs(mantissa - one) for one in (1, 2, 5)) < 1e-6
    assert_reached(axis, most)
    assert not is_whole or axis.step >= 1


@given(VALUES)
def test_times_are_round(most: float) -> None:
    """Their labels have one unit, and none is said twice."""
    axis = time_axis_to(most)
    assert_reached(axis, most)
    labels = time_labels(axis)
    assert len({*labels}) == len(labels) == axis.n_steps + 1
    assert len({label.split()[1] for label in labels}) == 1


def assert_reached(axis: Axis, most: float) -> None:
    assert 1 <= axis.n_steps <= MAX_STEPS
    assert axis.end >= most * (1 - 1e-8)
    assert axis.n_steps == 1 or axis.end - axis.step < most
    assert axis.ticks[0] == 0


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0, ["0 s", "1 s"]),
        (0.7, ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s"]),
        (14, ["0 s", "5 s", "10 s", "15 s"]),
        (118, ["0 s", "30 s", "60 s", "90 s", "120 s"]),
        (400, ["0 min", "2 min", "4 min", "6 min", "8 min"]),
        (7000, ["0 min", "30 min", "60 min", "90 min", "120 min"]),
        (90_000, ["0 h", "5 h", "10 h", "15 h", "20 h", "25 h"]),
    ],
)
def test_times_have_the_labels_of_a_clock(seconds: float, labels: list[str]) -> None:
    """Seconds, minutes or hours."""
    assert time_labels(time_axis_to(seconds)) == labels


def test_numbers_have_as_many_digits_as_their_step() -> None:
    """Large ones have separators."""
    assert number_labels(axis_to(6000)) == ["0", "2,000", "4,000", "6,000"]
    assert number_labels(axis_to(1.0)) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert number_labels(axis_to(3, is_whole=True)) == ["0", "1", "2", "3"]
    assert number_labels(axis_to(0)) == ["0", "1"]
