"""Test that a session and a pacer belong to the event loop and process that first use them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fakes import TOKEN, FakeTransport, ScriptedServer, reply

from planhat_async import Pacer, RateLimits, Session, Tasks
from planhat_async._http.own_loop import OwnLoop
from planhat_async._http.wire import Response

EMPTY = Response(status=200, body=b"[]")
ELSEWHERE = "belongs to another event loop"


async def in_a_thread(main: Callable[[], Coroutine[Any, Any, Any]]) -> BaseException | None:
    """Run this in an event loop of a second thread; return the exception it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    return raised[0] if raised else None


USES: dict[str, Callable[[Session], Coroutine[Any, Any, Any]]] = {
    "call": lambda session: session.request("GET", "/tasks"),
    "list": lambda session: Tasks(session).all(),
    "upsert": lambda session: Tasks(session).upsert_many([{"company_id": "5f4e3d2c1b0a998877665544"}]),
    "open": lambda session: session.__aenter__(),
    "close": lambda session: session.close(),
}


@pytest.mark.parametrize("use", USES)
async def test_a_second_thread_is_refused_without_affecting_the_first(use: str) -> None:
    """The error is raised at once: waiting calls go on, and later ones are served."""
    async with ScriptedServer([reply()]) as server:
        limits = RateLimits(max_in_flight=2)
        async with Session(TOKEN, base_url=server.url, limits=limits) as session:
            calls = [asyncio.ensure_future(session.request("GET", "/tasks")) for _ in range(20)]
            await server.has_received.wait()
            error = await in_a_thread(lambda: USES[use](session))
            assert isinstance(error, RuntimeError)
            assert str(error) == f"the session {ELSEWHERE} (of another thread?): make one for each"
            async with asyncio.timeout(60):
                assert await asyncio.gather(*calls) == [[]] * 20
                assert await session.request("GET", "/tasks") == []
            assert session.stats.calls == 21


async def test_a_pacer_of_another_event_loop_is_refused() -> None:
    """Each thread needs a pacer of its own; otherwise calls of one thread would wait for ever for the other."""
    pacer = Pacer()
    async with Session(TOKEN, transport=FakeTransport([EMPTY] * 2), pacer=pacer) as session:
        await session.request("GET", "/tasks")

        async def use() -> None:
            async with Session(TOKEN, transport=FakeTransport([EMPTY]), pacer=pacer) as other:
                await other.request("GET", "/tasks")

        error = await in_a_thread(use)
        assert isinstance(error, RuntimeError)
        assert str(error).startswith(f"the Pacer {ELSEWHERE}")
        assert await session.request("GET", "/tasks") == []


def test_a_session_and_its_pacer_may_be_used_in_one_run_after_another() -> None:
    """The session is closed in between, as in scripts; the pacer keeps its state."""
    pacer = Pacer(RateLimits(per_second=10))
    session = Session(TOKEN, transport=FakeTransport([EMPTY] * 40), pacer=pacer)

    async def main() -> int:
        async with session:
            await asyncio.gather(*(session.request("GET", "/tasks") for _ in range(3)))
            return session.calls_left

    lefts = [asyncio.run(main()) for _ in range(2)]
    assert lefts == [197, 194]


def test_a_session_that_was_not_closed_may_be_opened_in_the_next_run() -> None:
    """Its connections belong to a closed event loop; using the session without opening it raises an error."""
    transport = FakeTransport([EMPTY] * 2)
    session = Session(TOKEN, transport=transport)

    async def forget() -> None:
        await session.__aenter__()
        await session.request("GET", "/tasks")

    async def call() -> Any:
        return await session.request("GET", "/tasks")

    async def reopen() -> Any:
        async with session:
            return await call()

    asyncio.run(forget())
    with pytest.raises(RuntimeError, match="the session belongs to an event loop that is closed"):
        asyncio.run(call())
    assert not transport.is_closed
    assert asyncio.run(reopen()) == []
    assert transport.is_closed


def test_a_busy_pacer_cannot_move_to_another_loop() -> None:
    """Calls waiting in a closed event loop never continue; a new pacer works."""
    pacer = Pacer()
    loop = asyncio.new_event_loop()
    slot = pacer.slot()
    loop.run_until_complete(slot.__aenter__())
    loop.close()

    async def use() -> None:
        async with pacer.slot():
            pass

    with pytest.raises(RuntimeError, match="the Pacer belongs to an event loop that is closed"):
        asyncio.run(use())


FORKED = """
import asyncio, os, sys
sys.path.insert(0, "tests")
from fakes import FakeTransport
from planhat_async import Session
from planhat_async._http.wire import Response

async def call(session, n):
    try:
        print(n, await session.request("GET", "/tasks"), flush=True)
    except RuntimeError as error:
        print(n, error, flush=True)

async def close(session):
    try:
        await session.close()
    except RuntimeError as error:
        print("close", error, flush=True)

async def main():
    session = Session("secret-token", transport=FakeTransport([Response(status=200, body=b"[]")] * 3))
    async with session:
        await call(session, "parent")
        child = os.fork()
        if not child:
            asyncio.events._set_running_loop(None)
            asyncio.run(call(session, "child"))
            asyncio.run(close(session))
            os._exit(0)
        os.waitpid(child, 0)
        await call(session, "parent")

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_child_process_is_refused() -> None:
    """A child process would read its parent's answers from their shared connections."""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, check=True)
    said = "the session belongs to another process, from before a fork: make one in this process"
    assert ended.stdout.splitlines() == ["parent []", f"child {said}", f"close {said}", "parent []"]


async def test_the_first_loop_owns_the_object() -> None:
    """`leave()` ends the ownership."""
    own = OwnLoop("it")
    assert (own.enter(), own.enter()) == (True, False)
    own.leave()
    assert own.enter()
