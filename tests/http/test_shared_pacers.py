"""Test pacers that share a window, on virtual time: what the server sees, and who gets how much."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import attrs
import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_window import MemoryWindow
from test_pacer import most_within

from planhat_async._http.pace import RateLimits
from planhat_async._http.pacer import Pacer, RefusedTooLongError

JOB = RateLimits(reserve=0)


@attrs.define(eq=False)
class Server:
    """Counts calls as they arrive, up to `late` seconds after their start; refuses all until some time."""

    late: float = 0.3
    refuses_until: float = 0.0
    arrivals: list[float] = attrs.field(factory=list)
    refused: list[float] = attrs.field(factory=list)
    calls: Counter[int] = attrs.field(factory=Counter)
    n_in_flight: int = 0
    most_in_flight: int = 0
    _draw: random.Random = attrs.field(factory=lambda: random.Random(1))

    async def call(self, pacer: Pacer, name: int, *, is_bulk: bool = True) -> None:
        """Make one call."""
        clock = asyncio.get_running_loop().time
        async with pacer.slot(is_bulk=is_bulk) as slot:
            self.n_in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.n_in_flight)
            try:
                await asyncio.sleep(self._draw.random() * self.late)
                (self.refused if clock() < self.refuses_until else self.arrivals).append(clock())
                is_refused = clock() < self.refuses_until
                await asyncio.sleep(0.05)
            finally:
                self.n_in_flight -= 1
            if is_refused:
                slot.mark_refused(retry_after=None)
            else:
                self.calls[name] += 1
                slot.mark_answered()

    async def keep_calling(self, pacer: Pacer, name: int, *, is_bulk: bool = True) -> None:
        while True:
            await self.call(pacer, name, is_bulk=is_bulk)


async def call_for(seconds: float, calls: Any) -> None:
    """Run these for some seconds, and then cancel them."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in ended if isinstance(one, Exception)] == []


def run(main: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(main)


@pytest.mark.slow
@pytest.mark.parametrize("is_bulk", [True, False])
@pytest.mark.parametrize("late", [0.0, 1.0])
def test_members_share_the_minute_evenly(late: float, is_bulk: bool) -> None:
    """Four members use all of the limit and no more, and none gets twice as much as another."""

    async def main() -> None:
        server, window = Server(late), MemoryWindow()
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        calls = (server.keep_calling(one, n, is_bulk=is_bulk) for n, one in enumerate(pacers) for _ in range(20))
        await call_for(300, calls)
        assert (most_within(server.arrivals, 60), most_within(server.arrivals, 1) <= 150) == (200, True)
        assert len(server.arrivals) >= 4.9 * 200
        assert max(server.calls.values()) < 2 * min(server.calls.values())

    run(main())


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 150), st.floats(5, 100), st.booleans()), min_size=2, max_size=7),
    st.floats(0, 1),
    st.floats(-1e6, 1e6),
    st.integers(0, 2),
)
@pytest.mark.slow
def test_no_minute_holds_more_than_the_limit_whoever_comes_and_goes(
    members: list[tuple[float, float, bool]], late: float, offset: float, slowness: int
) -> None:
    """For members that start, end and are killed at any time, calls up to a second late, and any clock."""

    async def main() -> None:
        server = Server(late)
        window = MemoryWindow(offset=offset, seconds=0.05 * slowness, max_places=1 + 9 * slowness)

        async def member(name: int, begins: float, lasts: float, *, is_killed: bool) -> None:
            await asyncio.sleep(begins)
            pacer = Pacer(JOB, shared=window)
            await call_for(lasts, (server.keep_calling(pacer, name) for _ in range(30)))
            if not is_killed:
                await pacer.leave()

        await asyncio.gather(
            *(member(n, begins, lasts, is_killed=killed) for n, (begins, lasts, killed) in enumerate(members))
        )
        assert most_within(server.arrivals, 60 - 1e-6) <= 200
        assert most_within(server.arrivals, 1 - 1e-6) <= 150

    run(main())


@pytest.mark.slow
def test_a_member_that_comes_later_gets_its_share_within_two_minutes() -> None:
    """The first burst belongs to whoever was there; then what becomes free goes to the one that holds less."""

    async def main() -> None:
        server, window = Server(), MemoryWindow()
        first, second = Pacer(JOB, shared=window), Pacer(JOB, shared=window)
        tasks = [asyncio.ensure_future(server.keep_calling(first, 1)) for _ in range(20)]
        await asyncio.sleep(30)
        tasks += [asyncio.ensure_future(server.keep_calling(second, 2)) for _ in range(20)]
        await asyncio.sleep(90)
        server.calls.clear()
        await asyncio.sleep(120)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert max(server.calls.values()) < 1.5 * min(server.calls.values())

    run(main())


@pytest.mark.slow
def test_a_service_does_not_wait_behind_backfills_of_others() -> None:
    """Beside three saturated jobs that leave a reserve, a get every two seconds waits less than a second."""

    async def main() -> None:
        server, window = Server(), MemoryWindow()
        jobs = [Pacer(shared=window) for _ in range(3)]
        tasks = [asyncio.ensure_future(server.keep_calling(job, n)) for n, job in enumerate(jobs) for _ in range(20)]
        service, waits = Pacer(shared=window), list[float]()
        clock = asyncio.get_running_loop().time
        while clock() < 300:
            asked = clock()
            async with service.slot() as slot:
                if asked > 60:
                    waits.append(slot.waited)
                slot.mark_answered()
            await asyncio.sleep(2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert max(waits) < 1
        assert len(server.arrivals) > 5 * 130

    run(main())


def test_places_in_flight_are_divided() -> None:
    """Four members that know each other have 50 attempts in flight, not 200."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow()
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        for pacer in (*pacers, *pacers):  # each has heard of all others
            await server.call(pacer, 0)
        server.late, server.most_in_flight = 30.0, 0
        await call_for(5, (server.call(pacer, 0) for pacer in pacers for _ in range(48)))
        assert 40 <= server.most_in_flight <= 50

    run(main())


def test_a_429_pauses_all_members_and_one_probes() -> None:
    """While the server refuses all for 3.5 seconds, five calls are refused: not five of each member."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow()
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        for pacer in pacers:
            await server.call(pacer, 0)
        await asyncio.sleep(5)
        server.refuses_until = asyncio.get_running_loop().time() + 3.5

        async def begin_late(pacer: Pacer, name: int) -> None:
            await asyncio.sleep(0.1 * name)
            await server.keep_calling(pacer, name)

        await call_for(30, (begin_late(pacer, n) for n, pacer in enumerate(pacers) for _ in range(3 if n else 1)))
        assert len(server.refused) <= 4
        assert len(server.arrivals) > 150

    run(main())


@pytest.mark.parametrize(("waits", "n_calls"), [(False, 50), (True, 0)])
def test_while_the_window_is_away_a_member_has_its_share_or_waits(
    waits: bool, n_calls: int, caplog: pytest.LogCaptureFixture
) -> None:
    """One of four may make 50 calls a minute alone, and says so once; back again, it has told what it did."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow(waits_while_away=waits)
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        for pacer in (*pacers, *pacers):
            await server.call(pacer, 0)
        await asyncio.sleep(70)
        window.is_away = True
        await call_for(50, (server.keep_calling(pacers[0], 1) for _ in range(20)))
        assert server.calls[1] == n_calls
        window.is_away = False
        await call_for(12, (server.keep_calling(pacer, 2) for pacer in pacers[1:] for _ in range(20)))
        assert server.calls[2] > 100
        server.arrivals.sort()
        assert most_within(server.arrivals, 60) <= 250

    run(main())
    said = "this session uses 1/4 of the pace" if not waits else "nothing is sent"
    warnings = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert warnings == [f"the window is away; meanwhile {said}"]


@pytest.mark.slow
def test_what_was_started_alone_is_restated() -> None:
    """After a window was away for 30 seconds, its members together stay within the limit at once."""

    async def main() -> None:
        server, window = Server(), MemoryWindow()
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        tasks = [asyncio.ensure_future(server.keep_calling(one, n)) for n, one in enumerate(pacers) for _ in range(20)]
        for is_away in (False, True, False):
            window.is_away = is_away
            await asyncio.sleep(30)
        await asyncio.sleep(200)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most_within(server.arrivals, 60 - 1e-6) <= 200
        assert len(server.arrivals) > 800

    run(main())


def test_members_that_hold_more_than_their_shares_are_thought_of() -> None:
    """While the window is away, what was free is divided: nobody takes what another has not given up yet."""

    async def main() -> None:
        server, window = Server(), MemoryWindow()
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        await asyncio.gather(*(server.call(one, n) for n, one in enumerate(pacers)))
        await asyncio.gather(*(server.call(pacers[0], 0) for _ in range(140)))
        tasks = [asyncio.ensure_future(server.keep_calling(one, n)) for n, one in enumerate(pacers) for _ in range(9)]
        await asyncio.sleep(5)
        window.is_away = True
        await asyncio.sleep(180)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most_within(server.arrivals, 60 - 1e-6) <= 200
        assert min(server.calls[n] for n in range(1, 4)) >= 120

    run(main())


def test_a_member_that_does_not_ask_restates_what_it_started_alone() -> None:
    """Others wait for a moment, and then take no place that it holds."""

    async def main() -> None:
        server, window = Server(), MemoryWindow()
        one, other = Pacer(JOB, shared=window), Pacer(JOB, shared=window)
        await asyncio.gather(server.call(one, 1), server.call(other, 2))
        window.is_away = True
        await asyncio.gather(*(server.call(one, 1) for _ in range(50)))
        window.is_away = False
        window.forget()
        await asyncio.gather(*(server.call(other, 2) for _ in range(170)))
        assert most_within(server.arrivals, 60 - 1e-6) == 200

    run(main())


@pytest.mark.slow
def test_a_window_that_forgets_everything_learns_it_again() -> None:
    """Members restate their places before anyone gets a new one, so the limit holds."""

    async def main() -> None:
        server, window = Server(), MemoryWindow()
        pacers = [Pacer(JOB, shared=window) for _ in range(4)]
        tasks = [asyncio.ensure_future(server.keep_calling(one, n)) for n, one in enumerate(pacers) for _ in range(20)]
        for _ in range(5):
            await asyncio.sleep(47)
            window.forget()
        await asyncio.sleep(65)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most_within(server.arrivals, 60 - 1e-6) <= 200
        assert len(server.arrivals) > 850

    run(main())


def test_a_window_that_is_far_away_does_not_slow_a_burst() -> None:
    """With 50 ms to the window and as many back, 150 calls start within three seconds."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow(seconds=0.05, max_places=25)
        pacer = Pacer(JOB, shared=window)
        await asyncio.gather(*(server.call(pacer, 1) for _ in range(150)))
        assert asyncio.get_running_loop().time() < 3

    run(main())


def test_a_place_that_is_not_used_is_given_back() -> None:
    """Calls that are cancelled while the window is asked cost no place."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow(seconds=0.05, max_places=25)
        pacer = Pacer(JOB, shared=window)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.06):
                await asyncio.gather(*(server.call(pacer, 1) for _ in range(25)))
        await asyncio.sleep(2)
        await server.call(pacer, 1)
        await pacer.leave()
        assert len(window.state.places) == 1 + len(server.arrivals) - 1
        assert window.state.members == []

    run(main())


def test_a_member_that_leaves_may_come_again() -> None:
    """Its places still count, and it is a new member."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow()
        pacer = Pacer(JOB, shared=window)
        for _ in range(2):
            await server.call(pacer, 1)
            await pacer.leave()
        assert (window.state.members, len(window.state.places)) == ([], 2)

    run(main())


def test_a_place_that_was_forgotten_for_a_minute_does_no_harm() -> None:
    """A place for a bulk call that was cancelled is given back by whatever is told next, however late."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow(seconds=0.05)
        pacer = Pacer(JOB, shared=window)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.06):
                await server.call(pacer, 1, is_bulk=True)
        for is_bulk in (False, True):
            await asyncio.sleep(90)
            await server.call(pacer, 1, is_bulk=is_bulk)
        assert len(server.arrivals) == 2

    run(main())


def test_a_pause_of_all_dismisses_who_has_less_patience() -> None:
    """A refusal that another member met ends the calls that will not wait for so long."""

    async def main() -> None:
        limits, window = RateLimits(per_minute=1, reserve=0), MemoryWindow()
        one, other = Pacer(limits, shared=window), Pacer(limits, shared=window)
        async with one.slot() as refused:
            short = [asyncio.ensure_future(enter(other, patience=5.0)) for _ in range(2)]
            await asyncio.sleep(1)
            refused.mark_refused(retry_after=20.0)
        assert await asyncio.gather(*short) == ["dismissed", "dismissed"]
        assert asyncio.get_running_loop().time() < 5

    run(main())


async def enter(pacer: Pacer, *, patience: float) -> str:
    """Make a call, and return whether it was dismissed."""
    try:
        async with pacer.slot(patience=patience):
            return "started"
    except RefusedTooLongError:
        return "dismissed"


def test_calls_of_strangers_slow_all_members_down() -> None:
    """What Planhat counts beyond the calls of members is subtracted from what they may use."""

    async def main() -> None:
        window = MemoryWindow()
        one, other = Pacer(JOB, shared=window), Pacer(JOB, shared=window)
        async with one.slot() as slot:
            slot.mark_answered(remaining=100, limit=200)
        for pacer in (one, other):
            async with pacer.slot() as slot:
                slot.mark_answered()
        assert other.calls_left == 98
        assert other.n_members == 2

    run(main())


def test_the_first_wait_for_others_is_said_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The line names how many there are; the seconds are those in which only others kept a call from starting."""
    caplog.set_level(logging.INFO, "planhat_async.pace")

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow()
        first, second = Pacer(JOB, shared=window), Pacer(JOB, shared=window)
        await asyncio.gather(*(server.call(first, 1) for _ in range(200)))
        began = asyncio.get_running_loop().time()
        async with second.slot() as slot:
            slot.mark_answered()
        assert slot.waited_for_others == pytest.approx(asyncio.get_running_loop().time() - began)
        assert 55 < slot.waited_for_others < 61

    run(main())
    assert caplog.messages == ["waiting for 1 other process on this token (a killed one counts for a minute)"]


def test_a_limit_that_is_not_planhats_is_not_shared(caplog: pytest.LogCaptureFixture) -> None:
    """With thousands of calls a minute the window would be slow; it is left alone."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow()
        await server.call(Pacer(RateLimits(per_minute=1001), shared=window), 1)
        assert window.n_exchanges == 0

    run(main())
    assert caplog.messages == ["more than 1,000 calls a minute are not shared: this session keeps a pace of its own"]


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.6])
def test_a_cancelled_farewell_closes_the_window(seconds: float) -> None:
    """A connection to it must not outlive the session, however long its last message takes."""

    async def main() -> None:
        server, window = Server(late=0.0), MemoryWindow(seconds=0.4)
        pacer = Pacer(JOB, shared=window)
        await server.call(pacer, 0)
        leaving = asyncio.ensure_future(pacer.leave())
        await asyncio.sleep(seconds)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert window.is_closed

    run(main())
