"""Test a session on a sandbox in memory: the same rules, faults and limits, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
import virtual_time

from planhat_async import (
    NotSentError,
    RateLimits,
    RetryPolicy,
    ServerError,
    Session,
    Task,
    Tasks,
    Tickets,
    Timeouts,
    UnknownOutcomeError,
)
from planhat_async.sandbox import MemorySandbox, Sandbox
from planhat_async.sandbox.faults import KINDS, Fault
from planhat_async.testing.sandbox_transport import SandboxTransport

T = TypeVar("T")
ONCE = RetryPolicy(attempts=1)
TASK = Task(company_id="5f4e3d2c1b0a998877665544", action="call")


def served(
    main: Callable[[Session, MemorySandbox], Awaitable[T]], planhat: MemorySandbox | None = None, **options: Any
) -> T:
    """Return the outcome of a session on the sandbox, on virtual time."""
    planhat = planhat or MemorySandbox()

    async def run() -> T:
        async with Session(planhat.token, transport=SandboxTransport(planhat), **options) as session:
            result = await main(session, planhat)
        await planhat.close()
        return result

    return virtual_time.run(run())


async def create(session: Session, *_: object) -> str:
    """Create a task; return the error, if any."""
    try:
        await Tasks(session).create(TASK)
    except (NotSentError, UnknownOutcomeError, ServerError) as error:
        return type(error).__name__
    return "ok"


def test_the_rules_are_those_of_the_socket() -> None:
    """Rows are written and read as over a socket, with quoted keys, and every call is logged."""

    async def main(session: Session, planhat: MemorySandbox) -> None:
        tasks = Tasks(session)
        result = await tasks.upsert_many(
            [
                {"source_id": "a/b ?", "company_id": "5f4e3d2c1b0a998877665544"},
                {"source_id": "c", "company_id": "5f4e3d2c1b0a998877665544"},
            ]
        )
        assert result.created == 2
        assert (await tasks.get("srcid-a/b ?")).source_id == "a/b ?"
        assert [task.source_id async for task in tasks.iter()] == ["a/b ?", "c"]
        assert [call.path for call in planhat.requests][:2] == ["/tasks", "/tasks/srcid-a%2Fb%20%3F"]

    served(main)


@pytest.mark.parametrize(
    ("faults", "outcome", "is_stored"),
    [
        ("refuse@1", "NotSentError", False),
        ("reset_before@1", "UnknownOutcomeError", False),
        ("reset_after@1", "UnknownOutcomeError", True),
        ("reset_during@1", "UnknownOutcomeError", True),
        ("stall@1", "UnknownOutcomeError", True),
        ("slow:9@1", "ok", True),
        ("slow:90@1", "UnknownOutcomeError", True),
        ("slow:210@1", "UnknownOutcomeError", True),
        ("http_500@1", "ServerError", False),
        ("http_504_after@1", "ServerError", True),
        ("html_page@1", "ServerError", False),
    ],
)
def test_faults_have_the_same_effects_as_over_a_socket(faults: str, outcome: str, *, is_stored: bool) -> None:
    """The error of the session and the stored records are compared."""

    async def main(session: Session, planhat: MemorySandbox) -> tuple[str, bool]:
        return await create(session), planhat.records("tasks") != []

    timeouts = Timeouts(read=20, total=60)
    assert served(main, MemorySandbox(faults=faults), retry=ONCE, timeouts=timeouts) == (outcome, is_stored)


def test_a_late_call_is_processed_after_its_error() -> None:
    """The caller gets no answer; the task is stored later."""

    async def main(session: Session, planhat: MemorySandbox) -> None:
        assert await create(session) == "UnknownOutcomeError"
        assert planhat.records("tasks") == []
        await planhat.settled()
        assert len(planhat.records("tasks")) == 1
        assert [(call.fault, call.status) for call in planhat.requests] == [("late", 200)]

    served(main, MemorySandbox(faults="late:30@1"), retry=ONCE)


def test_refused_calls_are_retried_until_the_sandbox_listens() -> None:
    """The sandbox does not listen for a minute after the first call; the session waits and continues."""

    async def main(session: Session, _: MemorySandbox) -> float:
        assert [await create(session) for _ in range(2)] == ["ok", "ok"]
        return asyncio.get_running_loop().time()

    planhat = MemorySandbox(faults="refuse:60@2")
    assert served(main, planhat, retry=RetryPolicy(attempts=50)) >= 60
    assert [call.fault for call in planhat.requests] == [None, None]


def test_new_faults_are_counted_from_one() -> None:
    """The first call may be refused, too."""

    async def main(session: Session, planhat: MemorySandbox) -> list[str]:
        first = await create(session)
        planhat.inject("refuse@1")
        return [first, await create(session)]

    assert served(main, retry=ONCE) == ["ok", "NotSentError"]


def test_a_cancelled_call_is_processed_all_the_same() -> None:
    """Cancelling a call does not withdraw its request, and asyncio logs no unretrieved exception."""

    async def main(session: Session, planhat: MemorySandbox) -> None:
        task = asyncio.create_task(create(session))
        await asyncio.sleep(0.1)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        assert planhat.records("tasks") == []
        await planhat.settled()
        assert len(planhat.records("tasks")) == 1

    served(main, MemorySandbox(latency=1.0))


def test_latency_longer_than_the_timeout() -> None:
    """The call ends with a timeout."""
    timeouts = Timeouts(read=20)
    assert served(create, MemorySandbox(latency=30), retry=ONCE, timeouts=timeouts) == "UnknownOutcomeError"


def test_limits_are_enforced_on_virtual_time() -> None:
    """400 calls as fast as allowed take one minute on the sandbox's clock, and none is refused."""

    async def main(session: Session, _: MemorySandbox) -> float:
        tasks = Tasks(session)
        await asyncio.gather(*(tasks.page(limit=1) for _ in range(400)))
        return asyncio.get_running_loop().time()

    planhat = MemorySandbox(latency=0.1)
    assert 60 <= served(main, planhat) < 75
    assert {call.status for call in planhat.requests} == {200}


def test_an_answer_that_stalls_is_settled() -> None:
    """The call was carried out, and its client has gone away: nothing is left to wait for."""

    async def main(session: Session, planhat: MemorySandbox) -> tuple[str, int]:
        outcome = await create(session)
        async with asyncio.timeout(1):
            await planhat.settled()
        return outcome, len(planhat.records("tasks"))

    planhat = MemorySandbox(faults="stall@1")
    assert served(main, planhat, timeouts=Timeouts(deadline=1)) == ("UnknownOutcomeError", 1)


def test_too_many_concurrent_calls_are_refused() -> None:
    """The limit of calls in flight applies in memory too."""

    async def main(session: Session, _: MemorySandbox) -> None:
        await asyncio.gather(*(Tasks(session).page(limit=1) for _ in range(4)))

    planhat = MemorySandbox(latency=1.0, max_parallel=2, faults="slow:5")
    served(main, planhat, limits=RateLimits(max_in_flight=10))
    assert sorted(call.status for call in planhat.requests)[:4] == [200] * 4
    assert 429 in {call.status for call in planhat.requests}


@pytest.mark.slow
def test_an_upsert_with_faults_stores_every_ticket_once() -> None:
    """One call in five of an upsert of 20,000 tickets fails."""

    async def main(session: Session, planhat: MemorySandbox) -> None:
        rows = ({"source_id": str(n), "email": "a@b.c", "domains": ["b.c"]} for n in range(20_000))
        result = await Tickets(session).upsert_many(rows, chunk_size=500)
        assert result.rows == result.stored == 20_000
        assert len({ticket["sourceId"] for ticket in planhat.records("tickets")}) == 20_000

    planhat = MemorySandbox(faults="reset_after=0.05,late=0.05,http_502=0.05,http_429_retry_after=0.05", seed=3)
    served(main, planhat, retry=RetryPolicy(attempts=20))
    assert len({call.fault for call in planhat.requests}) >= 4


@pytest.mark.parametrize(
    "name", [name for name in KINDS if name not in {"refuse", "stall", "slow", "http_429", "http_429_skewed"}]
)
async def test_memory_and_socket_have_the_same_outcomes(name: str) -> None:
    """The same call with the same fault has the same outcome and the same log."""
    rows = [{"source_id": str(n), "company_id": "5f4e3d2c1b0a998877665544"} for n in range(3)]

    async def outcome(session: Session, planhat: MemorySandbox | Sandbox) -> Any:
        result = await Tasks(session).upsert_many(rows)
        if name == "late":  # the delay takes real seconds over a socket
            await planhat.settled()
        listed = [task.source_id async for task in Tasks(session).iter()]
        await planhat.settled()
        log = [(call.method, call.fault, call.status, call.is_carried_out) for call in planhat.requests]
        return result.counts(), listed, log, [task["sourceId"] for task in planhat.records("tasks")]

    memory, faults = MemorySandbox(faults=[Fault(name, calls=[1])]), [Fault(name, calls=[1])]
    async with Session(memory.token, transport=SandboxTransport(memory), retry=ONCE) as session:
        in_memory = await outcome(session, memory)
    async with Sandbox(faults=faults) as planhat, Session(planhat.token, base_url=planhat.url, retry=ONCE) as session:
        assert await outcome(session, planhat) == in_memory
