"""Who may start, and when, on a clock that the test moves."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._http.pace import Pace, RateLimits


def test_a_place_is_free_a_minute_after_its_answer() -> None:
    """An attempt answered at once holds its place for 60 seconds from then on."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start(10.0, is_bulk=False)
    pace.end(start, 10.25, is_answered=True)
    assert pace.single_from(11.0) == 70.25


def test_a_slow_answer_holds_its_place_no_longer_than_a_second_on_its_way() -> None:
    """An attempt arrived within a second, so its place is free 61 seconds after it was sent."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start(10.0, is_bulk=False)
    pace.end(start, 40.0, is_answered=True)
    assert pace.single_from(41.0) == 71.0


def test_an_attempt_without_an_answer_counts_as_sent() -> None:
    """A cancelled attempt may have arrived up to a second after it left."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start(10.0, is_bulk=False)
    pace.end(start, 10.1, is_answered=False)
    assert pace.single_from(11.0) == 71.0
    assert pace.single_from(71.0) == 71.0


def test_an_answer_after_a_minute_gives_no_place_back_twice() -> None:
    """A place that is free again already is not taken from another attempt."""
    pace = Pace(RateLimits(per_minute=1))
    first = pace.start(0.0, is_bulk=False)
    assert pace.single_from(61.0) == 61.0
    pace.start(61.0, is_bulk=False)
    pace.end(first, 100.0, is_answered=True)
    assert pace.single_from(101.0) == 122.0


def test_places_in_flight_are_bounded() -> None:
    """With as many in flight as may be, the next one waits for an answer."""
    pace = Pace(RateLimits(max_in_flight=2))
    starts = [pace.start(0.0, is_bulk=False) for _ in range(2)]
    assert pace.single_from(0.0) == inf
    pace.end(starts[0], 0.5, is_answered=True)
    assert pace.single_from(0.5) == 0.5


def test_bulk_leaves_single_calls_their_part_of_the_minute() -> None:
    """Nine in ten of the minute's places taken by anyone, and bulk waits while single calls go on."""
    pace = Pace(RateLimits(per_minute=10))
    for _ in range(9):
        pace.end(pace.start(0.0, is_bulk=True), 0.0, is_answered=True)
    assert pace.bulk_from(0.0) == 60.0
    assert pace.single_from(0.0) == 0.0


def test_bulk_leaves_single_calls_their_part_of_the_places_in_flight() -> None:
    """Nine in ten of the places in flight taken, and bulk waits while single calls go on."""
    pace = Pace(RateLimits(max_in_flight=10))
    for _ in range(9):
        pace.start(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == inf
    assert pace.single_from(0.0) == 0.0


def test_bulk_is_spaced_while_single_calls_are_about() -> None:
    """For a minute after a single call bulk goes evenly: 180 a minute are one every third of a second."""
    pace = Pace(RateLimits())
    pace.start(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == 0.0
    pace.ask(0.0)
    assert pace.bulk_from(0.0) == pytest.approx(1 / 3)
    assert pace.bulk_from(59.9) == 59.9


def test_without_a_reserve_bulk_may_take_everything_at_once() -> None:
    """`reserve=0` makes bulk calls like any others."""
    pace = Pace(RateLimits(per_minute=3, reserve=0))
    pace.ask(0.0)
    for _ in range(3):
        assert pace.bulk_from(0.0) == 0.0
        pace.start(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == 61.0


def test_a_429_pauses_once_for_all_that_were_under_way() -> None:
    """Refusals of attempts that had started before the pause are the same refusal."""
    pace = Pace(RateLimits())
    starts = [pace.start(0.0, is_bulk=False) for _ in range(3)]
    assert [pace.refused(start, at, retry_after=None) for at, start in zip((1.0, 1.5, 4.0), starts, strict=True)] == [
        1.0,
        0.5,
        0.0,
    ]
    for start in starts:
        pace.end(start, 4.0, is_answered=True)
    assert pace.single_from(1.2) == 2.0


def test_pauses_grow_until_something_is_accepted() -> None:
    """Without Retry-After pauses take 1, 2, 4 ... 60 seconds, and 1 again after an answer."""
    pace = Pace(RateLimits())
    now, pauses = 0.0, []
    for _ in range(8):
        start = pace.start(now, is_bulk=False)
        pauses.append(pace.refused(start, now, retry_after=None))
        pace.end(start, now, is_answered=True)
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    pace.accepted(pace.start(now, is_bulk=False))
    assert pace.refused(pace.start(now, is_bulk=False), now, retry_after=None) == 1.0


def test_after_a_pause_one_attempt_probes_before_the_rest_go_on() -> None:
    """While the probe is in flight nothing else starts; once it is accepted everything does."""
    pace = Pace(RateLimits())
    pace.end(first := pace.start(0.0, is_bulk=False), 0.0, is_answered=True)
    pace.refused(first, 0.0, retry_after=5.0)
    assert pace.single_from(0.0) == 5.0
    probe = pace.start(5.0, is_bulk=False)
    assert (pace.single_from(5.0), pace.bulk_from(5.0)) == (inf, inf)
    pace.accepted(probe)
    pace.end(probe, 5.2, is_answered=True)
    assert pace.single_from(5.2) == 5.2


def test_a_probe_without_an_answer_makes_way_for_another() -> None:
    """A probe that is cancelled or gets lost does not stop everything for ever."""
    pace = Pace(RateLimits())
    pace.end(first := pace.start(0.0, is_bulk=False), 0.0, is_answered=True)
    pace.refused(first, 0.0, retry_after=5.0)
    pace.end(pace.start(5.0, is_bulk=False), 6.0, is_answered=False)
    assert pace.single_from(6.0) == 6.0
    pace.start(6.0, is_bulk=False)
    assert pace.single_from(6.0) == inf


def test_an_old_answer_does_not_end_a_pause() -> None:
    """A 200 to an attempt from before the pause says nothing about the time after it."""
    pace = Pace(RateLimits())
    old, refused = pace.start(0.0, is_bulk=False), pace.start(0.0, is_bulk=False)
    pace.refused(refused, 1.0, retry_after=10.0)
    pace.accepted(old)
    pace.end(old, 2.0, is_answered=True)
    pace.end(refused, 2.0, is_answered=True)
    assert pace.single_from(2.0) == 11.0
    assert pace.start(11.0, is_bulk=False).is_probe


@pytest.mark.parametrize(
    ("remaining", "limit", "left"),
    [
        (150, 200, 150),  # others have used 49
        (150, None, 150),
        (199, 200, 199),  # nobody else is about
        (500, 1000, 199),  # a larger limit than ours changes nothing
        (130, 150, 180),  # a limit of another kind: 20 used there, of which one is ours
        (0, 200, 0),
    ],
)
def test_what_planhat_says_is_left_only_slows_down(remaining: int, limit: int | None, left: int) -> None:
    """Calls used by others on the token are taken off this minute; more than our own limit is never granted."""
    pace = Pace(RateLimits())
    pace.start(0.0, is_bulk=False)
    pace.told(0.5, remaining=remaining, limit=limit)
    assert pace.left(0.5) == left
    assert pace.left(62.0) == 200


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.floats(0, 1)), max_size=60),
    st.integers(1, 8),
)
def test_no_minute_holds_more_than_the_limit_as_the_server_sees_it(
    attempts: list[tuple[float, float, float]], per_minute: int
) -> None:
    """However attempts are spaced, delayed by up to a second and answered, any 60 seconds hold at most the limit."""
    pace = Pace(RateLimits(per_minute=per_minute, max_in_flight=100))
    now, arrivals = 0.0, []
    for gap, latency, share in attempts:
        now = max(now + gap, pace.single_from(now + gap))
        start = pace.start(now, is_bulk=False)
        arrival = now + min(latency, 1.0) * share
        arrivals.append(arrival)
        pace.end(start, max(arrival, now + latency), is_answered=True)
    arrivals.sort()
    for earlier, later in zip(arrivals, arrivals[per_minute:], strict=False):
        assert later - earlier >= 60 - 1e-9


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"per_second": 0}, {"max_in_flight": 0}, {"reserve": 1.0}])
def test_limits_that_let_nothing_through_are_refused(wrong: dict[str, float]) -> None:
    """A limit of zero, or a reserve of everything, is a mistake."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RateLimits(**wrong)  # type: ignore[arg-type]
