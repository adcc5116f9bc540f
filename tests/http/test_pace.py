"""Test which attempts may start, and when, on a clock that the test moves."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._http.pace import Pace, RateLimits, Start


def test_a_slot_is_free_a_minute_after_its_answer() -> None:
    """An attempt answered at once holds its slot for 60 seconds from then on."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start_attempt(10.0, is_bulk=False)
    pace.end_attempt(start, 10.25, is_answered=True)
    assert pace.single_from(11.0) == 70.25


def test_a_slow_answer_holds_its_slot_for_61_seconds() -> None:
    """An attempt arrives within a second, so its slot is free 61 seconds after it was sent."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start_attempt(10.0, is_bulk=False)
    pace.end_attempt(start, 40.0, is_answered=True)
    assert pace.single_from(41.0) == 71.0


def test_an_attempt_without_an_answer_counts_as_sent() -> None:
    """A cancelled attempt may have arrived up to a second after it was sent."""
    pace = Pace(RateLimits(per_minute=1))
    start = pace.start_attempt(10.0, is_bulk=False)
    pace.end_attempt(start, 10.1, is_answered=False)
    assert pace.single_from(11.0) == 71.0
    assert pace.single_from(71.0) == 71.0


def test_an_answer_after_a_minute_frees_no_slot_twice() -> None:
    """A slot that is already free is not taken from another attempt."""
    pace = Pace(RateLimits(per_minute=1))
    first = pace.start_attempt(0.0, is_bulk=False)
    assert pace.single_from(61.0) == 61.0
    pace.start_attempt(61.0, is_bulk=False)
    pace.end_attempt(first, 100.0, is_answered=True)
    assert pace.single_from(101.0) == 122.0


def test_attempts_in_flight_are_bounded() -> None:
    """At the maximum number in flight, the next attempt waits for an answer."""
    pace = Pace(RateLimits(max_in_flight=2))
    starts = [pace.start_attempt(0.0, is_bulk=False) for _ in range(2)]
    assert pace.single_from(0.0) == inf
    pace.end_attempt(starts[0], 0.5, is_answered=True)
    assert pace.single_from(0.5) == 0.5


def test_bulk_calls_reserve_part_of_the_minute_for_single_calls() -> None:
    """Bulk calls wait once nine in ten of the minute's slots are taken; single calls go on."""
    pace = Pace(RateLimits(per_minute=10))
    for _ in range(9):
        pace.end_attempt(pace.start_attempt(0.0, is_bulk=True), 0.0, is_answered=True)
    assert pace.bulk_from(0.0) == 60.0
    assert pace.single_from(0.0) == 0.0


def test_bulk_calls_reserve_part_of_the_slots_in_flight_for_single_calls() -> None:
    """Bulk calls wait once nine in ten of the slots in flight are taken; single calls go on."""
    pace = Pace(RateLimits(max_in_flight=10))
    for _ in range(9):
        pace.start_attempt(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == inf
    assert pace.single_from(0.0) == 0.0


def serve(pace: Pace, n_calls: int, now: float) -> None:
    """Request, start and answer this many single calls."""
    for _ in range(n_calls):
        pace.note_single(now)
        pace.end_attempt(pace.start_attempt(now, is_bulk=False), now, is_answered=True)


def start_bulk_at_once(pace: Pace, now: float, *, n_waiting: int) -> int:
    """Start bulk calls while they may start at once; return how many started."""
    for n_started in range(n_waiting):
        if pace.bulk_from(now, n_waiting - n_started) > now:
            return n_started
        pace.end_attempt(pace.start_attempt(now, is_bulk=True), now, is_answered=True)
    return n_waiting


@pytest.mark.parametrize(
    ("n_singles", "n_waiting", "n_at_once"),
    [
        (0, 1000, 180),  # alone: everything except the reserve
        (0, 100, 100),
        (1, 178, 178),  # one single call; as many are expected: room for 178
        (1, 40, 40),
        (1, 1000, 158),  # not enough room for all: the last of it, as much as the reserve, is spaced out
        (40, 100, 100),
        (40, 101, 80),
        (40, 1000, 80),
        (80, 20, 20),
        (80, 1000, 1),
        (90, 1000, 0),
    ],
)
def test_bulk_starts_at_once_while_there_is_room(n_singles: int, n_waiting: int, n_at_once: int) -> None:
    """Bulk gets the minute less used slots, as many single calls as in the last minute, and the reserve."""
    pace = Pace(RateLimits(per_second=1000))
    serve(pace, n_singles, 0.0)
    assert start_bulk_at_once(pace, 0.0, n_waiting=n_waiting) == n_at_once


def test_bulk_calls_are_spaced_over_the_remaining_slots() -> None:
    """Without room for all, 120 a minute run beside 60 single calls: one every half second, as slots become free."""
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
    """The number of single calls in the last minute is the expected number: 0."""
    pace = Pace(RateLimits(per_second=1000))
    serve(pace, 90, 0.0)
    assert start_bulk_at_once(pace, 0.5, n_waiting=1000) <= 1
    assert start_bulk_at_once(pace, 60.0, n_waiting=1000) == 180


def test_calls_of_other_clients_reduce_the_room_for_bulk() -> None:
    """Every call that Planhat counts is subtracted."""
    pace = Pace(RateLimits(per_second=1000))
    serve(pace, 1, 0.0)
    pace.note_server_quota(0.0, remaining=100, limit=200)
    assert start_bulk_at_once(pace, 0.0, n_waiting=79) == 79
    assert pace.bulk_from(0.0) > 0.0


def test_a_large_limit_is_examined_in_groups() -> None:
    """Spacing costs the same for any limit and examines as few slots as necessary."""
    pace = Pace(RateLimits(per_minute=10_000, per_second=10_000))
    for second in range(60):
        serve(pace, 100, float(second))
    assert start_bulk_at_once(pace, 59.5, n_waiting=10_000) <= 1
    assert 59.5 < pace.bulk_from(59.5) < 62


def test_without_a_reserve_bulk_calls_may_take_every_slot_at_once() -> None:
    """With `reserve=0`, bulk calls count like all others."""
    pace = Pace(RateLimits(per_minute=3, reserve=0))
    pace.note_single(0.0)
    for _ in range(3):
        assert pace.bulk_from(0.0) == 0.0
        pace.start_attempt(0.0, is_bulk=True)
    assert pace.bulk_from(0.0) == 61.0


def test_a_429_pauses_once_for_all_attempts_in_flight() -> None:
    """Refusals of attempts that started before the pause count as the same refusal."""
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


def test_pauses_grow_until_a_call_is_accepted() -> None:
    """Without Retry-After, pauses last 1, 2, 4 ... 60 seconds, and 1 again after an answer."""
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


def test_one_attempt_probes_after_a_pause() -> None:
    """No other attempt starts while the probe is in flight; all start once it is accepted."""
    pace = Pace(RateLimits())
    pace.end_attempt(first := pace.start_attempt(0.0, is_bulk=False), 0.0, is_answered=True)
    pace.note_refused(first, 0.0, retry_after=5.0)
    assert pace.single_from(0.0) == 5.0
    probe = pace.start_attempt(5.0, is_bulk=False)
    assert (pace.single_from(5.0), pace.bulk_from(5.0)) == (inf, inf)
    pace.note_accepted(probe)
    pace.end_attempt(probe, 5.2, is_answered=True)
    assert pace.single_from(5.2) == 5.2


def test_a_probe_without_an_answer_is_replaced() -> None:
    """A cancelled or lost probe does not block all calls for ever."""
    pace = Pace(RateLimits())
    pace.end_attempt(first := pace.start_attempt(0.0, is_bulk=False), 0.0, is_answered=True)
    pace.note_refused(first, 0.0, retry_after=5.0)
    pace.end_attempt(pace.start_attempt(5.0, is_bulk=False), 6.0, is_answered=False)
    assert pace.single_from(6.0) == 6.0
    pace.start_attempt(6.0, is_bulk=False)
    assert pace.single_from(6.0) == inf


def test_an_old_answer_does_not_end_a_pause() -> None:
    """A 200 for an attempt from before the pause proves nothing about the time after it."""
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
        (199, 200, 199),  # no other client is active
        (500, 1000, 199),  # a limit larger than ours changes nothing
        (130, 150, 180),  # a limit of another kind: 20 used there, of which one is ours
        (0, 200, 0),
    ],
)
def test_the_remaining_calls_of_planhat_only_slow_down(remaining: int, limit: int | None, left: int) -> None:
    """Calls of other clients on the token are subtracted from this minute; our own limit is never exceeded."""
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
    """Any 60 seconds hold at most the limit, for any spacing, delays of up to a second, and any answers."""
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
def test_an_unanswered_attempt_is_in_transit_as_long_as_the_slowest_answer(took: float, way: float) -> None:
    """Transit takes one to five seconds; a longer answer proves nothing about it."""
    pace = Pace(RateLimits(per_minute=1))
    pace.end_attempt(pace.start_attempt(0.0, is_bulk=False), took, is_answered=True)
    lost = pace.start_attempt(100.0, is_bulk=False)
    pace.end_attempt(lost, 100.1, is_answered=False)
    assert pace.single_from(101.0) == 160.0 + way


def test_a_slow_transit_is_dropped_after_a_minute() -> None:
    """An answer a minute later starts a new measurement."""
    pace = Pace(RateLimits())
    for now, took, way in ((0.0, 4.0, 4.0), (50.0, 0.1, 4.0), (70.0, 0.1, 1.0)):
        pace.end_attempt(pace.start_attempt(now, is_bulk=False), now + took, is_answered=True)
        assert pace.start_attempt(now + took, is_bulk=False).arrival == now + took + way


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 5)), min_size=1, max_size=80), st.integers(1, 8))
def test_transits_of_five_seconds_stay_within_the_limit(attempts: list[tuple[float, float]], per_minute: int) -> None:
    """Requests may take up to five seconds to arrive; any 60 seconds still hold at most the limit."""
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
def test_the_start_of_future_calls_is_predicted(n: int, seconds: float) -> None:
    """Nine of ten slots are for bulk, and three are taken: six calls start at once, three as these end, and so on."""
    pace = Pace(RateLimits(per_minute=10))
    for second in range(3):
        pace.end_attempt(pace.start_attempt(float(second), is_bulk=True), float(second), is_answered=True)
    assert pace.seconds_until_bulk_call(10.0, n) == seconds


def test_calls_in_flight_count_as_future_calls() -> None:
    """They already hold a slot."""
    pace = Pace(RateLimits(per_minute=2, reserve=0))
    pace.start_attempt(0.0, is_bulk=True)
    assert [pace.seconds_until_bulk_call(0.0, n) for n in (1, 2, 3)] == [0.0, 0.0, 61.0]


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"per_second": 0}, {"max_in_flight": 0}, {"reserve": 1.0}])
def test_limits_without_any_slot_are_refused(wrong: dict[str, float]) -> None:
    """A limit of zero or a reserve of every slot is invalid."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RateLimits(**wrong)  # type: ignore[arg-type]
