"""Test a session on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest
from fakes import TOKEN
from made_ids import id_of

from planhat_async import AuthenticationError, Session, Tasks
from planhat_async.engines.threaded_session import ThreadedSession
from planhat_async.sandbox import MemorySandbox
from planhat_async.testing import SandboxTransport


def threaded(planhat: MemorySandbox) -> ThreadedSession:
    return ThreadedSession(Session(TOKEN, transport=SandboxTransport(planhat)))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "planhat session"]


def test_it_is_used_without_an_event_loop() -> None:
    """Its thread ends with its last user; then it can be used again."""
    planhat = MemorySandbox(token=TOKEN)
    session = threaded(planhat)
    for number in range(2):
        with session, session:
            tasks = Tasks(session.session)
            session.run(tasks.create({"action": str(number), "companyId": id_of(1)}))
            assert [task.action for task in session.iterate(tasks.iter())] == ["0", "1"][: number + 1]
            assert threads() == ["planhat session"]
        assert threads() == []


async def test_it_is_used_within_an_event_loop() -> None:
    """A notebook, for example, runs one."""
    planhat = MemorySandbox(token=TOKEN)
    with threaded(planhat) as session:
        assert session.run(Tasks(session.session).all()) == []


def test_several_threads_share_the_session() -> None:
    """The last one closes it."""
    planhat = MemorySandbox(token=TOKEN)
    session = threaded(planhat)
    together = threading.Barrier(4)

    def use() -> None:
        with session:
            together.wait()
            session.run(Tasks(session.session).all())

    workers = [threading.Thread(target=use) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(planhat.requests) == 8
    assert threads() == []


def test_errors_reach_the_caller() -> None:
    """The session can still be used."""
    planhat = MemorySandbox(token="another")
    with threaded(planhat) as session, pytest.raises(AuthenticationError):
        session.run(Tasks(session.session).all())
    assert threads() == []


def test_an_iteration_that_ends_early_is_closed() -> None:
    """So is one that fails."""
    closed: list[int] = []

    async def numbers(stop: int) -> AsyncGenerator[int, None]:
        try:
            for number in range(stop):
                yield number
            raise ValueError(stop)
        finally:
            closed.append(stop)

    with threaded(MemorySandbox(token=TOKEN)) as session:
        early = session.iterate(numbers(5))
        assert next(early) == 0
        early.close()
        with pytest.raises(ValueError, match="2"):
            list(session.iterate(numbers(2)))
    assert closed == [5, 2]


def test_a_session_that_cannot_be_opened_raises_its_error() -> None:
    """No thread stays."""

    async def use_elsewhere() -> None:
        async with Session(TOKEN, transport=SandboxTransport(MemorySandbox())) as session:
            shared = ThreadedSession(session)
            with pytest.raises(RuntimeError, match="event loop"):
                await asyncio.to_thread(shared.__enter__)

    asyncio.run(use_elsewhere())
    assert threads() == []


def test_it_is_used_in_with() -> None:
    """Otherwise there is no event loop."""
    session = threaded(MemorySandbox(token=TOKEN))
    with pytest.raises(RuntimeError, match="use it in `with`"):
        session.run(asyncio.sleep(0))
