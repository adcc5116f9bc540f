"""Test that a request that fails before its first byte counts as unsent: proxies, TLS, names and pools."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from fakes import SILENCE, TOKEN, ScriptedServer, reply

from planhat_async import (
    Notes,
    NotSentError,
    RateLimits,
    RetryPolicy,
    Session,
    Tasks,
    Timeouts,
    UnknownOutcomeError,
    UpsertResult,
)
from planhat_async._http.transport import _Body
from planhat_async.sandbox import Sandbox

KEYLESS = [{"company_id": "5fd76c4daf9f4601dd313b05"}]
ONCE = RetryPolicy(attempts=1)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def listening(serve: Serve, **options: Any) -> AsyncIterator[int]:
    """Yield the port of a server on loopback."""
    writers: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0)


async def answer(data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the head of a request, write the data, and close the connection."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(data)
    await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection without an answer."""


async def unused_port() -> int:
    """Return a port without a listener."""
    async with listening(hang_up) as port:
        return port


async def upsert(url: str, **options: Any) -> UpsertResult:
    """Upsert three keyless rows, one a call, in one attempt."""
    async with Session(TOKEN, base_url=url, retry=ONCE, **options) as session:
        return await Notes(session).upsert_many(KEYLESS * 3, chunk_size=1, concurrency=1)


PROXIES = {
    "407": (b"HTTP/1.1 407 Authentication Required\r\nContent-Length: 0\r\n\r\n", "with 407): it wants credentials"),
    "403": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "with 403): it does not allow this host"),
    "target down": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "with 502): it did not reach the host"),
    "hangs up": (b"", "the server hung up"),
    "not HTTP": (b"nonsense\r\n\r\n", "what came is not HTTP"),
    "tunnel to nowhere": (b"HTTP/1.1 200 OK\r\n\r\n", "the server hung up while connecting"),
}


@pytest.mark.parametrize("proxy", PROXIES)
async def test_rows_are_unsent_if_the_proxy_opens_no_tunnel(proxy: str) -> None:
    """The run ends, because the next chunk would fail too; the reason says what the proxy answered."""
    data, said = PROXIES[proxy]
    async with (
        listening(partial(answer, data)) as port,
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as client,
    ):
        result = await upsert("https://127.0.0.1:1", client_session=client)
    assert (result.unsent, result.unknown, result.rows) == (3, 0, 3)
    assert said in result.problems[0].reason
    assert TOKEN not in repr(result)


async def test_rows_are_unsent_if_the_proxy_cannot_be_reached() -> None:
    """The reason names the proxy, not Planhat."""
    async with aiohttp.ClientSession(proxy=f"http://127.0.0.1:{await unused_port()}") as client:
        result = await upsert("https://127.0.0.1:1", client_session=client)
    assert (result.unsent, result.unknown) == (3, 0)
    assert "(the proxy cannot be reached: Connection refused): " in result.problems[0].reason


async def test_rows_sent_to_a_proxy_are_unknown_without_an_answer() -> None:
    """Without TLS there is no tunnel: the proxy has the request and may have forwarded it."""
    async with (
        listening(partial(answer, b"")) as port,
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as client,
    ):
        result = await upsert("http://127.0.0.1:1", client_session=client)
    assert (result.unsent, result.unknown) == (0, 3)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return a server's context with a self-signed certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder: Path = tmp_path_factory.mktemp("tls")
    made = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    subprocess.run(made.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("plain port", "the port does not speak TLS; is it one for http?"),
        ("certificate", "the certificate is not trusted; name that of its issuer with ca_file"),
        ("hangs up", "the server hung up while connecting"),
        ("refused", "(Connection refused): nothing listens there; are host and port right?"),
        ("name", "is the host of the base URL right?"),
    ],
)
async def test_each_failure_to_connect_has_a_helpful_reason(
    kind: str, said: str, request: pytest.FixtureRequest
) -> None:
    """The reason is one sentence, and the rows are unsent."""
    bad_request = partial(answer, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    async with AsyncExitStack() as stack:
        match kind:
            case "plain port":

                async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    await reader.read(1)
                    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

                port = await stack.enter_async_context(listening(refuse))
            case "certificate":
                port = await stack.enter_async_context(listening(bad_request, ssl=request.getfixturevalue("tls")))
            case "hangs up":
                port = await stack.enter_async_context(listening(hang_up))
            case _:
                port = await unused_port()
        host = "nowhere.invalid" if kind == "name" else "127.0.0.1"
        result = await upsert(f"https://{host}:{port}")
    assert (result.unsent, result.unknown) == (3, 0)
    reason = result.problems[0].reason
    assert reason.startswith(f"PUT /conversations: no connection to https://{host}:{port} (")
    assert said in reason
    assert "Operation not permitted" not in reason


async def test_a_full_pool_sends_nothing() -> None:
    """A custom pool may be smaller than the rate limit allows; the connect timeout ends the wait."""
    async with (
        ScriptedServer([SILENCE]) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as client,
        Session(
            TOKEN, base_url=server.url, client_session=client, retry=ONCE, timeouts=Timeouts(connect=0.05)
        ) as session,
    ):
        first = asyncio.ensure_future(session.request("POST", "/tasks", json={}))
        await server.has_received.wait()
        with pytest.raises(NotSentError, match=r"\(timeout\): not within 0\.05 s \(Timeouts\.connect\)"):
            await session.request("POST", "/tasks", json={})
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert len(server.received) == 1


class Silent(AbstractResolver):
    """A name server that never answers."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()

    async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
        self.is_asked.set()
        await asyncio.get_running_loop().create_future()
        return []

    async def close(self) -> None:
        """Do nothing."""


async def test_a_deadline_says_how_the_last_attempt_failed() -> None:
    """Whether it waited for the rate limit or for a server that is dead decides what to do."""
    retry = RetryPolicy(wait_initial=0.1, wait_max=0.1, attempts=100)
    async with (
        Sandbox(faults="http_429=1") as planhat,
        Session(TOKEN, base_url=planhat.url, timeouts=Timeouts(deadline=0.9), retry=retry) as session,
    ):
        url = planhat.url
        with pytest.raises(
            NotSentError, match="waited for the rate limit; the attempt before was answered 429"
        ) as refused:
            await session.request("POST", "/tasks", json={})
        assert refused.value.last_status == 429
    async with Session(TOKEN, base_url=url, timeouts=Timeouts(deadline=0.9), retry=retry) as session:
        with pytest.raises(NotSentError, match="waited to be sent; the attempt before failed: no connection to http:"):
            await session.request("POST", "/tasks", json={})


async def test_a_deadline_that_expires_in_a_queue_says_so() -> None:
    """Nothing is wrong with the server: the calls of this session have used up the rate limit."""
    limits, timeouts = RateLimits(per_minute=1), Timeouts(deadline=1.5)
    async with Sandbox() as planhat, Session(TOKEN, base_url=planhat.url, limits=limits, timeouts=timeouts) as session:
        await Tasks(session).page(limit=1)
        with pytest.raises(NotSentError, match=r"the deadline passed while it waited for the rate limit$") as late:
            await Tasks(session).page(limit=1)
    assert (late.value.attempts, late.value.last_status) == (0, None)


async def test_rows_that_are_cancelled_while_connecting_are_unsent() -> None:
    """A Ctrl-C while the server cannot be reached requires no verification."""
    resolver = Silent()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as client,
        Session(TOKEN, client_session=client) as session,
    ):
        run = Notes(session).upserting(KEYLESS)

        async def consume() -> None:
            async with run:
                async for _ in run:
                    pass

        task = asyncio.ensure_future(consume())
        await resolver.is_asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (run.result.unsent, run.result.unknown) == (1, 0)


async def test_a_deadline_that_expires_while_connecting_sends_nothing() -> None:
    """The error says that no verification is needed."""
    resolver = Silent()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as client,
        Session(TOKEN, client_session=client, timeouts=Timeouts(deadline=0.05)) as session,
    ):
        with pytest.raises(NotSentError, match="the deadline passed while it waited to be sent"):
            await session.request("POST", "/tasks", json={})


async def test_rows_that_are_cancelled_while_the_server_responds_are_unknown() -> None:
    """The server has received them."""
    async with ScriptedServer([SILENCE]) as server, Session(TOKEN, base_url=server.url) as session:
        run = Notes(session).upserting(KEYLESS)

        async def consume() -> None:
            async with run:
                async for _ in run:
                    pass

        task = asyncio.ensure_future(consume())
        await server.has_received.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (run.result.unsent, run.result.unknown) == (0, 1)


async def test_a_connection_error_of_a_middleware_after_the_answer_does_not_mean_unsent() -> None:
    """The request was sent; the type of the error does not matter."""
    refused = f"http://127.0.0.1:{await unused_port()}"

    async def renew(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        await handler(request)
        async with aiohttp.ClientSession() as other:
            return await other.get(refused)

    async with ScriptedServer([reply()]) as server, aiohttp.ClientSession(middlewares=[renew]) as client:
        async with Session(TOKEN, base_url=server.url, client_session=client, retry=ONCE) as session:
            with pytest.raises(UnknownOutcomeError):
                await session.request("POST", "/tasks", json={})
        assert len(server.received) == 1


async def test_a_body_that_a_middleware_replaces_may_have_been_sent() -> None:
    """The client cannot know that the other body was not sent."""

    async def replace(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        await request.update_body(b"[1,2]")
        return await handler(request)

    async def read_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        await reader.readuntil(b"[1,2]")

    async with listening(read_and_hang_up) as port, aiohttp.ClientSession(middlewares=[replace]) as client:
        result = await upsert(f"http://127.0.0.1:{port}", client_session=client)
    assert (result.unsent, result.unknown) == (0, 3)


async def test_a_delete_is_not_sent_if_the_proxy_opens_no_tunnel() -> None:
    """A request without a body counts as unsent too."""
    data, _ = PROXIES["407"]
    async with (
        listening(partial(answer, data)) as port,
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as client,
        Session(TOKEN, base_url="https://127.0.0.1:1", client_session=client, retry=ONCE) as session,
    ):
        with pytest.raises(NotSentError):
            await Tasks(session).delete("6b0b34e7314fb7dfd82c07ce")


@pytest.mark.parametrize("state", ["answered", "closing", "open"])
async def test_a_body_is_not_written_to_a_closed_connection(state: str) -> None:
    """A connection may close before the first byte is written; then nothing was sent."""

    class Writer:
        protocol = SimpleNamespace(should_close=state == "answered")
        transport = SimpleNamespace(is_closing=lambda: state == "closing")
        written = b""

        async def write(self, piece: bytes) -> None:
            self.written += bytes(piece)

    writer, body = Writer(), _Body(b"[1]")
    if state == "open":
        await body.write(writer)  # type: ignore[arg-type]
    else:
        with pytest.raises(aiohttp.ClientConnectionResetError):
            await body.write(writer)  # type: ignore[arg-type]
    assert (writer.written, body.was_sent, body.is_written) == (
        (b"[1]", True, True) if state == "open" else (b"", False, False)
    )
