"""Test which member of a shared window may start attempts, on a clock that the test moves.

`CASES` is a table of exchanges that every window must answer alike, whatever language its rule is written in.
"""

from __future__ import annotations

from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._http.pace import RateLimits
from planhat_async._http.shared_messages import Ended, EndedAs, MemberStanding, Message, Quota, Reply, Restated
from planhat_async._http.shared_pace import GONE, LATE, MAX_MEMBERS, MAX_PLACES, SharedPace

EPOCH = 7
ALL = RateLimits(per_minute=4, per_second=3, reserve=0)
"""The limits of most cases: four a minute, three a second, nothing reserved."""


def asks(member: int = 0, **told: Any) -> Message:
    """Return what a member tells; 0 joins."""
    limits = told.pop("limits", ALL)
    return Message(epoch=EPOCH if member else 0, member=member, limits=limits, max_places=9, **told)


def answered(*places: int, ago: float = 0.0) -> tuple[Ended, ...]:
    return tuple(Ended(place=place, ended_as=EndedAs.ANSWERED, ago=ago) for place in places)


def refused(place: int, **told: Any) -> tuple[Ended, ...]:
    return (Ended(place=place, ended_as=EndedAs.REFUSED, **told),)


Step = tuple[float, Message, dict[str, Any]]
"""When a member tells what, and the parts of the reply that matter."""

CASES: dict[str, list[Step]] = {
    "a member gets what is free, and is told when more is": [
        (100.0, asks(n_singles=2), {"member": 1, "singles": (1, 2), "n_free": 2, "n_others": 0}),
        (100.5, asks(1, n_singles=1), {"singles": (3,), "single_wait": 2.5, "n_free": 1}),
    ],
    "the second is shared: a place counts from its grant to a second after its latest arrival": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (100.0, asks(n_singles=1), {"member": 2, "singles": (), "single_wait": 3.0, "n_members": 2, "n_others": 3}),
        (103.0, asks(2, n_singles=1), {"singles": (4,)}),
    ],
    "an answer frees the second a second later, and the minute a minute later": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (100.25, asks(1, ended=answered(1, 2, 3), n_singles=1), {"singles": (), "single_wait": 1.0}),
        (101.25, asks(1, n_singles=2), {"singles": (4,), "single_wait": 59.0}),
    ],
    "an answer is dated by how long ago it came": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (101.0, asks(1, ended=answered(1, 2, 3, ago=0.75), n_singles=1), {"singles": (), "single_wait": 0.25}),
    ],
    "a place without an answer is free 62 seconds after its grant": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (104.0, asks(1, n_singles=2), {"singles": (4,), "single_wait": 58.0}),
        (161.75, asks(1, n_singles=1), {"singles": (), "single_wait": 0.25}),
        (162.0, asks(1, n_singles=3), {"singles": (5, 6, 7), "single_wait": 4.0}),
    ],
    "a lost attempt changes nothing": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (
            100.5,
            asks(1, ended=(Ended(place=1, ended_as=EndedAs.LOST),), n_singles=1),
            {"singles": (), "single_wait": 2.5},
        ),
    ],
    "a place that was not used is free at once": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (100.5, asks(1, ended=(Ended(place=2, ended_as=EndedAs.UNUSED),), n_singles=2), {"singles": (4,)}),
    ],
    "an answer that took longer to arrive than all others prolongs what is assumed of those without one": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (103.0, asks(1, ended=answered(1), n_singles=3), {"singles": (2, 3)}),
        (166.75, asks(1, n_singles=1), {"singles": (4,), "n_free": 1}),
        (167.0, asks(1), {"n_free": 3}),
    ],
    "single calls go before bulk calls of the same member": [
        (100.0, asks(n_singles=2, n_bulk=2), {"singles": (1, 2), "bulk": (3,)}),
    ],
    "who was told to wait, and is due, goes before a member that holds more": [
        (100.0, asks(n_singles=2), {"singles": (1, 2)}),
        (100.0, asks(n_singles=2), {"member": 2, "singles": (3,)}),
        (100.5, asks(1, ended=answered(1, 2)), {}),
        (100.5, asks(2, ended=answered(3), n_singles=1), {"single_wait": 1.0}),
        (101.5, asks(1, n_singles=1), {"singles": (), "single_wait": LATE}),
        (101.5 + LATE / 2, asks(2, n_singles=1), {"singles": (4,)}),
    ],
    "who is late has lost its turn": [
        (100.0, asks(n_singles=2), {"singles": (1, 2)}),
        (100.0, asks(n_singles=2), {"member": 2, "singles": (3,)}),
        (100.5, asks(1, ended=answered(1, 2)), {}),
        (100.5, asks(2, ended=answered(3), n_singles=1), {"single_wait": 1.0}),
        (101.75, asks(1, n_singles=1), {"singles": (4,)}),
    ],
    "whoever holds as many places goes first if it asks first": [
        (100.0, asks(n_singles=2), {"singles": (1, 2)}),
        (100.0, asks(n_singles=2), {"member": 2, "singles": (3,)}),
        (101.0, asks(1, ended=answered(1, 2), n_singles=1), {"single_wait": 1.0}),
        (101.0, asks(2, ended=answered(3), n_singles=1), {"single_wait": 1.0}),
        (102.0, asks(2, n_singles=1), {"singles": (4,)}),
    ],
    "a single call that is due goes before bulk calls of all": [
        (100.0, asks(n_singles=3), {"singles": (1, 2, 3)}),
        (100.0, asks(n_bulk=1), {"member": 2, "bulk": (), "bulk_wait": 3.0}),
        (100.5, asks(1, ended=answered(1, 2, 3), n_singles=1), {"single_wait": 1.0}),
        (101.5, asks(2, n_bulk=1), {"bulk": (), "bulk_wait": LATE}),
        (101.5, asks(1, n_singles=1), {"singles": (4,)}),
    ],
    "bulk calls leave the reserve to single calls of all": [
        (100.0, asks(n_bulk=9, limits=RateLimits(per_minute=10)), {"bulk": tuple(range(1, 10)), "n_free": 1}),
        (100.0, asks(n_bulk=1, limits=RateLimits(per_minute=10)), {"bulk": (), "bulk_wait": 62.0}),
        (100.0, asks(2, n_singles=1, limits=RateLimits(per_minute=10)), {"singles": (10,)}),
    ],
    "bulk calls are spaced beside single calls of another member": [
        (100.0, asks(n_singles=4, limits=RateLimits(per_minute=10)), {"singles": (1, 2, 3, 4)}),
        (100.0, asks(n_bulk=9, limits=RateLimits(per_minute=10)), {"member": 2, "bulk": (), "bulk_wait": 2.0}),
        (102.0, asks(2, n_bulk=9, limits=RateLimits(per_minute=10)), {"bulk": (5,), "bulk_wait": 24.0}),
    ],
    "a 429 pauses all members once": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (100.0, asks(n_singles=1), {"member": 2, "singles": (2,)}),
        (100.5, asks(1, ended=refused(1)), {"pause": 1.0, "refusals": 1, "refused_for": 0.0}),
        (100.75, asks(2, ended=refused(2), n_singles=1), {"pause": 0.75, "refusals": 1, "refused_for": 0.25}),
        (101.0, asks(1, n_singles=1), {"singles": (), "single_wait": 0.5}),
    ],
    "a pause is as long as the 429 says": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (101.0, asks(1, ended=refused(1, retry_after=20.0, ago=0.5)), {"pause": 19.5, "refused_for": 0.5}),
    ],
    "after a pause one attempt of one member probes": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (100.0, asks(1, ended=refused(1), n_singles=2), {"singles": (), "single_wait": 1.0}),
        (101.0, asks(1, n_singles=2), {"singles": (2,), "single_wait": inf}),
        (101.0, asks(n_singles=1, n_bulk=1), {"member": 2, "single_wait": inf, "bulk_wait": inf}),
        (101.5, asks(1, ended=answered(2), n_singles=1), {"singles": (3,), "refusals": 0, "refused_for": 0.0}),
        (101.5, asks(2, n_singles=1), {"singles": (4,)}),
    ],
    "a refused probe begins a longer pause": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (100.0, asks(1, ended=refused(1), n_singles=1), {"pause": 1.0}),
        (101.0, asks(1, n_singles=1), {"singles": (2,)}),
        (101.0, asks(1, ended=refused(2), n_singles=1), {"pause": 2.0, "refusals": 2, "single_wait": 2.0}),
    ],
    "a probe that says nothing is replaced after 62 seconds": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (100.0, asks(1, ended=refused(1), n_singles=1), {"single_wait": 1.0}),
        (101.0, asks(1, n_singles=1), {"singles": (2,)}),
        (162.0, asks(n_singles=1), {"member": 2, "singles": (), "single_wait": inf}),
        (163.0, asks(2, n_singles=1), {"singles": (3,)}),
    ],
    "an old answer does not end a pause": [
        (100.0, asks(n_singles=2), {"singles": (1, 2)}),
        (100.0, asks(1, ended=refused(1)), {"pause": 1.0}),
        (100.5, asks(1, ended=answered(2)), {"pause": 0.5, "refusals": 1}),
    ],
    "calls of strangers, as Planhat counts them, take places for a minute": [
        (100.0, asks(n_singles=1), {"singles": (1,), "n_free": 3}),
        (100.5, asks(1, ended=answered(1), quota=Quota(remaining=1)), {"n_free": 1, "n_others": 2}),
        (160.5, asks(1), {"n_free": 4, "n_others": 0}),
    ],
    "what Planhat counts of members is counted once, although it is told later": [
        (100.0, asks(n_singles=2), {"singles": (1, 2)}),
        (100.0, asks(n_singles=1), {"member": 2, "singles": (3,)}),
        (165.0, asks(2, quota=Quota(remaining=1, ago=5.0)), {"n_free": 4, "n_others": 0}),
    ],
    "a member that ends is counted no longer, and its places are": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (100.0, asks(), {"member": 2, "n_members": 2, "n_others": 1}),
        (100.5, asks(1, leaves=True), {"member": 1}),
        (100.5, asks(2), {"n_members": 1, "n_others": 1}),
    ],
    "a member that says nothing is counted no longer, and keeps its number": [
        (100.0, asks(n_singles=1), {"member": 1}),
        (161.0, asks(), {"member": 2, "n_members": 2}),
        (100.0 + GONE, asks(2), {"n_members": 1}),
        (163.0, asks(1), {"member": 1, "n_members": 2}),
    ],
    "what a reply granted that was lost is free again when its member asks": [
        (100.0, asks(n_singles=1), {"singles": (1,), "last_place": 1}),
        (100.25, asks(1, last_place=1, n_singles=2), {"singles": (2, 3), "last_place": 3}),
        (100.5, asks(1, last_place=1, n_singles=3), {"singles": (4, 5), "single_wait": 2.5, "n_free": 1}),
        (100.5, asks(1, last_place=5), {"n_free": 1}),
    ],
    "a probe in a reply that was lost is replaced": [
        (100.0, asks(n_singles=1), {"singles": (1,)}),
        (100.0, asks(1, last_place=1, ended=refused(1), n_singles=1), {"single_wait": 1.0}),
        (101.0, asks(1, last_place=1, n_singles=1), {"singles": (2,)}),
        (101.5, asks(1, last_place=1, n_singles=1), {"singles": (3,)}),
    ],
    "nobody starts until all had the time to restate what they started while the window was away": [
        (100.0, asks(), {"member": 1}),
        (100.0, asks(), {"member": 2}),
        (110.0, asks(1, restated=(Restated(ago=5.0, is_bulk=True),), n_singles=1), {"singles": (), "single_wait": 1.5}),
        (110.5, asks(2, restated=(Restated(ago=5.0, is_bulk=True),) * 3), {"n_free": 0}),
        (111.5, asks(1, n_singles=1), {"singles": (), "single_wait": 53.5}),
    ],
    "a member of another epoch must join again and restate its places, and nobody starts meanwhile": [
        (100.0, Message(epoch=5, member=1, limits=ALL, n_singles=1), {"epoch": EPOCH, "is_unknown": True}),
        (100.5, asks(n_singles=1), {"member": 1, "singles": (), "single_wait": 1.0}),
        (100.5, asks(1), {"n_free": 4}),
        (
            100.5,
            asks(restated=(Restated(ago=30.0, is_bulk=False),) * 2, n_singles=3),
            {"member": 2, "singles": (), "n_free": 2, "single_wait": 1.0},
        ),
        (101.5, asks(2, n_singles=3), {"singles": (3, 4), "single_wait": 29.0}),
    ],
}


def rounded(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.parametrize("steps", CASES.values(), ids=list(CASES))
def test_a_window_decides_by_the_table(steps: list[Step]) -> None:
    """Each reply holds what the table says."""
    shared = SharedPace(epoch=EPOCH)
    for now, message, expected in steps:
        reply = shared.exchange(message, now)
        found = {name: rounded(value) for name, value in attrs.asdict(reply).items()}
        assert found == found | {"epoch": EPOCH} | expected


def test_who_is_on_a_window_can_be_seen() -> None:
    """Members, their places by class, strangers, and the pause."""
    shared = SharedPace(epoch=EPOCH)
    shared.exchange(asks(n_singles=1, pid=11, host="a"), 100.0)
    shared.exchange(asks(n_bulk=9, pid=12, host="b"), 101.0)
    shared.exchange(asks(1, ended=refused(1, retry_after=9.0), quota=Quota(remaining=0)), 102.0)
    standing = shared.standing(103.0, 60.0)
    assert standing.members == (
        MemberStanding(pid=11, host="a", since=3.0, seen=1.0, n_singles=1, n_bulk=0, n_waiting=0),
        MemberStanding(pid=12, host="b", since=2.0, seen=2.0, n_singles=0, n_bulk=2, n_waiting=7),
    )
    assert (standing.n_used, standing.n_strangers, standing.pause, standing.next_free) == (4, 1, 8.0, 59.0)


def test_what_is_kept_is_bounded() -> None:
    """However many members join and restate, a window keeps a limited number of them and of their places."""
    shared = SharedPace(epoch=EPOCH)
    for _ in range(2 * MAX_MEMBERS):
        shared.exchange(asks(restated=(Restated(ago=1.0, is_bulk=True),) * 5), 100.0)
    shared.exchange(asks(), 100.0)
    assert (len(shared.members), len(shared.places)) == (MAX_MEMBERS, MAX_PLACES)


OTHERS = st.lists(
    st.tuples(st.floats(0, 3), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5), st.floats(0, 2), st.booleans()),
    max_size=60,
)


@given(OTHERS, st.integers(1, 8), st.integers(1, 5), st.sampled_from([0, 0.1, 0.5]))
def test_no_minute_and_no_second_hold_more_than_the_limit(
    steps: list[tuple[float, int, int, int, float, bool]], per_minute: int, per_second: int, reserve: float
) -> None:
    """For any questions and any arrivals up to two seconds after the grant, answered or not."""
    limits = RateLimits(per_minute=per_minute, per_second=per_second, reserve=reserve)
    shared = SharedPace(epoch=EPOCH)
    numbers: dict[int, int] = {}
    arrivals, answers = list[float](), list[tuple[float, int, int]]()
    now = 1_000.0
    for gap, name, n_singles, n_bulk, way, is_answered in steps:
        now += gap * 5
        due = [one for one in answers if one[0] <= now and one[1] == name]
        answers = [one for one in answers if one not in due]
        ended = tuple(Ended(place=place, ended_as=EndedAs.ANSWERED, ago=now - at) for at, _, place in due)
        message = asks(numbers.get(name, 0), n_singles=n_singles, n_bulk=n_bulk, limits=limits, ended=ended)
        reply: Reply = shared.exchange(message, now)
        numbers[name] = reply.member
        for place in (*reply.singles, *reply.bulk):
            arrivals.append(now + way)
            if is_answered:
                answers.append((now + way, name, place))
    arrivals.sort()
    for earlier, later in zip(arrivals, arrivals[per_minute:], strict=False):
        assert later - earlier >= 60 - 1e-9
    for earlier, later in zip(arrivals, arrivals[per_second:], strict=False):
        assert later - earlier >= 1 - 1e-9


@given(OTHERS)
def test_what_is_free_is_given_to_a_member_alone(steps: list[tuple[float, int, int, int, float, bool]]) -> None:
    """Nobody waits for members that have ended: whoever asks at the time it was told gets a place."""
    shared = SharedPace(epoch=EPOCH)
    now = 1_000.0
    for gap, _, n_singles, n_bulk, _, _ in steps:
        now += gap
        shared.exchange(asks(n_singles=n_singles, n_bulk=n_bulk, limits=ALL), now)
    member = shared.exchange(asks(), now).member
    for _ in range(40):
        reply = shared.exchange(asks(member, n_singles=1), now)
        if reply.singles:
            return
        now += reply.single_wait
    pytest.fail("a member that asks each time it is told to never gets a place")
