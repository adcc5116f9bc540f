"""Test that parts of a list together hold every record that exists throughout exactly once."""

from __future__ import annotations

import asyncio
import json
import pickle
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import LeanCompanies, RateLimits, Session, Tasks, Tickets, Timeouts, extid
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import DecodeError
from planhat_async.partitions import Cut, LengthSearch, plan_cuts, read_part, read_part_json

T = TypeVar("T")


def id_of(number: int) -> str:
    return f"{number:024x}"


@attrs.define
class ListServer:
    """Lists numbered records in their order, and changes them after each answer."""

    numbers: list[int]
    change: Callable[[list[int]], object] = lambda _: None
    ignores: frozenset[str] = frozenset()
    calls: list[dict[str, str]] = attrs.field(factory=list)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:  # noqa: ARG002
        asked = dict(request.params)
        self.calls.append(asked)
        obeyed = {name: value for name, value in asked.items() if name not in self.ignores}
        numbers = sorted(self.numbers, reverse=obeyed.get("sort") == "-_id")
        if asked.get("isArchived") == "true":
            numbers = []
        offset, limit = int(obeyed.get("offset", 0)), int(obeyed.get("limit", 500))
        rows = [{"_id": id_of(number), "action": str(number)} for number in numbers[offset : offset + limit]]
        self.change(self.numbers)
        return Response(status=200, body=json.dumps(rows).encode())

    async def close(self) -> None: ...


def session_on(server: ListServer) -> Session:
    return Session("token", base_url="https://api.planhat.com", transport=server, limits=RateLimits(per_minute=10**6))


def run(call: Callable[[Tickets], Awaitable[T]], server: ListServer) -> T:
    async def called() -> T:
        async with session_on(server) as session:
            return await call(Tickets(session))

    return asyncio.run(called())


async def numbers_in(tickets: Tickets, cuts: list[Cut]) -> list[list[int]]:
    return [[int(ticket.id or "", 16) async for ticket in read_part(tickets, cut)] for cut in cuts]


@given(st.integers(0, 3000))
def test_the_length_is_found_in_few_questions(n_pages: int) -> None:
    """It is exact, and takes about twice the logarithm."""
    search, n_questions = LengthSearch(), 0
    while (question := search.question) is not None:
        search.note(question, has_record=question < n_pages)
        n_questions += 1
    assert search.low == max(0, n_pages - 1)
    assert n_questions <= 2 * max(1, n_pages).bit_length()


@pytest.mark.parametrize(("n_records", "n", "most_calls"), [(39_000, 4, 16), (50_000, 2, 14), (1_000, 4, 2), (0, 4, 2)])
def test_cuts_cost_few_calls(n_records: int, n: int, most_calls: int) -> None:
    """They cost about twice the logarithm of the pages and the number of parts, one `_id` each."""
    server = ListServer([*range(n_records)])
    cuts = run(lambda tickets: plan_cuts(tickets, n, page_size=1000), server)
    assert len(server.calls) <= most_calls
    assert {call["select"] for call in server.calls} <= {"_id"}
    assert len(cuts) == (n if n_records > 1000 else 1)
    sizes = [cut.n_records for cut in cuts[:-1]]
    assert all(size is not None and abs(size - n_records / n) <= 1000 for size in sizes)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.integers(0, 200), st.integers(1, 6), st.integers(2, 20), st.integers(0, 2**32), st.sampled_from([0, 1, 3, 30])
)
def test_every_record_that_stays_is_in_one_part(
    n_records: int, n: int, page_size: int, seed: int, n_changes: int
) -> None:
    """Others create, delete and restore records before, between and after the calls."""
    draw = random.Random(seed)
    numbers = [10 * number for number in range(n_records)]
    stayed = {*numbers}

    def change(held: list[int]) -> None:
        for _ in range(draw.randint(0, n_changes)):
            if held and draw.random() < 0.6:
                stayed.discard(held.pop(draw.randrange(len(held))))
            elif draw.random() < 0.5:
                held.append(10 * n_records + len(server.calls) * 100 + draw.randrange(100))
            else:
                held.append(draw.randrange(10 * n_records + 1))
        held[:] = sorted({*held})

    server = ListServer([*numbers], change)

    async def read_all(tickets: Tickets) -> list[int]:
        cuts = await plan_cuts(tickets, n, page_size=page_size)
        draw.shuffle(cuts)
        parts = await numbers_in(tickets, cuts)
        assert all(part == sorted(part) for part in parts)
        return [number for part in parts for number in part]

    read = run(read_all, server)
    assert len(read) == len({*read})
    assert stayed <= {*read}


@pytest.mark.parametrize("ignores", ["sort", "offset", "limit"])
def test_a_server_that_ignores_a_parameter_loses_nothing(ignores: str) -> None:
    """Its list is read as a whole, or not at all."""
    server = ListServer([*range(100)], ignores=frozenset({ignores}))

    async def read_all(tickets: Tickets) -> list[int]:
        cuts = await plan_cuts(tickets, 3, page_size=10)
        return [number for part in await numbers_in(tickets, cuts) for number in part]

    try:
        assert run(read_all, server) == [*range(100)]
    except DecodeError:
        assert ignores == "offset"


def test_a_part_fetches_little_beyond_its_end() -> None:
    """A part that has as many records as planned costs its own pages and one call more."""
    server = ListServer([*range(1000)])

    async def read_first(tickets: Tickets) -> int:
        cuts = await plan_cuts(tickets, 4, page_size=50)
        server.calls.clear()
        return len((await numbers_in(tickets, cuts[1:2]))[0])

    assert 230 < run(read_first, server) < 260
    assert len(server.calls) <= 8


def test_parts_can_be_sent_to_workers_and_read_as_json() -> None:
    """A pickled part is read by another session, with other fields."""
    server = ListServer([*range(40)])

    async def planned(tickets: Tickets) -> list[Cut]:
        return await plan_cuts(tickets, 2, page_size=10, select=["title"])

    cuts = pickle.loads(pickle.dumps(run(planned, server)))  # noqa: S301 - our own

    async def read_second(tickets: Tickets) -> list[bytes]:
        return [row async for row in read_part_json(tickets, cuts[1], select=["id"])]

    rows = run(read_second, server)
    assert [json.loads(row)["_id"] for row in rows] == [id_of(number) for number in range(18, 40)]
    assert server.calls[-1]["select"] == "_id"


def test_archived_tasks_are_parts_of_their_own() -> None:
    """Planhat has two lists of tasks, so each part belongs to one of them."""
    server = ListServer([*range(40)])

    async def plan() -> list[Cut]:
        async with session_on(server) as session:
            return await plan_cuts(Tasks(session), 2, page_size=10, company_id=extid("acme"))

    cuts = asyncio.run(plan())
    assert [cut.options["archived"] for cut in cuts] == [False, False, True]
    assert {cut.options["company_id"] for cut in cuts} == {extid("acme")}


def test_a_list_in_one_call_is_one_part() -> None:
    """It costs nothing to plan."""
    server = ListServer([])

    async def plan() -> list[Cut]:
        async with session_on(server) as session:
            return await plan_cuts(LeanCompanies(session), 8)

    assert asyncio.run(plan()) == [Cut()]
    assert server.calls == []


@pytest.mark.parametrize("option", ["sort", "after", "start_offset", "max_records"])
def test_options_of_a_place_are_refused(option: str) -> None:
    """A part has its own place in the order of `_id`s."""
    server = ListServer([])
    with pytest.raises(TypeError, match=f"no option '{option}'"):
        run(lambda tickets: plan_cuts(tickets, 2, **{option: 1}), server)

    async def read(tickets: Tickets) -> Any:
        return [one async for one in read_part(tickets, Cut(), **{option: 1})]

    with pytest.raises(TypeError, match=f"no option '{option}'"):
        run(read, server)
    with pytest.raises(ValueError, match="n"):
        run(lambda tickets: plan_cuts(tickets, 0), server)
