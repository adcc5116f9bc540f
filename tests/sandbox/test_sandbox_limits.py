"""Test the sandbox's rate limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.sandbox.limits import Limits, Window


def admitted(limits: Limits, now: float, n_parallel: int = 1) -> tuple[float, int | None]:
    """Return the seconds until an attempt would be accepted, and the slots left in its minute."""
    return limits.admit("token", now=now, n_parallel=n_parallel), limits.n_free("token", now)


def test_a_slot_is_free_exactly_after_the_window() -> None:
    """The window slides: each slot is free again 60 s after it was taken."""
    limits = Limits(per_minute=2, per_second=None)
    attempts = [admitted(limits, now) for now in (0.0, 10.0, 59.0, 60.0, 60.5, 70.0)]
    assert attempts == [(0.0, 1), (0.0, 0), (1.0, 0), (0.0, 0), (9.5, 0), (0.0, 0)]


def test_the_limit_per_second_is_enforced_too() -> None:
    """An attempt beyond the limit per second is refused although the minute has slots, and takes no slot."""
    limits = Limits(per_minute=10, per_second=2)
    attempts = [admitted(limits, now) for now in (0.0, 0.25, 0.5, 1.0)]
    assert attempts == [(0.0, 9), (0.0, 8), (0.5, 8), (0.0, 7)]


def test_each_token_has_its_own_limits() -> None:
    """The attempts of one token do not count for another."""
    limits = Limits(per_minute=1)
    assert [limits.admit(token, now=0.0) for token in "aba"] == [0.0, 0.0, 60.0]


def test_requests_in_flight_are_limited() -> None:
    """One request too many is refused for a second, and takes no slot."""
    limits = Limits(per_minute=5, per_second=None, max_parallel=2)
    assert [admitted(limits, 0.0, n_parallel=n) for n in (2, 3, 1)] == [(0.0, 4), (1.0, 4), (0.0, 3)]


def test_limits_can_be_off() -> None:
    """Without limits no request is refused, and no number of remaining calls exists."""
    limits = Limits(per_minute=None, per_second=None)
    assert {admitted(limits, 0.0, n_parallel=1000) for _ in range(1000)} == {(0.0, None)}


def test_a_minute_may_be_shorter() -> None:
    """Tests need not wait for a minute; the second stays as long as it is."""
    limits = Limits(per_minute=2, per_second=1, window=6.0)
    assert [admitted(limits, now) for now in (0.0, 0.5, 1.0, 5.0, 6.0)] == [
        (0.0, 1),
        (0.5, 1),
        (0.0, 0),
        (1.0, 0),
        (0.0, 0),
    ]


@pytest.mark.parametrize("window", [0.0, -1.0, float("nan"), float("inf")])
def test_a_minute_without_length_is_refused(window: float) -> None:
    """It must be a finite number of seconds above 0."""
    with pytest.raises(ValueError, match=r"^a window is a number of seconds above 0, not "):
        Limits(window=window)


def test_a_limit_of_zero_is_refused() -> None:
    """A limit below 1 would refuse every call."""
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Limits(per_minute=0)


@given(st.integers(1, 5), st.lists(st.integers(0, 30), max_size=60))
def test_a_window_is_exact(limit: int, gaps: list[int]) -> None:
    """An attempt is accepted if and only if fewer than `limit` were accepted in the window before it."""
    window = Window(limit, 60.0)
    accepted: list[int] = []
    now = 0
    for gap in gaps:
        now += gap
        n_recent = sum(now - 60 < taken for taken in accepted)
        assert window.n_free(now) == limit - n_recent
        assert window.wait(now) == (0.0 if n_recent < limit else accepted[-limit] + 60 - now)
        if n_recent < limit:
            window.take_place(now)
            accepted.append(now)
