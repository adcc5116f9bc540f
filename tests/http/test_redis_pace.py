"""Test the rule in Redis' language against the one in Python, on times that the test gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import inf
from typing import Any, cast

import attrs
import msgspec
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from test_shared_pace import ALL, CASES, EPOCH, Step, asks

from benchmarks.redis_server import RedisServer
from planhat_async._http import redis_pace
from planhat_async._http.pace import RateLimits
from planhat_async._http.redis_pace import SCRIPT, decoded, encoded, standing_in
from planhat_async._http.shared_messages import (
    NO_MEMBERS,
    Ended,
    EndedAs,
    MemberStanding,
    Message,
    Quota,
    Reply,
    Restated,
)
from planhat_async._http.shared_pace import SETTLING, SharedPace

pytestmark = pytest.mark.redis

keys = (f"key {n}" for n in itertools.count())


@attrs.frozen
class LuaPace:
    """A window that a script decides about."""

    client: redis.Redis
    key: str = attrs.field(factory=lambda: next(keys))

    def exchange(self, message: Message, now: float, *, epoch: int = EPOCH) -> Reply:
        given = (encoded(message), epoch, repr(now))
        reply: Any = self.client.eval(SCRIPT, 1, self.key, *given)
        return decoded(reply)

    @property
    def record(self) -> bytes | None:
        return cast("bytes | None", self.client.get(self.key))


@pytest.fixture(scope="module")
def client(lasting_redis: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=lasting_redis.port) as opened:
        yield opened


@pytest.mark.parametrize("steps", CASES.values(), ids=list(CASES))
def test_the_script_decides_by_the_table(steps: list[Step], client: redis.Redis) -> None:
    """Each reply is that of the rule in Python, to the last bit."""
    script, rule = LuaPace(client), SharedPace(epoch=EPOCH)
    for now, message, _ in steps:
        assert script.exchange(message, now) == rule.exchange(message, now)


LIMITS = st.builds(
    RateLimits,
    per_minute=st.integers(1, 30),
    per_second=st.integers(1, 12),
    max_in_flight=st.integers(1, 12),
    reserve=st.sampled_from([0, 0.1, 0.5]),
    window=st.sampled_from([6.0, 60.0]),
)
AGO = st.floats(0, 8)
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "gap": st.one_of(st.none(), st.none(), st.just(0.0), st.floats(0, 0.1), st.floats(0, 5), st.floats(50, 70)),
            "name": st.integers(0, 4),
            "n_singles": st.integers(0, 6),
            "n_bulk": st.integers(0, 6),
            "max_places": st.integers(0, 5),
            "ends": st.lists(
                st.tuples(st.integers(0, 20), st.sampled_from(EndedAs), AGO, st.none() | st.floats(0, 9)), max_size=5
            ),
            "restated": st.lists(st.builds(Restated, ago=st.floats(-2, 70), is_bulk=st.booleans()), max_size=3),
            "quota": st.none()
            | st.builds(
                Quota, remaining=st.integers(0, 30), limit=st.none() | st.integers(1, 40), ago=st.floats(0, 12)
            ),
            "leaves": st.sampled_from([False] * 9 + [True]),
            "knows": st.sampled_from(["all"] * 8 + ["another epoch", "fewer places"]),
        }
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=100)
@given(LIMITS, STEPS)
def test_the_script_decides_as_the_rule_in_python(
    client: redis.Redis, limits: RateLimits, steps: list[dict[str, Any]]
) -> None:
    """For any history of members that come, go, are refused, forget, did not hear a reply, or ask when they may."""
    script, rule = LuaPace(client), SharedPace(epoch=EPOCH)
    numbers, heard, now = dict[int, int](), dict[int, int](), 1_790_000_000.0
    due = now
    for step in steps:
        now = max(now, due) if step["gap"] is None else now + step["gap"]
        number = numbers.get(step["name"], 0)
        knows = step["knows"]
        message = Message(
            epoch=0 if not number else EPOCH + 1 if knows == "another epoch" else EPOCH,
            member=number,
            last_place=None if not number else max(0, heard[number] - 3 * (knows == "fewer places")),
            pid=step["name"],
            host="ü" * 40,
            limits=limits,
            n_singles=step["n_singles"],
            n_bulk=step["n_bulk"],
            max_places=step["max_places"],
            ended=tuple(
                Ended(place=rule.next_place - 1 - back, ended_as=ended_as, ago=ago, retry_after=retry_after)
                for back, ended_as, ago, retry_after in step["ends"]
            ),
            restated=tuple(step["restated"]),
            quota=step["quota"],
            leaves=step["leaves"],
        )
        reply = rule.exchange(message, now)
        assert script.exchange(message, now) == reply
        numbers[step["name"]] = reply.member
        heard[reply.member] = reply.last_place
        waits = [wait for wait in (reply.single_wait, reply.bulk_wait) if 0 < wait < inf]
        due = now + min(waits, default=0.0)


def test_a_clock_that_goes_back_does_not_stop_the_window(client: redis.Redis) -> None:
    """The window goes on from its last time: its places are over when a minute has passed since."""
    script = LuaPace(client)
    script.exchange(asks(n_singles=3), 5_000.0)
    assert script.exchange(asks(1, n_singles=2), 1_000.0).singles == ()
    assert script.exchange(asks(1, n_singles=2), 1_004.0).singles == (4,)
    assert script.exchange(asks(1, n_singles=2), 1_062.0).singles == (5, 6)
    assert standing_in(script.record, now=1_062.0, seconds=60.0).n_used == 3


def test_what_is_no_record_is_begun_anew(client: redis.Redis) -> None:
    """Nobody gets a place until all had the time to restate theirs."""
    for damaged in (b"\x01", b"\xc1", encoded(Message())):
        script = LuaPace(client)
        client.set(script.key, damaged)
        reply = script.exchange(asks(n_singles=1), 100.0, epoch=9)
        assert (reply.epoch, reply.singles, reply.single_wait) == (9, (), SETTLING)
        assert script.exchange(asks(n_singles=1), 100.0 + SETTLING, epoch=10).singles == (1,)


def test_a_record_of_a_newer_version_is_left_alone(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer version may be using it; nothing of it is shown either."""
    script = LuaPace(client)
    newer = SCRIPT.replace("local VERSION = 1\n", "local VERSION = 2\n")
    client.eval(newer, 1, script.key, encoded(asks(n_singles=1)), EPOCH)
    before = script.record
    with pytest.raises(redis.ResponseError, match="NEWER version"):
        script.exchange(asks(), 100.0)
    assert script.record == before
    assert standing_in(before, now=100.0, seconds=60.0) == NO_MEMBERS
    monkeypatch.setattr(redis_pace, "VERSION", 2)
    assert len(standing_in(before, now=100.0, seconds=60.0).members) == 1


def test_a_new_window_has_the_epoch_it_is_given(client: redis.Redis) -> None:
    """A member of the lost one is told so, and nobody gets a place meanwhile."""
    script = LuaPace(client)
    script.exchange(asks(n_singles=1), 100.0)
    client.delete(script.key)
    reply = script.exchange(asks(1, n_singles=1), 101.0, epoch=8)
    assert reply == Reply(epoch=8, is_unknown=True)
    reply = script.exchange(Message(limits=ALL, n_singles=1, max_places=1), 101.0, epoch=9)
    assert (reply.epoch, reply.singles, reply.single_wait) == (8, (), SETTLING)


def test_who_is_on_a_window_is_read_from_its_key(client: redis.Redis) -> None:
    """It is the same as of the rule in Python, with the server's time."""
    script, rule = LuaPace(client), SharedPace(epoch=EPOCH)
    for at, message in ((100.0, asks(n_singles=2, pid=1, host="a")), (101.0, asks(n_bulk=9, pid=2, host="b"))):
        assert script.exchange(message, at) == rule.exchange(message, at)
    standing = standing_in(script.record, now=102.0, seconds=60.0)
    assert standing == rule.standing(102.0, 60.0)
    assert standing.members[0] == MemberStanding(
        pid=1, host="a", since=2.0, seen=2.0, n_singles=2, n_bulk=0, n_waiting=0
    )
    assert standing_in(None, now=102.0, seconds=60.0) == NO_MEMBERS
    assert standing_in(b"?", now=102.0, seconds=60.0) == NO_MEMBERS


def test_a_key_is_dropped_when_nobody_uses_it(client: redis.Redis) -> None:
    """A day later."""
    script = LuaPace(client)
    script.exchange(asks(), 100.0)
    assert 86_000 < client.ttl(script.key) <= 86_400


def test_without_a_given_time_the_servers_own_decides(client: redis.Redis) -> None:
    """The clocks of members do not matter."""
    script = LuaPace(client)
    reply: Any = client.eval(SCRIPT, 1, script.key, encoded(asks(n_singles=3)), EPOCH)
    assert decoded(reply).singles == (1, 2, 3)
    record = msgspec.msgpack.decode(script.record or b"")
    seconds, microseconds = client.time()
    assert 0 <= seconds + microseconds / 1e6 - record["at"] < 30
    assert (record["offset"], record["version"]) == (0, 1)
    assert record["shared"]["last_bulk"] == -inf
