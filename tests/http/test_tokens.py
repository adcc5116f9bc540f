"""Test where a token comes from, and that no request counts as sent before it has one."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import virtual_time
from fakes import TOKEN, FakeTransport, ScriptedServer, reply

from planhat_async import Notes, NotSentError, RateLimits, RetryPolicy, Session, Tasks, Timeouts, UpsertRun
from planhat_async._http.tokens import TokenSource
from planhat_async._http.wire import Request, Response
from planhat_async.errors import UnknownOutcomeError

COMPANY = "5fd76c4daf9f4601dd313b05"
ID = "6b0b34e7314fb7dfd82c07ce"
ONE_AT_A_TIME = RateLimits(max_in_flight=1)
EMPTY = Response(status=200, body=b"[]")


class Vault:
    """Returns tokens in turn, or raises the exceptions among them."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.threads: list[str] = []

    def __call__(self) -> str:
        self.threads.append(threading.current_thread().name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]


def is_async(vault: Vault) -> Any:
    """Return the vault as an async function."""

    async def ask() -> str:
        await asyncio.sleep(0)
        return vault()

    return ask


class AsyncVault(Vault):
    """A vault with an async `__call__`."""

    async def __call__(self) -> str:  # type: ignore[override]
        return super().__call__()


def is_late(vault: Vault) -> Any:
    """Return the vault as a plain function that returns an awaitable."""

    def ask() -> Any:
        return is_async(vault)()

    return ask


async def consumed(run: UpsertRun) -> None:
    """Run an upsert to its end."""
    async with run:
        async for _ in run:
            pass


KINDS: dict[str, Callable[[Vault], Any]] = {
    "plain": lambda vault: vault,
    "async": is_async,
    "partial": lambda vault: functools.partial(is_async(vault)),
    "async object": lambda vault: AsyncVault(*vault.answers),
    "late": is_late,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_any_kind_of_function_works(kind: str) -> None:
    """The function may be plain or async."""
    source = TokenSource(KINDS[kind](Vault("first-token", "second-token")))
    assert [(await source.token()).header() for _ in range(3)] == [
        "Bearer first-token",
        "Bearer second-token",
        "Bearer second-token",
    ]


async def test_a_plain_function_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    """A plain function may block; an async one needs the event loop."""
    plain, wrapped = Vault(TOKEN), Vault(TOKEN)
    await TokenSource(plain).token()
    await TokenSource(is_async(wrapped)).token()
    assert plain.threads != [threading.current_thread().name]
    assert wrapped.threads == [threading.current_thread().name]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [FileNotFoundError("no token file"), TimeoutError("vault"), OSError("reset")])
async def test_an_exception_of_the_function_reaches_the_caller(kind: str, fault: Exception) -> None:
    """No request was sent, the exception is not replaced by a network error, and the next call succeeds."""
    transport = FakeTransport([EMPTY])
    token = KINDS[kind](Vault(fault, TOKEN))
    async with Session(token, transport=transport, limits=ONE_AT_A_TIME, timeouts=Timeouts(deadline=60)) as session:
        with pytest.raises(type(fault)) as caught:
            await session.request("POST", "/tasks", json={})
        assert caught.value is fault
        assert (transport.sent, session.stats.attempts, session.stats.bytes_sent) == ([], 0, 0)
        assert await session.request("GET", "/tasks") == []
        assert session.stats.attempts == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_rows_whose_token_fails_are_unsent(kind: str) -> None:
    """Unknown rows without a key would never be sent again."""
    transport = FakeTransport([])
    async with Session(KINDS[kind](Vault(PermissionError("vault is sealed"))), transport=transport) as session:
        run = Notes(session).upserting([{"company_id": COMPANY}] * 3)
        with pytest.raises(PermissionError):
            await consumed(run)
    assert (run.result.unsent, run.result.unknown, run.result.rows, transport.sent) == (3, 0, 3, [])


async def test_rows_sent_before_the_token_fails_are_unknown() -> None:
    """Planhat may have processed an earlier attempt."""
    transport = FakeTransport([UnknownOutcomeError("lost")])
    once_more = RetryPolicy(wait_initial=0)
    row = {"company_id": COMPANY, "source_id": "1"}
    async with Session(Vault(TOKEN, PermissionError("sealed")), transport=transport, retry=once_more) as session:
        run = Tasks(session).upserting([row])
        with pytest.raises(PermissionError):
            await consumed(run)
    assert (run.result.unknown, run.result.rows, len(transport.sent)) == (1, 1, 1)


async def test_concurrent_attempts_share_a_token() -> None:
    """Fifty concurrent calls ask the vault once; the next call asks it again."""
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return TOKEN

    transport = FakeTransport([EMPTY] * 21)
    async with Session(ask, transport=transport) as session:
        await asyncio.gather(*(session.request("GET", "/tasks") for _ in range(20)))
        n_at_once = asked
        await session.request("GET", "/tasks")
    assert n_at_once < 20
    assert asked == n_at_once + 1


async def test_a_cancelled_call_does_not_affect_the_others() -> None:
    """The function is cancelled with the last waiting call, and the next call asks again."""
    gate = asyncio.Event()
    ended: list[str] = []

    async def ask() -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("answered")
        return TOKEN

    source = TokenSource(ask)
    first, second = (asyncio.ensure_future(source.token()) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert ended == []
    second.cancel()
    third = asyncio.Task(source.token())  # not begun at once, as by an eager task factory, or it would join
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.sleep(0)
    assert ended == ["cancelled"]
    gate.set()
    assert (await third).header() == f"Bearer {TOKEN}"


@pytest.mark.parametrize("n_steps", range(8))
async def test_the_next_call_works_after_a_cancelled_one(n_steps: int) -> None:
    """No request was sent, so rows are unsent, and the slot is free again."""
    gate = threading.Event()

    def ask() -> str:
        assert gate.wait(60)
        return TOKEN

    transport = FakeTransport([EMPTY])
    async with Session(ask, transport=transport, limits=ONE_AT_A_TIME) as session:
        run = Notes(session).upserting([{"company_id": COMPANY}])

        call = asyncio.ensure_future(consumed(run))
        for _ in range(n_steps):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        gate.set()
        assert (run.result.unknown, transport.sent) == (0, [])
        assert await session.request("GET", "/tasks") == []


def test_the_deadline_covers_the_function() -> None:
    """A vault without an answer times out, and no request is sent."""

    async def silent() -> str:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def main() -> float:
        clock = asyncio.get_running_loop().time
        transport = FakeTransport([])
        async with Session(silent, transport=transport, timeouts=Timeouts(deadline=3.0)) as session:
            begun = clock()
            with pytest.raises(NotSentError, match="the deadline passed while it waited to be sent"):
                await session.request("POST", "/tasks", json={})
            assert transport.sent == []
            return clock() - begun

    assert virtual_time.run(main()) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_stop_iteration_does_not_hang(kind: str) -> None:
    """A future cannot hold a StopIteration."""
    tokens = iter([TOKEN])

    def plain() -> str:
        return next(tokens)

    async def ask() -> str:
        return plain()

    source = TokenSource(plain if kind == "plain" else ask)
    await source.token()
    async with asyncio.timeout(60):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await source.token()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", [f"{TOKEN}\nx", f"{TOKEN} x", b"secret-token", 5, None, ""])
async def test_an_invalid_token_is_refused_without_being_shown(kind: str, token: Any) -> None:
    """Neither the message nor the local variables of the traceback contain it."""
    source = TokenSource(KINDS[kind](Vault(token)))
    with pytest.raises(ValueError, match=r"^the Planhat token ") as caught:
        await source.token()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [
        frame
        for frame in frames
        if "planhat_async" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename
    ]
    assert ours
    assert "secret" not in str(caught.value) + repr([frame.f_locals for frame in ours])


async def test_a_debugging_event_loop_does_not_log_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """It logs slow steps with the results of tasks."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    with caplog.at_level(logging.DEBUG):
        await TokenSource(Vault(TOKEN)).token()
        await TokenSource(is_async(Vault(TOKEN))).token()
    loop.set_debug(False)
    assert caplog.records
    assert TOKEN not in caplog.text


@pytest.fixture
async def quoting() -> AsyncIterator[ScriptedServer]:
    """Yield a server whose answer to an upsert quotes the token in its errors."""
    body = b'{"created":0,"updated":0,"nonupdates":0,"createdErrors":["token %b may not"]}' % TOKEN.encode()
    async with ScriptedServer([reply(200, body), reply(206, body), reply(400, body), reply(403, body)]) as server:
        yield server


async def test_the_errors_of_rows_do_not_contain_the_token(quoting: ScriptedServer) -> None:
    """This holds for any status of the answer."""
    async with Session(TOKEN, base_url=quoting.url) as session:
        for _ in range(4):
            result = await Tasks(session).upsert_many([{"company_id": COMPANY, "source_id": "1"}])
            assert [problem.reason for problem in result.problems] == ["token <token> may not"]
            assert TOKEN not in repr(result)


async def test_a_record_that_contains_the_token_is_unchanged() -> None:
    """The client does not change texts of customers."""
    record = b'{"_id":"%b","action":"%b"}' % (ID.encode(), TOKEN.encode())
    transport = FakeTransport([Response(status=200, body=record), Response(status=200, body=b"[%b]" % record)])
    async with Session(TOKEN, transport=transport) as session:
        assert (await Tasks(session).get(ID)).action == TOKEN
        assert (await session.send(Request(method="GET", path="/tasks"))).body == b"[%b]" % record
