"""Test which chunks may be sent when, and how the outcomes of chunks without an answer are verified."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import virtual_time
from attrs import define, field

from planhat_async.batching.chunks import Row
from planhat_async.batching.outcome_verifier import OutcomeVerifier
from planhat_async.batching.verification import N_NEWEST, Floor, Seen
from planhat_async.errors import ServerError

NEWEST = "6b0690ab" + "0" * 16


Found = list[tuple[Row, str]]


def ignore_found(found: Found) -> None:
    """Ignore the result of the first search."""


def an_id(n: int) -> str:
    return f"6b0690ab{n:016x}"


def keyless(position: int, fingerprint: str) -> Row:
    return Row(position, (), b"1", ((fingerprint,), ()))


@define
class List:
    """One of Planhat's lists, newest record first."""

    records: list[Seen] = field(factory=list)
    n_calls: int = 0
    fails: bool = False

    async def peek(self, offset: int, limit: int) -> list[Seen]:
        await asyncio.sleep(1)
        self.n_calls += 1
        if self.fails:
            raise ServerError("down", status=503)
        return self.records[offset : offset + limit]

    def create(self, n: int, fingerprint: str) -> None:
        self.records.insert(0, (an_id(n), ((fingerprint,), ())))


def run_with_clock(main: Coroutine[Any, Any, None]) -> None:
    """Run it on a clock that starts at 0."""
    virtual_time.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_the_newest_record_is_read_once() -> None:
    """The first chunk reads it, however many begin together."""

    async def main() -> None:
        planhat = List([(an_id(n), (("x",), ())) for n in range(N_NEWEST, -1, -1)])
        known = frozenset(an_id(n) for n in range(1, N_NEWEST + 1))
        verifier = OutcomeVerifier([planhat.peek], 5)
        floors = await asyncio.gather(*(verifier.begin_chunk() for _ in range(3)))
        assert (set(floors), planhat.n_calls) == ({Floor("6b06906f" + "0" * 16, known)}, 1)

    run_with_clock(main())


def test_the_newest_record_is_read_again_after_a_failure() -> None:
    """The chunk that could not begin was not sent."""

    async def main() -> None:
        planhat = List([], fails=True)
        verifier = OutcomeVerifier([planhat.peek], 5)
        with pytest.raises(ServerError):
            await verifier.begin_chunk()
        planhat.fails = False
        assert await verifier.begin_chunk() == Floor()

    run_with_clock(main())


def test_an_existing_record_is_found_at_once() -> None:
    """The verifier waits only for missing records."""

    async def main() -> None:
        planhat = List([(NEWEST, (("x",), ()))])
        verifier = OutcomeVerifier([planhat.peek], 50)
        floor = await verifier.begin_chunk()
        planhat.create(1, "a")
        found: Found = []
        assert await verifier.find_rows((keyless(0, "a"),), floor, on_found=found.extend) == ([], (), ())
        assert found == [(keyless(0, "a"), an_id(1))]
        assert now() < 10

    run_with_clock(main())


def test_a_missing_record_is_searched_again_after_a_wait() -> None:
    """Planhat may still process a request that timed out."""

    async def main() -> None:
        planhat = List([(NEWEST, (("x",), ()))])
        verifier = OutcomeVerifier([planhat.peek], 50)
        floor = await verifier.begin_chunk()
        asyncio.get_running_loop().call_later(30, planhat.create, 1, "b")
        rows = (keyless(0, "a"), keyless(1, "b"))
        found, missing, _ = await verifier.find_rows(rows, floor, on_found=ignore_found)
        assert (found, missing) == ([(rows[1], an_id(1))], (rows[0],))
        assert now() > 50

    run_with_clock(main())


def test_no_chunk_is_sent_during_a_search() -> None:
    """No search runs while a chunk is being sent; chunks are sent between two searches."""

    async def main() -> None:
        planhat = List([(NEWEST, (("x",), ()))])
        verifier = OutcomeVerifier([planhat.peek], 50)
        floor = await verifier.begin_chunk()
        events = []

        async def send(name: str, seconds: float) -> None:
            async with verifier.sending():
                events.append((name, "from", round(now())))
                await asyncio.sleep(seconds)
                events.append((name, "to", round(now())))

        async def look() -> None:
            await verifier.find_rows((keyless(0, "a"),), floor, on_found=ignore_found)
            events.append(("looked", "at", round(now())))

        first = asyncio.create_task(send("first", 10))
        await asyncio.sleep(1)
        looks = [asyncio.create_task(look()) for _ in range(2)]
        await asyncio.sleep(1)
        second = asyncio.create_task(send("second", 10))
        await asyncio.gather(first, second, *looks)
        # Begins at 2; searches from 12 on, twice two seconds; sends meanwhile; searches again 50 seconds later.
        assert events[:3] == [("first", "from", 2), ("first", "to", 12), ("second", "from", 16)]
        assert [one for one in events if one[0] == "looked"] == [("looked", "at", 66), ("looked", "at", 68)]

    run_with_clock(main())


def test_a_cancelled_search_lets_others_send() -> None:
    """The search may be cancelled at any point."""

    async def main() -> None:
        for n_seconds in range(8):
            planhat = List([(NEWEST, (("x",), ()))])
            verifier = OutcomeVerifier([planhat.peek], 2)
            floor = await verifier.begin_chunk()
            look = asyncio.create_task(verifier.find_rows((keyless(0, "a"),), floor, on_found=ignore_found))
            await asyncio.sleep(n_seconds)
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
            async with asyncio.timeout(1), verifier.sending():
                pass
            verifier.end_chunk(floor)

    run_with_clock(main())


def test_claims_are_dropped_with_the_last_chunk_that_needs_them() -> None:
    """Memory does not grow with the input."""

    async def main() -> None:
        planhat = List([(NEWEST, (("x",), ()))])
        verifier = OutcomeVerifier([planhat.peek], 2)
        old = await verifier.begin_chunk()
        verifier.claim([an_id(1)])
        later = f"{int('6b0690ab', 16) + 600:08x}" + "0" * 16
        verifier.claim([later])
        new = await verifier.begin_chunk()
        verifier.end_chunk(new)
        assert [*verifier._claimed._ids] == [an_id(1), later]
        verifier.end_chunk(old)
        assert (await verifier.begin_chunk()).id > old.id
        verifier.end_chunk(await verifier.begin_chunk())
        assert [*verifier._claimed._ids] == [later]

    run_with_clock(main())


def test_several_lists_are_searched_as_one() -> None:
    """A record may be in any of them; the newest record of all lists counts."""

    async def main() -> None:
        one, other = List([(an_id(1), (("x",), ()))]), List([(an_id(2), (("y",), ()))])
        verifier = OutcomeVerifier([one.peek, other.peek], 2)
        floor = await verifier.begin_chunk()
        one.create(3, "a")
        other.create(4, "b")
        found: Found = []
        more, missing, _ = await verifier.find_rows((keyless(0, "b"), keyless(1, "a")), floor, on_found=found.extend)
        found += more
        assert ([record_id for _, record_id in found], missing) == ([an_id(4), an_id(3)], ())

    run_with_clock(main())
