"""Who may start, and when, on a clock that the test moves."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._http.pace import Pace, RateLimits, Start


def test_a_place_is_free_a_minute_after_its_answer() -> None:
    """An attempt answered at once holds its place for 60 seconds from then on."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start_attempt(10.0, is_bulk=False)
    pace.end_attempt(start, 10.25, is_answered=True)
    assert pace.single_from(11.0) == 70.25


def test_a_slow_answer_holds_its_place_no_longer_than_a_second_on_its_way() -> None:
    """An attempt arrived within a second, so its place is free 61 seconds after it was sent."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start_attempt(10.0, is_bulk=False)
    pace.end_attempt(start, 40.0, is_answered=True)
    assert pace.single_from(41.0) == 71.0


def test_an_attempt_without_an_answer_counts_as_sent() -> None:
    """A cancelled attempt may have arrived up to a second after it left."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start_attempt(10.0, is_bulk=False)
    pace.end_attempt(start, 10.1, is_answered=False)
    assert pace.single_from(11.0) == 71.0
    assert pace.single_from(71.0) == 71.0


def test_an_answer_after_a_minute_gives_no_place_back_twice() -> None:
    """A place that is free again already is not taken from another attempt."""
    pace = Pace(RateLimits(per_minute=1))
    first = pace.start_attempt(0.0, is_bulk=False)
    assert pace.single_from(61.0) == 61.0
    pace.start_attempt(61.0, is_bulk=False)
    pace.end_attempt(first, 100.0, is_answered=True)
    assert pace.single_from(101.0) == 122.0


def test_places_in_flight_are_bounded() -> None:
    """With as many in flight as may be, the next one waits for an answer."""
    pace = Pace(RateLimits(max_in_flight=2))
    starts = [pace.start_attempt(0.0, is_bulk=False) for _ in range(2)]
    assert pace.single_from(0.0) == inf
    pace.end_attempt(starts[0], 0.5, is_answered=True)
    assert pace.single_from(0.5) == 0.5


def test_bulk_leaves_single_calls_their_part_of_the_minute() -> None:
    """Nine in ten of the minute's places taken by anyone, and bulk waits while single calls go on."""
    pace = Pace(RateLimits(per_minute=10))
    for _ in range(9):
        pace.end_attempt(pace.start_attempt(0.0, is_bulk=True), 0.0, is_answered=True)
    assert pace.bulk_from(0.0) == 60.0
    assert pace.single_from(0.0) == 0.0


def test_bulk_leaves_single_calls_their_part_of_the_places_in_flight() -> None:
    """Nine in ten of the places in flight taken, and bulk waits while single calls go on."""
    pace = Pace(RateLimits(max_in_flight=10))
    for _ in range(9):
        pace.start_attempt(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == inf
    assert pace.single_from(0.0) == 0.0


def serve(pace: Pace, n_calls: int, now: float) -> None:
    """So many single calls ask, start and are answered."""
    for _ in range(n_calls):
        pace.note_single(now)
        pace.end_attempt(pace.start_attempt(now, is_bulk=False), now, is_answered=True)


def start_bulk_at_once(pace: Pace, now: float, *, n_waiting: int) -> int:
    """Start bulk calls while they may start at once; returns how many did."""
    for n_started in range(n_waiting):
        if pace.bulk_from(now, n_waiting - n_started) > now:
            return n_started
        pace.end_attempt(pace.start_attempt(now, is_bulk=True), now, is_answered=True)
    return n_waiting


@pytest.mark.parametrize(
    ("n_singles", "n_waiting", "n_at_once"),
    [
        (0, 1000, 180),  # alone: everything but the reserve
        (0, 100, 100),
        (1, 178, 178),  # one single call, as many are expected: room for 178
        (1, 40, 40),
        (1, 1000, 158),  # not enough room for all: the last of it, as much as the reserve, is spaced
        (40, 100, 100),
        (40, 101, 80),
        (40, 1000, 80),
        (80, 20, 20),
        (80, 1000, 1),
        (90, 1000, 0),
    ],
)
def test_bulk_starts_at_once_while_there_is_room(n_singles: int, n_waiting: int, n_at_once: int) -> None:
    """Places used, as many single calls as in the last minute, the reserve: what is left of the minute is bulk's."""
    pace = Pace(RateLimits(per_second=1000))
    serve(pace, n_singles, 0.0)
    assert start_bulk_at_once(pace, 0.0, n_waiting=n_waiting) == n_at_once


def test_bulk_is_spaced_over_what_single_calls_leave() -> None:
    """Without room for all, 120 a minute beside 60 single calls: one every half second, once places come free."""
    pace = Pace(RateLimits(per_second=1000))
    for second in range(60):
        serve(pace, 1, float(second))
    assert start_bulk_at_once(pace, 59.5, n_waiting=1000) == 40
    starts, now = list[float](), 59.5
    while len(starts) < 300:
        now += 0.01
        if now % 1 < 0.01:
            serve(pace, 1, now)
        if pace.bulk_from(now, 1000) <= now:
            starts.append(now)
            pace.end_attempt(pace.start_attempt(now, is_bulk=True), now, is_answered=True)
    late = starts[120:]
    assert min(later - earlier for earlier, later in pairwise(late)) > 0.49
    assert 1.9 < (len(late) - 1) / (late[-1] - late[0]) <= 2.01


def test_after_a_minute_without_single_calls_bulk_has_everything() -> None:
    """As many are expected as asked within the last minute: none."""
    pace = Pace(RateLimits(per_second=1000))
    serve(pace, 90, 0.0)
    assert start_bulk_at_once(pace, 0.5, n_waiting=1000) <= 1
    assert start_bulk_at_once(pace, 60.0, n_waiting=1000) == 180


def test_calls_of_others_on_the_token_leave_bulk_less_room() -> None:
    """What Planhat says is used up counts, whoever used it."""
    pace = Pace(RateLimits(per_second=1000))
    serve(pace, 1, 0.0)
    pace.note_server_quota(0.0, remaining=100, limit=200)
    assert start_bulk_at_once(pace, 0.0, n_waiting=79) == 79
    assert pace.bulk_from(0.0) > 0.0


def test_a_large_minute_is_looked_at_in_groups() -> None:
    """Spacing costs the same whatever the limit, and looks no further than it must."""
    pace = Pace(RateLimits(per_minute=10_000, per_second=10_000))
    for second in range(60):
        serve(pace, 100, float(second))
    assert start_bulk_at_once(pace, 59.5, n_waiting=10_000) <= 1
    assert 59.5 < pace.bulk_from(59.5) < 62


def test_without_a_reserve_bulk_may_take_everything_at_once() -> None:
    """`reserve=0` makes bulk calls like any others."""
    pace = Pace(RateLimits(per_minute=3, reserve=0))
    pace.note_single(0.0)
    for _ in range(3):
        assert pace.bulk_from(0.0) == 0.0
        pace.start_attempt(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == 61.0


def test_a_429_pauses_once_for_all_that_were_under_way() -> None:
    """Refusals of attempts that had started before the pause are the same refusal."""
    pace = Pace(RateLimits())
    starts = [pace.start_attempt(0.0, is_bulk=False) for _ in range(3)]
    assert [
        pace.note_refused(start, at, retry_after=None) for at, start in zip((1.0, 1.5, 4.0), starts, strict=True)
    ] == [
        1.0,
        0.5,
        0.0,
    ]
    for start in starts:
        pace.end_attempt(start, 4.0, is_answered=True)
    assert pace.single_from(1.2) == 2.0


def test_pauses_grow_until_something_is_accepted() -> None:
    """Without Retry-After pauses take 1, 2, 4 ... 60 seconds, and 1 again after an answer."""
    pace = Pace(RateLimits())
    now, pauses = 0.0, []
    for _ in range(8):
        start = pace.start_attempt(now, is_bulk=False)
        pauses.append(pace.note_refused(start, now, retry_after=None))
        pace.end_attempt(start, now, is_answered=True)
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    pace.note_accepted(pace.start_attempt(now, is_bulk=False))
    assert pace.note_refused(pace.start_attempt(now, is_bulk=False), now, retry_after=None) == 1.0


def test_after_a_pause_one_attempt_probes_before_the_rest_go_on() -> None:
    """While the probe is in flight nothing else starts; once it is accepted everything does."""
    pace = Pace(RateLimits())
    pace.end_attempt(first := pace.start_attempt(0.0, is_bulk=False), 0.0, is_answered=True)
    pace.note_refused(first, 0.0, retry_after=5.0)
    assert pace.single_from(0.0) == 5.0
    probe = pace.start_attempt(5.0, is_bulk=False)
    assert (pace.single_from(5.0), pace.bulk_from(5.0)) == (inf, inf)
    pace.note_accepted(probe)
    pace.end_attempt(probe, 5.2, is_answered=True)
    assert pace.single_from(5.2) == 5.2


def test_a_probe_without_an_answer_makes_way_for_another() -> None:
    """A probe that is cancelled or gets lost does not stop everything for ever."""
    pace = Pace(RateLimits())
    pace.end_attempt(first := pace.start_attempt(0.0, is_bulk=False), 0.0, is_answered=True)
    pace.note_refused(first, 0.0, retry_after=5.0)
    pace.end_attempt(pace.start_attempt(5.0, is_bulk=False), 6.0, is_answered=False)
    assert pace.single_from(6.0) == 6.0
    pace.start_attempt(6.0, is_bulk=False)
    assert pace.single_from(6.0) == inf


def test_an_old_answer_does_not_end_a_pause() -> None:
    """A 200 to an attempt from before the pause says nothing about the time after it."""
    pace = Pace(RateLimits())
    old, refused = pace.start_attempt(0.0, is_bulk=False), pace.start_attempt(0.0, is_bulk=False)
    pace.note_refused(refused, 1.0, retry_after=10.0)
    pace.note_accepted(old)
    pace.end_attempt(old, 2.0, is_answered=True)
    pace.end_attempt(refused, 2.0, is_answered=True)
    assert pace.single_from(2.0) == 11.0
    assert pace.start_attempt(11.0, is_bulk=False).is_probe


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
    pace.start_attempt(0.0, is_bulk=False)
    pace.note_server_quota(0.5, remaining=remaining, limit=limit)
    assert pace.calls_left(0.5) == left
    assert pace.calls_left(62.0) == 200


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
        start = pace.start_attempt(now, is_bulk=False)
        arrival = now + min(latency, 1.0) * share
        arrivals.append(arrival)
        pace.end_attempt(start, max(arrival, now + latency), is_answered=True)
    arrivals.sort()
    for earlier, later in zip(arrivals, arrivals[per_minute:], strict=False):
        assert later - earlier >= 60 - 1e-9


@pytest.mark.parametrize(("took", "way"), [(0.2, 1.0), (3.0, 3.0), (5.0, 5.0), (5.1, 1.0), (60.0, 1.0)])
def test_what_gets_no_answer_is_on_its_way_as_long_as_the_slowest_answer_took(took: float, way: float) -> None:
    """From one second to five; an answer that takes longer says nothing of the way."""
    pace = Pace(RateLimits(per_minute=1))
    pace.end_attempt(pace.start_attempt(0.0, is_bulk=False), took, is_answered=True)
    lost = pace.start_attempt(100.0, is_bulk=False)
    pace.end_attempt(lost, 100.1, is_answered=False)
    assert pace.single_from(101.0) == 160.0 + way


def test_a_slow_way_is_forgotten_after_a_minute() -> None:
    """An answer that comes a minute later counts anew."""
    pace = Pace(RateLimits())
    for now, took, way in ((0.0, 4.0, 4.0), (50.0, 0.1, 4.0), (70.0, 0.1, 1.0)):
        pace.end_attempt(pace.start_attempt(now, is_bulk=False), now + took, is_answered=True)
        assert pace.start_attempt(now + took, is_bulk=False).arrival == now + took + way


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 5)), min_size=1, max_size=80), st.integers(1, 8))
def test_ways_of_five_seconds_leave_the_minute_within_the_limit(
    attempts: list[tuple[float, float]], per_minute: int
) -> None:
    """Requests may take up to five seconds to arrive: any 60 seconds still hold at most the limit."""
    pace = Pace(RateLimits(per_minute=per_minute, per_second=1000, max_in_flight=1000))
    now, arrivals = 0.0, []
    under_way: list[tuple[float, Start]] = []

    def answer_until(now: float) -> None:
        for at, start in sorted(under_way, key=lambda one: one[0]):
            if at <= now:
                under_way.remove((at, start))
                pace.end_attempt(start, at, is_answered=True)

    for gap, way in attempts:
        now += gap
        answer_until(now)
        while (soonest := pace.single_from(now)) > now:
            now = soonest
            answer_until(now)
        under_way.append((now + way, pace.start_attempt(now, is_bulk=False)))
        arrivals.append(now + way)
    arrivals.sort()
    for earlier, later in zip(arrivals, arrivals[per_minute:], strict=False):
        assert later - earlier >= 60 - 1e-9


@pytest.mark.parametrize(
    ("n", "seconds"),
    [(0, 0.0), (1, 0.0), (6, 0.0), (7, 50.0), (8, 51.0), (9, 52.0), (10, 60.0), (16, 110.0), (25, 170.0)],
)
def test_it_is_known_when_calls_to_come_may_start(n: int, seconds: float) -> None:
    """Nine of ten places are for bulk, and three are taken: six calls at once, three as these come free, and so on."""
    pace = Pace(RateLimits(per_minute=10))
    for second in range(3):
        pace.end_attempt(pace.start_attempt(float(second), is_bulk=True), float(second), is_answered=True)
    assert pace.seconds_until_bulk_call(10.0, n) == seconds


def test_calls_in_flight_count_among_those_to_come() -> None:
    """They have their place already."""
    pace = Pace(RateLimits(per_minute=2, reserve=0))
    pace.start_attempt(0.0, is_bulk=True)
    assert [pace.seconds_until_bulk_call(0.0, n) for n in (1, 2, 3)] == [0.0, 0.0, 61.0]


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"per_second": 0}, {"max_in_flight": 0}, {"reserve": 1.0}])
def test_limits_that_let_nothing_through_are_refused(wrong: dict[str, float]) -> None:
    """A limit of zero, or a reserve of everything, is a mistake."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RateLimits(**wrong)  # type: ignore[arg-type]
