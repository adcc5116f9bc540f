"""Test the rate of requests at the server, on virtual time."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async._http.pace import Pace, RateLimits
from planhat_async._http.pacer import Pacer, RefusedTooLongError


def most_within(times: list[float], seconds: float) -> int:
    """Return the largest number of arrivals within any interval of this length."""
    times = sorted(times)
    first = most = 0
    for last, time in enumerate(times):
        while times[first] <= time - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


async def make_calls(
    n_calls: int, pacer: Pacer, *, latency: Callable[[], float], jitter: Callable[[], float], is_bulk: bool = False
) -> tuple[list[float], float]:
    """Make all calls at once; return when each arrived at the server, and when the last one started."""
    clock = asyncio.get_running_loop().time
    arrivals, starts = [], []

    async def call() -> None:
        async with pacer.slot(is_bulk=is_bulk) as slot:
            starts.append(clock())
            delay = jitter()
            arrivals.append(clock() + delay)
            await asyncio.sleep(delay + latency())
            slot.mark_answered()

    await asyncio.gather(*(call() for _ in range(n_calls)))
    return arrivals, max(starts, default=clock())


def none() -> float:
    return 0.0


def test_two_hundred_calls_after_idling_are_sent_within_two_seconds() -> None:
    """Within the limits, calls wait only for the limit per second."""
    arrivals, last = virtual_time.run(make_calls(200, Pacer(), latency=none, jitter=none))
    assert last < 2
    assert most_within(arrivals, 1) <= 150


def test_twelve_hundred_calls_take_little_more_than_five_minutes() -> None:
    """Six minutes' worth of calls take a little over five minutes: the first minute's are sent at once."""
    arrivals, last = virtual_time.run(make_calls(1200, Pacer(), latency=none, jitter=none))
    assert 300 <= last <= 310
    assert most_within(arrivals, 60) == 200


def test_bulk_calls_without_reserve_get_every_slot() -> None:
    """A job alone on its token is as fast with bulk calls as with single calls."""
    pacer = Pacer(RateLimits(reserve=0))
    _, last = virtual_time.run(make_calls(1200, pacer, latency=none, jitter=none, is_bulk=True))
    assert 300 <= last <= 310


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 700), st.floats(0, 3), st.floats(0, 1), st.booleans())
def test_the_server_never_sees_more_than_the_limits(
    seed: int, n_calls: int, latency: float, jitter: float, is_bulk: bool
) -> None:
    """For any latency and up to a second of jitter, no minute holds more than 200 calls and no second 150."""
    draw = random.Random(seed)
    arrivals, _ = virtual_time.run(
        make_calls(
            n_calls,
            Pacer(),
            latency=lambda: draw.random() * latency,
            jitter=lambda: draw.random() * jitter,
            is_bulk=is_bulk,
        )
    )
    assert len(arrivals) == n_calls
    assert most_within(arrivals, 60 - 1e-6) <= 200
    assert most_within(arrivals, 1 - 1e-6) <= 150


async def serve_beside_a_backfill(*, seconds: float, latency: float) -> tuple[list[tuple[float, float]], int]:
    """Call every 2 seconds beside 50 busy bulk tasks; return when each call was requested and how long it waited."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    n_bulk = 0

    async def backfill() -> None:
        nonlocal n_bulk
        while True:
            async with pacer.slot(is_bulk=True) as slot:
                n_bulk += 1
                await asyncio.sleep(latency)
                slot.mark_answered()

    tasks = [asyncio.create_task(backfill()) for _ in range(50)]
    waits = []
    while clock() < seconds:
        async with pacer.slot() as slot:
            waits.append((clock(), slot.waited))
            await asyncio.sleep(0.1)
            slot.mark_answered()
        await asyncio.sleep(1.9)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return waits, n_bulk


@pytest.mark.parametrize("latency", [0.2, 5.0, 20.0])
def test_a_service_does_not_wait_behind_a_backfill(latency: float) -> None:
    """From the second minute on, a get every 2 seconds waits less than a second; the backfill gets the rest."""
    waits, n_bulk = virtual_time.run(serve_beside_a_backfill(seconds=600, latency=latency))
    assert max(waited for at, waited in waits if at > 60) < 1
    assert n_bulk / 10 >= min(140, 0.9 * 45 * 60 / latency)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 90), st.integers(1, 200), st.integers(0, 2**32))
def test_no_call_waits_if_there_is_room_for_all(n_singles: int, n_bulk: int, seed: int) -> None:
    """Used calls, as many single calls again, and the reserve leave room for all bulk calls."""
    n_bulk = min(n_bulk, 200 - 20 - 2 * n_singles)
    draw = random.Random(seed)

    async def main() -> float:
        pacer = Pacer()

        def latency() -> float:
            return draw.random() * 0.3

        await make_calls(n_singles, pacer, latency=latency, jitter=none)
        asked = asyncio.get_running_loop().time()
        return (await make_calls(n_bulk, pacer, latency=latency, jitter=none, is_bulk=True))[1] - asked

    assert virtual_time.run(main()) < 2.5


@pytest.mark.parametrize("n_singles", [0, 1])
def test_a_backfill_gets_nearly_every_slot_at_once(n_singles: int) -> None:
    """Of a thousand bulk calls 180 are sent at once without single calls, and slightly fewer after one."""

    async def main() -> int:
        pacer = Pacer()
        await make_calls(n_singles, pacer, latency=none, jitter=none)
        calls = asyncio.create_task(make_calls(1000, pacer, latency=none, jitter=none, is_bulk=True))
        await asyncio.sleep(2)
        calls.cancel()
        return 200 - pacer.calls_left - n_singles

    n_started = virtual_time.run(main())
    assert n_started == 180 if n_singles == 0 else 155 < n_started < 180


async def serve_in_bursts(
    *, per_minute: float, n_burst: int, n_bulk_tasks: int, bulk_latency: float, seconds: float = 200.0
) -> list[tuple[float, float]]:
    """Make bursts of single calls beside a backfill; return when each call was requested and how long it waited."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    waits: list[tuple[float, float]] = []

    async def backfill() -> None:
        while True:
            async with pacer.slot(is_bulk=True) as slot:
                await asyncio.sleep(bulk_latency)
                slot.mark_answered()

    async def call(asked: float) -> None:
        async with pacer.slot() as slot:
            waits.append((asked, slot.waited))
            await asyncio.sleep(0.1)
            slot.mark_answered()

    tasks = [asyncio.create_task(backfill()) for _ in range(n_bulk_tasks)]
    while clock() < seconds:
        tasks += [asyncio.create_task(call(clock())) for _ in range(n_burst)]
        await asyncio.sleep(60 / per_minute * n_burst)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return waits


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 10), st.integers(1, 60), st.floats(0.05, 20))
def test_a_service_beside_a_backfill_waits_less_than_a_second(
    per_minute: int, n_burst: int, n_bulk_tasks: int, bulk_latency: float
) -> None:
    """Up to 60 single calls a minute arrive in bursts of up to 10; calls of the first minute are ignored."""
    waits = virtual_time.run(
        serve_in_bursts(per_minute=per_minute, n_burst=n_burst, n_bulk_tasks=n_bulk_tasks, bulk_latency=bulk_latency)
    )
    assert max((waited for asked, waited in waits if asked > 66), default=0.0) < 1


async def hit_a_429(n_tasks: int, *, blocked_for: float) -> tuple[int, float]:
    """Call a server that refuses for a while from all tasks; return its refusals and when all tasks ended."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    n_refusals = 0

    async def call() -> None:
        nonlocal n_refusals
        while True:
            async with pacer.slot() as slot:
                await asyncio.sleep(0.1)
                if clock() > blocked_for:
                    return slot.mark_answered()
                n_refusals += 1
                slot.mark_refused(retry_after=None)

    await asyncio.gather(*(call() for _ in range(n_tasks)))
    return n_refusals, clock()


def test_one_429_pauses_all_calls_without_a_storm() -> None:
    """Only those of the 200 tasks that are in flight are refused at first; then one probe at a time."""
    n_refusals, done = virtual_time.run(hit_a_429(200, blocked_for=60))
    assert n_refusals <= 50 + 6
    assert done < 130


async def cancel_after(n_steps: int) -> None:
    """Cancel one of three waiting calls after so many steps of the loop; the others must succeed."""
    pacer = Pacer(RateLimits(max_in_flight=1, per_second=1))

    async def call() -> None:
        async with pacer.slot() as slot:
            await asyncio.sleep(0)
            slot.mark_answered()

    calls = [asyncio.create_task(call()) for _ in range(3)]
    for _ in range(n_steps):
        await asyncio.sleep(0)
    calls[1].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    async with asyncio.timeout(100), pacer.slot() as slot:
        slot.mark_answered()
    assert repr(pacer) == "<Pacer 200 a minute, 0 in flight>"


@pytest.mark.parametrize("n_steps", range(14))
def test_a_cancelled_call_frees_its_slot(n_steps: int) -> None:
    """The calls behind it go on, wherever it is cancelled."""
    virtual_time.run(cancel_after(n_steps))


async def order_of_starts() -> list[int]:
    """Make ten calls through one slot; return the order in which they start."""
    pacer, order = Pacer(RateLimits(max_in_flight=1)), list[int]()

    async def call(number: int) -> None:
        async with pacer.slot() as slot:
            order.append(number)
            await asyncio.sleep(0.01)
            slot.mark_answered()

    await asyncio.gather(*(call(number) for number in range(10)))
    return order


def test_calls_start_in_the_order_of_requests() -> None:
    """This holds for the calls of one class."""
    assert virtual_time.run(order_of_starts()) == list(range(10))


async def pause_while_in_the_bucket() -> float:
    """Receive a 429 while a call waits for the second's bucket."""
    pacer, clock = Pacer(RateLimits(per_second=1)), asyncio.get_running_loop().time
    async with pacer.slot() as first:
        second = asyncio.create_task(start_time(pacer))
        await asyncio.sleep(0.1)
        first.mark_refused(retry_after=7.0)
        paused_at = clock()
    return await second - paused_at


async def start_time(pacer: Pacer) -> float:
    async with pacer.slot() as slot:
        slot.mark_answered()
        return asyncio.get_running_loop().time()


def test_a_call_that_waits_for_the_bucket_respects_a_pause() -> None:
    """No call starts between the 429 and the end of its pause."""
    assert virtual_time.run(pause_while_in_the_bucket()) >= 7.0


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("n_slow", [50, 100, 150])
def test_no_second_holds_more_than_the_limit_if_calls_are_late(n_slow: int, delay: float) -> None:
    """The first calls have the longest transit, the others none, so that all arrive together."""
    late = iter([delay] * n_slow)
    arrivals, _ = virtual_time.run(make_calls(400, Pacer(), latency=none, jitter=lambda: next(late, 0.0)))
    assert most_within(arrivals, 1 - 1e-6) <= 150
    assert most_within(arrivals, 60 - 1e-6) <= 200


async def order_of_classes() -> list[str]:
    """Request a bulk call first, then a single one, while the only slot is taken."""
    pacer, order = Pacer(RateLimits(max_in_flight=1)), list[str]()

    async def call(name: str, *, is_bulk: bool) -> None:
        async with pacer.slot(is_bulk=is_bulk) as slot:
            order.append(name)
            await asyncio.sleep(0.1)
            slot.mark_answered()

    first = asyncio.create_task(call("first", is_bulk=True))
    await asyncio.sleep(0.01)
    bulk = asyncio.create_task(call("bulk", is_bulk=True))
    await asyncio.sleep(0.01)
    await asyncio.gather(first, bulk, call("single", is_bulk=False))
    return order


def test_single_calls_go_first() -> None:
    """They precede a bulk call that has waited longer."""
    assert virtual_time.run(order_of_classes()) == ["first", "single", "bulk"]


async def wait_beside_a_bulk_probe() -> float:
    """Probe with a slow bulk call after a pause; return how long a single call then waits."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    async with pacer.slot() as slot:
        slot.mark_refused(retry_after=2.0)

    async def upload() -> None:
        async with pacer.slot(is_bulk=True) as slot:
            await asyncio.sleep(100)
            slot.mark_answered()

    slow = asyncio.create_task(upload())
    await asyncio.sleep(5)
    asked = clock()
    async with pacer.slot() as slot:
        waited = clock() - asked
        slot.mark_answered()
    await slow
    return waited


def test_a_slow_bulk_probe_delays_no_single_call() -> None:
    """One call of each class may probe."""
    assert virtual_time.run(wait_beside_a_bulk_probe()) < 0.1


async def refused_for_ever(retry_after: float | None) -> tuple[float, float, int]:
    """Make 200 calls with five minutes of patience; return when the first and last gave up, and the refusals."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    ends, n_refusals = [], 0

    async def call() -> None:
        nonlocal n_refusals
        began = clock()
        with suppress(RefusedTooLongError):
            while True:
                async with pacer.slot(patience=300.0 - (clock() - began)) as slot:
                    n_refusals += 1
                    slot.mark_refused(retry_after=retry_after)
        ends.append(clock())

    await asyncio.gather(*(call() for _ in range(200)))
    assert repr(pacer) == "<Pacer 200 a minute, 0 in flight>"
    return min(ends), max(ends), n_refusals


@pytest.mark.parametrize("retry_after", [None, 1.0, 3600.0])
def test_calls_give_up_after_their_patience(retry_after: float | None) -> None:
    """No call waits longer than five minutes for a server that refuses every call; few calls are sent."""
    _, last, n_refusals = virtual_time.run(refused_for_ever(retry_after))
    assert last <= 301
    assert n_refusals <= 12


async def cancel_as_the_turn_comes() -> None:
    """Cancel a waiting call between its admission and its start."""
    pacer = Pacer(RateLimits(max_in_flight=1))

    async def call() -> None:
        async with pacer.slot() as slot:
            slot.mark_answered()

    async with pacer.slot() as slot:
        waiting = asyncio.create_task(call())
        await asyncio.sleep(0.01)
        slot.mark_answered()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(60):
        await call()


def test_the_turn_of_a_cancelled_call_is_given_back() -> None:
    """The next call starts."""
    virtual_time.run(cancel_as_the_turn_comes())


async def many_that_wait(n_calls: int, pacer: Pacer, *, patience: float) -> list[asyncio.Task[None]]:
    """Return this many calls that wait for their turn."""

    async def call() -> None:
        with suppress(RefusedTooLongError):
            async with pacer.slot(patience=patience) as slot:
                slot.mark_answered()

    calls = [asyncio.create_task(call()) for _ in range(n_calls)]
    await asyncio.sleep(0.01)
    return calls


@pytest.mark.parametrize("n_kept", [0, 1])
def test_cancelled_waiting_calls_do_not_examine_the_queue(monkeypatch: pytest.MonkeyPatch, n_kept: int) -> None:
    """A thousand calls leave the queue at once without examining it; a remaining call gets its turn."""
    n_asked, single_from = 0, Pace.single_from

    def counted(pace: Pace, now: float) -> float:
        nonlocal n_asked
        n_asked += 1
        return single_from(pace, now)

    async def main() -> None:
        nonlocal n_asked
        pacer = Pacer(RateLimits(per_minute=1))
        async with pacer.slot() as slot:
            slot.mark_answered()
        calls = await many_that_wait(1000 + n_kept, pacer, patience=300.0)
        monkeypatch.setattr(Pace, "single_from", counted)
        for call in calls[:1000]:
            call.cancel()
        await asyncio.gather(*calls[:1000], return_exceptions=True)
        assert n_asked <= 1
        await asyncio.gather(*calls[1000:])
        assert repr(pacer) == "<Pacer 1 a minute, 0 in flight>"

    virtual_time.run(main())


def test_calls_that_end_after_a_429_yield_to_other_tasks() -> None:
    """A thousand calls without enough patience end a few per turn of the event loop, in order."""

    async def waiting() -> list[int]:
        pacer, ended_in_turn = Pacer(RateLimits(max_in_flight=1)), [0]
        async with pacer.slot() as slot:
            calls = await many_that_wait(1000, pacer, patience=300.0)
            slot.mark_refused(retry_after=3600.0)
        while not all(call.done() for call in calls):
            await asyncio.sleep(0)
            ended_in_turn.append(sum(call.done() for call in calls))
        assert [call.done() for call in calls] == [True] * 1000
        return ended_in_turn

    ended = virtual_time.run(waiting())
    assert max(later - earlier for earlier, later in pairwise(ended)) <= 20


def test_calls_with_more_patience_wait_on_after_a_429() -> None:
    """Only calls with less patience than the pause end, both single and bulk calls."""

    async def main() -> None:
        pacer = Pacer(RateLimits(max_in_flight=1))
        async with pacer.slot() as slot:
            short = await many_that_wait(600, pacer, patience=5.0)
            long = await many_that_wait(2, pacer, patience=50.0)
            slot.mark_refused(retry_after=20.0)
        await asyncio.sleep(1)
        assert all(call.done() for call in short)
        assert not any(call.done() for call in long)
        await asyncio.gather(*long)
        assert 20 <= asyncio.get_running_loop().time() < 23

    virtual_time.run(main())


def test_a_second_429_counts_while_calls_end_after_the_first() -> None:
    """It extends the pause beyond the patience of calls examined earlier."""

    async def main() -> None:
        pacer = Pacer(RateLimits(max_in_flight=2))
        async with pacer.slot() as first:
            async with pacer.slot() as second:
                calls = await many_that_wait(2000, pacer, patience=50.0)
                second.mark_refused(retry_after=10.0)
            await asyncio.sleep(0)
            pacer._pace.pause.until += 100.0  # as a probe does
            first.mark_refused(retry_after=10.0)
        await asyncio.sleep(1)
        assert all(call.done() for call in calls)

    virtual_time.run(main())
