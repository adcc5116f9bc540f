"""Test a window in Redis: who meets there, and what happens with a Redis that is away or cannot be used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import redis
from redis import exceptions

from benchmarks.redis_server import RedisServer, free_port
from planhat_async import Session
from planhat_async._http import redis_pace, redis_window
from planhat_async._http.pace import RateLimits
from planhat_async._http.pacer import Pacer
from planhat_async._http.redis_problems import RedisProblem, problem_of
from planhat_async._http.redis_window import RedisWindow
from planhat_async._http.shared_messages import Message, Reply
from planhat_async._http.shared_window import SharedWindow, SharedWindowError, SharedWindowUnusableError
from planhat_async.sandbox import Sandbox

pytestmark = pytest.mark.redis

URL = "https://api.planhat.com"


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    """Return a token that no other test has."""
    return f"tok-{abs(hash(request.node.nodeid))}"


@asynccontextmanager
async def opened(url: str, token: str, **options: Any) -> AsyncIterator[RedisWindow]:
    """A window that is closed in the end."""
    window = RedisWindow(url, URL, token, **options)
    try:
        yield window
    finally:
        await window.close()


async def exchanged(url: str, token: str, message: Message) -> Reply:
    """Return the reply to one message."""
    async with opened(url, token) as window:
        return await window.exchange(message)


async def test_sessions_with_the_same_server_and_token_meet(lasting_redis: RedisServer, token: str) -> None:
    """Another token has a window of its own."""
    first = await exchanged(lasting_redis.url, token, Message(n_singles=1))
    second = await exchanged(f"{lasting_redis.url}/0", token, Message(n_singles=1))
    other_token = await exchanged(lasting_redis.url, f"{token}-other", Message(n_singles=1))
    assert [reply.n_members for reply in (first, second, other_token)] == [1, 2, 1]
    assert (second.epoch, first.singles, second.singles) == (first.epoch, (1,), (2,))
    assert first.epoch != other_token.epoch


async def test_a_key_tells_nothing(lasting_redis: RedisServer, token: str) -> None:
    """Neither its name nor its value contains the token, and no repr contains the password."""
    async with opened(lasting_redis.url, token) as window:
        await window.exchange(Message(n_singles=1, pid=5, host="here"))
        with redis.Redis(port=lasting_redis.port) as client:
            value: Any = client.get(window._key)
        assert token not in window._key
        assert token.encode() not in value
        assert isinstance(window, SharedWindow)
    assert repr(RedisWindow("redis://me:secret@host/2", URL, token)) == "<RedisWindow redis://host:6379/2>"


async def test_who_is_on_a_window_is_seen_without_joining(lasting_redis: RedisServer, token: str) -> None:
    """Looking makes no key."""
    async with opened(lasting_redis.url, token) as window:
        assert (await window.standing(60.0)).members == ()
        await window.exchange(Message(n_singles=1, pid=5, host="here"))
        standing = await window.standing(60.0)
    assert [(one.pid, one.host, one.n_singles) for one in standing.members] == [(5, "here", 1)]


async def test_scripts_that_were_forgotten_are_sent_again(lasting_redis: RedisServer, token: str) -> None:
    """Redis keeps them in memory only."""
    async with opened(lasting_redis.url, token) as window:
        known = await window.exchange(Message(n_singles=1))
        with redis.Redis(port=lasting_redis.port) as client:
            client.script_flush()
        reply = await window.exchange(Message(epoch=known.epoch, member=known.member, n_singles=1))
    assert reply.singles == (2,)


def test_a_window_may_be_used_in_one_event_loop_after_another(lasting_redis: RedisServer, token: str) -> None:
    """It connects anew in each."""
    window = RedisWindow(lasting_redis.url, URL, token)

    async def exchange() -> int:
        reply = await window.exchange(Message())
        await window.close()
        return reply.n_members

    assert [asyncio.run(exchange()), asyncio.run(exchange())] == [1, 2]


async def test_a_session_shares_by_a_url(lasting_redis: RedisServer) -> None:
    """Two sessions see each other."""
    async with Sandbox() as planhat:
        first, second = (Session("token-by-url", base_url=planhat.url, shared=lasting_redis.url) for _ in range(2))
        async with first, second:
            for session in (first, second):
                await session.request("GET", "/tasks", params={"limit": 1})
            assert (second.stats.members, second.calls_left) == (2, 198)


ACL = "it wants a password: redis://:PASSWORD@..."
REFUSED = "it refuses the user or the password"


@attrs.frozen
class Bad:
    """A Redis that cannot be used."""

    expected: str
    prepare: Callable[[Any, str], object] = lambda *_: None
    """Given a client and the window's key."""
    credentials: str = ""
    path: str = ""


BAD = {
    "wants a password": Bad(ACL, lambda client, _: client.config_set("requirepass", "right")),
    "refuses the password": Bad(
        REFUSED, lambda client, _: client.config_set("requirepass", "right"), credentials=":not-to-be-seen@"
    ),
    "refuses the user": Bad(REFUSED, credentials="nobody:not-to-be-seen@"),
    "allows no scripts": Bad(
        "its user may not run EVALSHA, EVAL, GET, SET, TIME and PING on planhat-async:pace:*",
        lambda client, _: client.acl_setuser("me", enabled=True, passwords=["+pw"], commands=["+get"], keys=["*"]),
        credentials="me:pw@",
    ),
    "allows no such keys": Bad(
        "its user may not run EVALSHA, EVAL, GET, SET, TIME and PING on planhat-async:pace:*",
        lambda client, _: client.acl_setuser("me", enabled=True, passwords=["+pw"], commands=["+@all"], keys=["a"]),
        credentials="me:pw@",
    ),
    "is a replica": Bad(
        "it is a read-only replica: name its primary", lambda client, _: client.replicaof("127.0.0.1", free_port())
    ),
    "has no such database": Bad("it has no database of this number", path="/99"),
    "has another value": Bad(
        "its key for this token holds something else: delete that, or name another database",
        lambda client, key: client.rpush(key, "x"),
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
async def test_a_redis_that_cannot_be_used_is_said(redis_server: RedisServer, token: str, bad: Bad) -> None:
    """One line without the password; from then on the session keeps a pace of its own."""
    url = f"redis://{bad.credentials}127.0.0.1:{redis_server.port}{bad.path}"
    async with opened(url, token) as window:
        with redis.Redis(port=redis_server.port) as client:
            bad.prepare(client, window._key)
        with pytest.raises(SharedWindowUnusableError) as caught:
            await window.exchange(Message(n_singles=1))
    assert str(caught.value) == f"redis://127.0.0.1:{redis_server.port}{bad.path or '/0'}: {bad.expected}"


async def test_a_redis_without_scripts_is_said(redis_server: RedisServer, token: str) -> None:
    """It may be too old, or its owner has removed the command."""
    redis_server.kill()
    redis_server.options = ("--rename-command", "EVALSHA", "")
    redis_server.start()
    async with opened(redis_server.url, token) as window:
        with pytest.raises(SharedWindowUnusableError) as caught:
            await window.exchange(Message())
    assert str(caught.value) == (
        f"{redis_server.url}/0: it is too old, or runs no scripts: Redis 6.2 or Valkey is needed"
    )


async def test_a_window_of_a_newer_version_is_left_alone(
    lasting_redis: RedisServer, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer version may be using it."""
    newer = redis_pace.SCRIPT.replace("local VERSION = 1\n", "local VERSION = 2\n")
    with monkeypatch.context() as patch:
        patch.setattr(redis_window, "SCRIPT", newer)
        patch.setattr(redis_window, "_SHA", "0" * 40)
        await exchanged(lasting_redis.url, token, Message())
    with pytest.raises(SharedWindowUnusableError, match=r"the window there is of a newer version of planhat-async$"):
        await exchanged(lasting_redis.url, token, Message())


async def test_what_is_no_redis_is_said(token: str) -> None:
    """A web server, say."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SharedWindowUnusableError, match=r"it does not answer as Redis does$"):
            await exchanged(f"redis://127.0.0.1:{port}", token, Message())


class GaiError(exceptions.ConnectionError):
    """An error of the package, made of one of the system."""

    def __init__(self, cause: OSError) -> None:
        super().__init__("Error -2 connecting to host:6379. Name or service not known.")
        self.__cause__ = cause


@pytest.mark.parametrize(
    ("error", "text", "is_lasting"),
    [
        (GaiError(OSError(-2, "Name or service not known")), "Name or service not known", False),
        (GaiError(ConnectionRefusedError(111, "x")), "Connection refused", False),
        (
            GaiError(ssl.SSLCertVerificationError(1, "x")),
            "its certificate is not trusted: name its issuer with ?ssl_ca_certs=FILE",
            False,
        ),
        (GaiError(ssl.SSLError(1, "x")), "it does not speak TLS: say redis:// instead of rediss://", False),
        (exceptions.ConnectionError("Error 111 connecting to a:1. x"), "Connection refused", False),
        (exceptions.ConnectionError("Connection closed by server."), "Connection closed by server.", False),
        (exceptions.TimeoutError("Timeout"), "it does not answer", False),
        (exceptions.BusyLoadingError("Redis is loading"), "it is loading its data", False),
        (exceptions.MovedError("5 127.0.0.1:7000"), "it is a node of a cluster: name a Redis without a cluster", True),
        (exceptions.ResponseError("OOM command not allowed"), "OOM command not allowed", False),
        (exceptions.AuthenticationError("x"), REFUSED, True),
    ],
)
def test_problems_are_said_in_one_line(error: Exception, text: str, is_lasting: bool) -> None:
    """With what to do, if there is something; a lasting one ends the sharing."""
    assert problem_of(error) == RedisProblem(text, is_lasting)


async def test_a_session_goes_on_without_a_redis_that_is_unusable(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, without the password."""
    with redis.Redis(port=redis_server.port) as client:
        client.config_set("requirepass", "right")
    url = f"redis://:not-to-be-seen@127.0.0.1:{redis_server.port}"
    async with (
        Sandbox() as planhat,
        Session("token-unusable", base_url=planhat.url, shared=url) as session,
    ):
        for _ in range(3):
            await session.request("GET", "/tasks", params={"limit": 1})
        assert session.calls_left == 197
    (said,) = [record.getMessage() for record in caplog.records if record.name == "planhat_async.pace"]
    assert said == f"redis://127.0.0.1:{redis_server.port}/0: {REFUSED}: this session keeps a pace of its own"
    assert "not-to-be-seen" not in caplog.text


async def call(pacer: Pacer) -> None:
    async with pacer.slot() as slot:
        slot.mark_answered()


async def happens(condition: Callable[[], bool]) -> None:
    """Wait until something is the case."""
    while not condition():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)


def has_to_return(pacer: Pacer) -> bool:
    assert pacer._member is not None
    return pacer._member.membership.has_to_return(asyncio.get_running_loop().time())


async def test_a_password_that_is_refused_later_may_be_right_again(
    redis_server: RedisServer, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What has worked is tried again: members go on with their shares meanwhile, and restate what they started."""
    monkeypatch.setattr("planhat_async._http.membership.AWAY_SECONDS", 0.01)
    window = RedisWindow(f"redis://:right@127.0.0.1:{redis_server.port}", URL, token)
    with redis.Redis(port=redis_server.port) as client:
        client.config_set("requirepass", "right")
        pacer = Pacer(RateLimits(per_minute=1000, per_second=1000), shared=window)
        await call(pacer)
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)
        await call(pacer)
        await happens(lambda: str(window._away).endswith(REFUSED))
        await call(pacer)
        client.config_set("requirepass", "right")
        await happens(lambda: not has_to_return(pacer))
        assert (await window.standing(60.0)).n_used == 3
        await pacer.leave()
    (said,) = caplog.messages
    assert said.endswith("; meanwhile this session keeps a pace of its own")


async def test_a_closed_window_waits_for_redis(
    redis_server: RedisServer, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing starts while it is away, and it is said once."""
    monkeypatch.setattr("planhat_async._http.membership.AWAY_SECONDS", 0.01)
    redis_server.kill()
    pacer = Pacer(shared=RedisWindow(redis_server.url, URL, token, on_outage="closed"))
    waiting = asyncio.ensure_future(call(pacer))
    await happens(lambda: bool(caplog.messages))
    assert not waiting.done()
    redis_server.start()
    await waiting
    await pacer.leave()
    assert caplog.messages == [f"{redis_server.url}/0: Connection refused; meanwhile nothing is sent"]


async def test_a_stopped_redis_stops_nobody(
    redis_server: RedisServer, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it is asked meanwhile is only whether it is there; its late answers grant nothing twice."""
    monkeypatch.setattr(redis_window, "_ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(redis_window, "_REVIVAL_SECONDS", 0.05)
    monkeypatch.setattr("planhat_async._http.membership.AWAY_SECONDS", 0.01)
    window = RedisWindow(redis_server.url, URL, token)
    pacer = Pacer(RateLimits(per_minute=1000, per_second=1000), shared=window)
    await call(pacer)
    redis_server.stop()
    for _ in range(10):
        await call(pacer)
    redis_server.resume()
    await happens(lambda: not has_to_return(pacer))
    assert (await window.standing(60.0)).n_used == 11
    await pacer.leave()
    assert caplog.messages == [
        f"{redis_server.url}/0: it does not answer; meanwhile this session keeps a pace of its own"
    ]


@asynccontextmanager
async def far_away(server: RedisServer, seconds: float) -> AsyncIterator[str]:
    """A URL at which a Redis answers so much later."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", server.port)
        while asked := await reader.read(65536):
            there.write(asked)
            answer = await there_reader.read(65536)
            await asyncio.sleep(seconds)
            writer.write(answer)
        there.close()
        writer.close()

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as carrier:
        yield f"redis://127.0.0.1:{carrier.sockets[0].getsockname()[1]}"


async def test_a_redis_that_is_far_away_is_asked_for_many_places(lasting_redis: RedisServer, token: str) -> None:
    """So a burst takes a few questions; one that is near is asked for few places, so that members take turns."""
    n_asked = 0
    async with far_away(lasting_redis, 0.1) as url, opened(url, token) as window:
        exchange = window.exchange

        async def counted(message: Message) -> Reply:
            nonlocal n_asked
            n_asked += message.max_places > 0
            return await exchange(message)

        window.exchange = counted  # type: ignore[method-assign]
        pacer = Pacer(RateLimits(reserve=0, max_in_flight=150), shared=window)
        await asyncio.gather(*(call(pacer) for _ in range(150)))
        assert window.max_places == 25
        await pacer.leave()
    assert n_asked <= 20


async def test_a_policy_that_does_not_exist_is_refused(token: str) -> None:
    """A misspelt one would share."""
    with pytest.raises(ValueError, match=r"^on_outage must be 'share' or 'closed', not 'open'$"):
        RedisWindow("redis://host", URL, token, on_outage="open")
    assert RedisWindow("redis://host?on_outage=closed", URL, token).waits_while_away
    assert not RedisWindow("redis://host?on_outage=closed", URL, token, on_outage="share").waits_while_away


async def test_without_a_redis_it_is_tried_again(token: str) -> None:
    """One that starts later is used then."""
    url = f"redis://127.0.0.1:{free_port()}"
    async with opened(url, token) as window:
        for _ in range(2):
            with pytest.raises(SharedWindowError, match=f"^{url}/0: Connection refused$") as caught:
                await window.exchange(Message())
            assert not isinstance(caught.value, SharedWindowUnusableError)
