"""Test iterations in a thread without an event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime

import pytest
from fakes import TOKEN
from interrupts import interruptible, press_ctrl_c
from made_ids import id_of

from planhat_async.sandbox import MemorySandbox
from planhat_async.sync import Session
from planhat_async.testing import SandboxTransport

N_TASKS = 1_203
"""More than two blocks, and not a whole number of them."""


@pytest.fixture
def planhat() -> MemorySandbox:
    sandbox = MemorySandbox(token=TOKEN, per_minute=None, per_second=None)
    with Session(TOKEN, transport=SandboxTransport(sandbox)) as session:
        rows = ({"sourceId": str(n), "companyId": id_of(1), "action": f"Call {n}"} for n in range(N_TASKS))
        assert session.tasks.upsert_many(rows).created == N_TASKS
    return sandbox


@pytest.fixture
def session(planhat: MemorySandbox) -> Iterator[Session]:
    with Session(TOKEN, transport=SandboxTransport(planhat)) as session:
        yield session


async def tasks_left() -> int:
    """The tasks on the event loop, besides the session's own and this one."""
    return len(asyncio.all_tasks()) - 2


def test_records_arrive_in_order(session: Session) -> None:
    """All of them, as records and as JSON, and nothing is left."""
    assert [task.source_id for task in session.tasks.iter(archived=False)] == [str(n) for n in range(N_TASKS)]
    assert len(list(session.tasks.iter_json(archived=False, page_size=100))) == N_TASKS
    assert [len(page) for page in session.tasks.pages(archived=False)] == [N_TASKS]
    assert session.run(tasks_left()) == 0


@pytest.mark.parametrize("way", ["break", "close", "with"])
def test_leaving_early_leaves_no_task(session: Session, way: str) -> None:
    """Pages that were being fetched are given up."""
    iteration = session.tasks.iter(page_size=100)
    if way == "with":
        with iteration:
            next(iteration)
    elif way == "close":
        next(iteration)
        iteration.close()
        iteration.close()
        assert list(iteration) == []
    else:
        del iteration
        for task in session.tasks.iter(page_size=100):
            assert task.source_id == "0"
            break
        gc.collect()  # the variable of the loop is gone at once; PyPy would need this
    for _ in range(100):
        if session.run(tasks_left()) == 0:
            break
    assert session.run(tasks_left()) == 0


def test_an_error_comes_after_the_records_before_it(session: Session) -> None:
    """Then the iteration has ended."""

    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(7):
            yield number
        raise ValueError("no more")

    iteration = session.iterate(numbers(), block=5)
    assert [next(iteration) for _ in range(7)] == [*range(7)]
    with pytest.raises(ValueError, match="no more"):
        next(iteration)
    assert list(iteration) == []


def test_wrong_options_are_refused_at_once(session: Session) -> None:
    """As by the async API."""
    with pytest.raises(TypeError, match="has no option"):
        session.tasks.iter(archivd=True)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="get"):
        session.tickets.get("1")  # type: ignore[misc, arg-type]


def test_several_threads_may_share_an_iteration(session: Session) -> None:
    """Each record goes to one of them."""
    iteration, seen = session.tasks.iter(archived=False, page_size=100), list[str | None]()

    def read() -> None:
        for task in iteration:
            seen.append(task.source_id)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sorted(seen, key=lambda one: int(one or 0)) == [str(n) for n in range(N_TASKS)]


def test_an_iteration_ends_with_its_session(planhat: MemorySandbox) -> None:
    """It never looks complete, also if the session is open again."""
    session = Session(TOKEN, transport=SandboxTransport(planhat))
    with session:
        iteration = session.tasks.iter(page_size=100)
        first = [next(iteration) for _ in range(50)]
    assert len(first) == 50
    with pytest.raises(RuntimeError, match="the session is not open"):
        next(iteration)
    with session:
        iteration = session.tasks.iter(page_size=100)
        next(iteration)
    with session, pytest.raises(RuntimeError, match="ended when its session was closed"):
        deplete(iteration)


def deplete(iteration: Iterator[object]) -> None:
    for _ in iteration:
        pass


def test_a_walk_is_complete_when_its_last_record_was_taken(session: Session) -> None:
    """Not when the last block was read, or records would be missed."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    walk = session.tasks.iter_updated_since(since, archived=False)
    records = [next(walk) for _ in range(N_TASKS)]
    assert walk.next_since == since
    deplete(walk)
    assert walk.next_since > max(task.updated_at or since for task in records).replace(year=2021)
    left = session.tasks.iter_json_updated_since(since, archived=False)
    next(left)
    left.close()
    deplete(left)
    assert left.next_since == since


def test_ctrl_c_ends_an_iteration(session: Session) -> None:
    """What is in flight has ended when the interrupt is raised; it can be raised again."""
    ended: list[int] = []

    async def endless() -> AsyncGenerator[int, None]:
        try:
            yield 1
            press_ctrl_c()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(1)

    with interruptible():
        iteration = session.iterate(endless())
        assert next(iteration) == 1
        with pytest.raises(KeyboardInterrupt):
            next(iteration)
        assert ended == [1]
        assert list(iteration) == []
    assert session.tasks.page(limit=1)[0].source_id == "0"


def test_a_second_ctrl_c_does_not_wait() -> None:
    """A coroutine that does not end cannot hold the program."""

    async def stubborn() -> None:
        press_ctrl_c()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            press_ctrl_c()
            await asyncio.Event().wait()  # until the session is closed

    session = Session(TOKEN, transport=SandboxTransport(MemorySandbox(token=TOKEN)))
    with interruptible(), session, pytest.raises(KeyboardInterrupt):
        session.run(stubborn())
