"""Planhat's rate limits, seen from the server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.sandbox.limits import Limits, Window


def admitted(limits: Limits, now: float, n_parallel: int = 1) -> tuple[float, int | None]:
    """Seconds until an attempt would be accepted, and the places left in its minute."""
    return limits.admit("token", now=now, n_parallel=n_parallel), limits.n_free("token", now)


def test_a_place_is_free_again_exactly_after_the_span() -> None:
    """The window slides: each place comes back by itself, 60 s after it was taken."""
    limits = Limits(per_minute=2, per_second=None)
    attempts = [admitted(limits, now) for now in (0.0, 10.0, 59.0, 60.0, 60.5, 70.0)]
    assert attempts == [(0.0, 1), (0.0, 0), (1.0, 0), (0.0, 0), (9.5, 0), (0.0, 0)]


def test_the_second_is_kept_as_well() -> None:
    """An attempt past the limit of the second is refused though the minute has places, and takes none of them."""
    limits = Limits(per_minute=10, per_second=2)
    attempts = [admitted(limits, now) for now in (0.0, 0.25, 0.5, 1.0)]
    assert attempts == [(0.0, 9), (0.0, 8), (0.5, 8), (0.0, 7)]


def test_each_token_has_its_own_limits() -> None:
    """One token's attempts take no place of another's."""
    limits = Limits(per_minute=1)
    assert [limits.admit(token, now=0.0) for token in "aba"] == [0.0, 0.0, 60.0]


def test_requests_under_way_are_limited() -> None:
    """One too many at once is refused for a second, and takes no place."""
    limits = Limits(per_minute=5, per_second=None, max_parallel=2)
    assert [admitted(limits, 0.0, n_parallel=n) for n in (2, 3, 1)] == [(0.0, 4), (1.0, 4), (0.0, 3)]


def test_limits_can_be_off() -> None:
    """Without limits nothing is refused, and there is nothing left to count."""
    limits = Limits(per_minute=None, per_second=None)
    assert {admitted(limits, 0.0, n_parallel=1000) for _ in range(1000)} == {(0.0, None)}


def test_a_limit_of_nothing_is_refused() -> None:
    """A limit below 1 could never be met, so it is a mistake."""
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Limits(per_minute=0)


@given(st.integers(1, 5), st.lists(st.integers(0, 30), max_size=60))
def test_a_window_is_exact(limit: int, gaps: list[int]) -> None:
    """An attempt is accepted if and only if fewer than `limit` were accepted in the span before it."""
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
