"""The pace as the server sees it, on virtual time."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async._http.pace import RateLimits
from planhat_async._http.pacing import Pacer, RefusedTooLongError


def most_within(times: list[float], seconds: float) -> int:
    """The most arrivals that any stretch of that length holds."""
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
    """Make all calls at once; returns when each arrived at the server, and when the last one started."""
    clock = asyncio.get_running_loop().time
    arrivals, starts = [], []

    async def call() -> None:
        async with pacer.place(is_bulk=is_bulk) as place:
            starts.append(clock())
            delay = jitter()
            arrivals.append(clock() + delay)
            await asyncio.sleep(delay + latency())
            place.answered()

    await asyncio.gather(*(call() for _ in range(n_calls)))
    return arrivals, max(starts)


def none() -> float:
    return 0.0


def test_two_hundred_calls_from_idle_leave_within_two_seconds() -> None:
    """Within the limits nothing waits but for the second."""
    arrivals, last = virtual_time.run(make_calls(200, Pacer(), latency=none, jitter=none))
    assert last < 2
    assert most_within(arrivals, 1) <= 150


def test_twelve_hundred_calls_take_little_more_than_five_minutes() -> None:
    """Six minutes' worth of calls leave in five minutes and a little: the first minute's go at once."""
    arrivals, last = virtual_time.run(make_calls(1200, Pacer(), latency=none, jitter=none))
    assert 300 <= last <= 310
    assert most_within(arrivals, 60) == 200


def test_bulk_without_reserve_gets_everything() -> None:
    """A job that is alone, and says so, is as fast as single calls are."""
    pacer = Pacer(RateLimits(reserve=0))
    _, last = virtual_time.run(make_calls(1200, pacer, latency=none, jitter=none, is_bulk=True))
    assert 300 <= last <= 310


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 700), st.floats(0, 3), st.floats(0, 1), st.booleans())
def test_the_server_never_sees_more_than_the_limits(
    seed: int, n_calls: int, latency: float, jitter: float, is_bulk: bool
) -> None:
    """With any latency, and up to a second of jitter on the way, no minute holds more than 200 and no second 150."""
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
    """A call every 2 seconds beside 50 busy bulk tasks; returns when each asked and how long it waited."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    n_bulk = 0

    async def backfill() -> None:
        nonlocal n_bulk
        while True:
            async with pacer.place(is_bulk=True) as place:
                n_bulk += 1
                await asyncio.sleep(latency)
                place.answered()

    tasks = [asyncio.create_task(backfill()) for _ in range(50)]
    waits = []
    while clock() < seconds:
        async with pacer.place() as place:
            waits.append((clock(), place.waited))
            await asyncio.sleep(0.1)
            place.answered()
        await asyncio.sleep(1.9)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return waits, n_bulk


@pytest.mark.parametrize("latency", [0.2, 5.0, 20.0])
def test_a_service_does_not_wait_behind_a_backfill(latency: float) -> None:
    """A get every 2 seconds waits less than a second from the second minute on; the backfill gets the rest."""
    waits, n_bulk = virtual_time.run(serve_beside_a_backfill(seconds=600, latency=latency))
    assert max(waited for at, waited in waits if at > 60) < 1
    assert n_bulk / 10 >= min(140, 0.9 * 45 * 60 / latency)


async def hit_a_429(n_tasks: int, *, blocked_for: float) -> tuple[int, float]:
    """All tasks call a server that refuses for a while; returns its refusals and when all were done."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    n_refusals = 0

    async def call() -> None:
        nonlocal n_refusals
        while True:
            async with pacer.place() as place:
                await asyncio.sleep(0.1)
                if clock() > blocked_for:
                    return place.answered()
                n_refusals += 1
                place.refused(retry_after=None)

    await asyncio.gather(*(call() for _ in range(n_tasks)))
    return n_refusals, clock()


def test_one_429_pauses_everything_and_no_storm_follows() -> None:
    """Of 200 tasks only those in flight are refused at first; after that one probe at a time is."""
    n_refusals, done = virtual_time.run(hit_a_429(200, blocked_for=60))
    assert n_refusals <= 50 + 6
    assert done < 130


async def cancel_after(n_steps: int) -> None:
    """Cancel one of three waiting calls after so many steps of the loop; the others must still get through."""
    pacer = Pacer(RateLimits(max_in_flight=1, per_second=1))

    async def call() -> None:
        async with pacer.place() as place:
            await asyncio.sleep(0)
            place.answered()

    calls = [asyncio.create_task(call()) for _ in range(3)]
    for _ in range(n_steps):
        await asyncio.sleep(0)
    calls[1].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    async with asyncio.timeout(100), pacer.place() as place:
        place.answered()
    assert repr(pacer) == "<Pacer 200 a minute, 0 in flight>"


@pytest.mark.parametrize("n_steps", range(14))
def test_a_cancelled_call_leaves_no_place_taken(n_steps: int) -> None:
    """Wherever a waiting call is cancelled, the ones behind it go on."""
    virtual_time.run(cancel_after(n_steps))


async def order_of_starts() -> list[int]:
    """Ten calls through one place, each noting when it starts."""
    pacer, order = Pacer(RateLimits(max_in_flight=1)), list[int]()

    async def call(number: int) -> None:
        async with pacer.place() as place:
            order.append(number)
            await asyncio.sleep(0.01)
            place.answered()

    await asyncio.gather(*(call(number) for number in range(10)))
    return order


def test_first_come_first_served() -> None:
    """Calls of a class start in the order they asked."""
    assert virtual_time.run(order_of_starts()) == list(range(10))


async def pause_while_in_the_bucket() -> float:
    """A 429 arrives while a call waits for the second's bucket."""
    pacer, clock = Pacer(RateLimits(per_second=1)), asyncio.get_running_loop().time
    async with pacer.place() as first:
        second = asyncio.create_task(start_time(pacer))
        await asyncio.sleep(0.1)
        first.refused(retry_after=7.0)
        paused_at = clock()
    return await second - paused_at


async def start_time(pacer: Pacer) -> float:
    async with pacer.place() as place:
        place.answered()
        return asyncio.get_running_loop().time()


def test_a_call_that_waits_in_the_bucket_heeds_a_pause_too() -> None:
    """Nothing starts between the 429 and the end of its pause."""
    assert virtual_time.run(pause_while_in_the_bucket()) >= 7.0


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("n_slow", [50, 100, 150])
def test_no_second_holds_more_than_the_limit_whoever_is_late(n_slow: int, delay: float) -> None:
    """The first calls take as long on the way as they may, the others no time: they all arrive together."""
    late = iter([delay] * n_slow)
    arrivals, _ = virtual_time.run(make_calls(400, Pacer(), latency=none, jitter=lambda: next(late, 0.0)))
    assert most_within(arrivals, 1 - 1e-6) <= 150
    assert most_within(arrivals, 60 - 1e-6) <= 200


async def order_of_classes() -> list[str]:
    """A bulk call asks first, then a single one, while the only place is taken."""
    pacer, order = Pacer(RateLimits(max_in_flight=1)), list[str]()

    async def call(name: str, *, is_bulk: bool) -> None:
        async with pacer.place(is_bulk=is_bulk) as place:
            order.append(name)
            await asyncio.sleep(0.1)
            place.answered()

    first = asyncio.create_task(call("first", is_bulk=True))
    await asyncio.sleep(0.01)
    bulk = asyncio.create_task(call("bulk", is_bulk=True))
    await asyncio.sleep(0.01)
    await asyncio.gather(first, bulk, call("single", is_bulk=False))
    return order


def test_single_calls_go_first() -> None:
    """Also before a bulk call that has waited longer."""
    assert virtual_time.run(order_of_classes()) == ["first", "single", "bulk"]


async def wait_beside_a_bulk_probe() -> float:
    """After a pause a slow bulk call probes; returns how long a single call then waits."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    async with pacer.place() as place:
        place.refused(retry_after=2.0)

    async def upload() -> None:
        async with pacer.place(is_bulk=True) as place:
            await asyncio.sleep(100)
            place.answered()

    slow = asyncio.create_task(upload())
    await asyncio.sleep(5)
    asked = clock()
    async with pacer.place() as place:
        waited = clock() - asked
        place.answered()
    await slow
    return waited


def test_a_slow_bulk_probe_holds_up_no_single_call() -> None:
    """One of each class may probe."""
    assert virtual_time.run(wait_beside_a_bulk_probe()) < 0.1


async def refused_for_ever(retry_after: float | None) -> tuple[float, float, int]:
    """200 calls with five minutes of patience; returns when the first and the last gave up, and the refusals."""
    pacer, clock = Pacer(), asyncio.get_running_loop().time
    ends, n_refusals = [], 0

    async def call() -> None:
        nonlocal n_refusals
        began = clock()
        with suppress(RefusedTooLongError):
            while True:
                async with pacer.place(patience=300.0 - (clock() - began)) as place:
                    n_refusals += 1
                    place.refused(retry_after=retry_after)
        ends.append(clock())

    await asyncio.gather(*(call() for _ in range(200)))
    assert repr(pacer) == "<Pacer 200 a minute, 0 in flight>"
    return min(ends), max(ends), n_refusals


@pytest.mark.parametrize("retry_after", [None, 1.0, 3600.0])
def test_refusals_without_end_end_with_patience(retry_after: float | None) -> None:
    """Nobody waits longer than five minutes for a server that refuses everything; few calls find that out."""
    _, last, n_refusals = virtual_time.run(refused_for_ever(retry_after))
    assert last <= 301
    assert n_refusals <= 12


async def cancel_as_the_turn_comes() -> None:
    """A waiting call is cancelled between being let in and noticing it."""
    pacer = Pacer(RateLimits(max_in_flight=1))

    async def call() -> None:
        async with pacer.place() as place:
            place.answered()

    async with pacer.place() as place:
        waiting = asyncio.create_task(call())
        await asyncio.sleep(0.01)
        place.answered()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(5):
        await call()


def test_a_turn_that_nobody_takes_any_more_is_given_back() -> None:
    """The gate opens for the next one."""
    virtual_time.run(cancel_as_the_turn_comes())
