"""Test a session on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest
from fakes import TOKEN
from interrupts import interruptible, press_ctrl_c
from made_ids import id_of

from planhat_async import AuthenticationError, Session, Tasks, sync
from planhat_async.sandbox import MemorySandbox
from planhat_async.sync import BlockingSession
from planhat_async.sync.loop_thread import LoopThread
from planhat_async.testing import SandboxTransport


def threaded(planhat: MemorySandbox) -> BlockingSession:
    return BlockingSession(Session(TOKEN, transport=SandboxTransport(planhat)))


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


def test_a_session_that_cannot_be_opened_raises_its_error() -> None:
    """No thread stays."""

    async def use_elsewhere() -> None:
        async with Session(TOKEN, transport=SandboxTransport(MemorySandbox())) as session:
            shared = BlockingSession(session)
            with pytest.raises(RuntimeError, match="event loop"):
                await asyncio.to_thread(shared.open)

    asyncio.run(use_elsewhere())
    assert threads() == []


def test_an_opening_that_is_interrupted_leaves_no_thread() -> None:
    """It can be opened again."""

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        opened.append("opened")
        if len(opened) == 1:
            press_ctrl_c()
            await asyncio.sleep(0.05)
        yield
        opened.append("closed")

    opened: list[str] = []
    with interruptible(), pytest.raises(KeyboardInterrupt):
        LoopThread(slow()).enter()
    for thread in threading.enumerate():
        if thread.name == "planhat session":
            thread.join(60)
    assert opened == ["opened", "closed"]
    assert threads() == []


def test_its_arguments_are_those_of_the_async_session() -> None:
    """Also for `help`."""
    assert [*inspect.signature(Session).parameters] == [*inspect.signature(sync.Session).parameters]
    with pytest.raises(TypeError, match="base_ur"):
        sync.Session(TOKEN, base_ur="https://api.planhat.com")  # type: ignore[call-arg]


def test_it_is_used_in_with() -> None:
    """Otherwise there is no event loop."""
    session = threaded(MemorySandbox(token=TOKEN))
    with pytest.raises(RuntimeError, match="use it in `with`"):
        session.run(asyncio.sleep(0))


def test_only_the_last_exit_closes_it() -> None:
    """An exit too many does no harm."""
    session = threaded(MemorySandbox(token=TOKEN))
    session.open().open()
    session.close()
    assert session.tasks.all() == []
    session.close()
    session.close()
    with session:
        assert session.tasks.all() == []


def test_a_call_on_its_own_event_loop_is_refused() -> None:
    """It would wait for itself."""
    with threaded(MemorySandbox(token=TOKEN)) as session:

        async def nested() -> None:
            session.tasks.all()

        with pytest.raises(RuntimeError, match="this would wait for itself"):
            session.run(nested())
        assert session.tasks.all() == []


def test_a_call_that_outlives_the_session_is_told_so() -> None:
    """Another thread closes it; the coroutine is cancelled, and has ended."""
    ended: list[str] = []
    has_begun = threading.Event()
    session = threaded(MemorySandbox(token=TOKEN)).open()

    async def wait() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    def call() -> None:
        with pytest.raises(RuntimeError, match="closed during the call"):
            session.run(wait())
        ended.append("told")

    caller = threading.Thread(target=call)
    caller.start()
    has_begun.wait()
    session.close()
    caller.join()
    assert ended == ["ended", "told"]


def test_a_call_sees_the_context_of_its_caller() -> None:
    """So a span of the caller is the parent of the spans of the call."""
    variable = ContextVar("variable", default="none")

    async def seen() -> str:
        return variable.get()

    with threaded(MemorySandbox(token=TOKEN)) as session:
        variable.set("the caller's")
        assert session.run(seen()) == "the caller's"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_is_refused() -> None:
    """Its copy of the session has no thread: each call says so, and nothing hangs; the parent goes on."""
    with threaded(MemorySandbox(token=TOKEN)) as session:
        begun = session.tasks.iter()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - coverage ends with `_exit`
            refusals = list[str]()
            for use in (session.tasks.all, session.open, begun.__next__):
                try:
                    use()
                except RuntimeError as error:
                    refusals.append(str(error))
            session.close()
            begun.close()
            os.write(writing, repr(refusals).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode()
        os.waitpid(child, 0)
        assert said.count("belongs to another process, from before a fork: make one in this process") == 3
        assert session.tasks.all() == []


def test_a_call_that_is_interrupted_before_it_starts_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between the note of the call and its start; the session goes on."""

    def interrupt(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    async def one() -> int:
        return 1

    with threaded(MemorySandbox(token=TOKEN)) as session:
        loop = session._thread._loop
        assert loop is not None
        monkeypatch.setattr(loop, "call_soon_threadsafe", interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run(one())
        assert session.run(one()) == 1


def test_a_loop_that_ends_by_itself_leaves_nobody_waiting() -> None:
    """`sys.exit` within a task ends it: this call, one in flight, and later ones raise; the session can be closed."""

    async def leave() -> None:
        raise SystemExit(3)

    async def wait() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    def wait_in_vain() -> None:
        with pytest.raises(RuntimeError, match="closed during the call"):
            session.run(wait())

    has_begun = threading.Event()
    session = threaded(MemorySandbox(token=TOKEN)).open()
    waiting = threading.Thread(target=wait_in_vain, daemon=True)
    waiting.start()
    has_begun.wait(60)
    with pytest.raises(SystemExit):
        session.run(leave())
    waiting.join(60)
    for thread in threading.enumerate():
        if thread.name == "planhat session":
            thread.join(60)
    assert not waiting.is_alive()
    with pytest.raises(RuntimeError, match="not open"):
        session.run(wait())
    session.close()
    assert threads() == []
