"""Test one attempt with aiohttp, over a mocked client and over real sockets on loopback."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import os
import ssl
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import aiohttp
import aioresponses
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ConnectionKey
from fakes import HANG_UP, SILENCE, TOKEN, Received, Reply, ScriptedServer, reply
from yarl import URL

from planhat_async import DecodeError, NoAnswerError, NotSentError, Timeouts, UnknownOutcomeError
from planhat_async._http.transport import AiohttpTransport
from planhat_async._http.wire import Request, Response, Token

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
BASE_URL = "https://api.example.com"
GET = Request(method="GET", path="/tasks", params=(("limit", "1"),))
PUT = Request(method="PUT", path="/tasks", body=b'[{"action":"Call"}]')

REFUSED_THERE = "Connection refused): nothing listens there; are host and port right?"
TO_SERVER = ConnectionKey("api.example.com", 443, True, True, None, None, None)
TO_PROXY = ConnectionKey("proxy.example.com", 3128, False, True, None, None, None)
PROXY_REFUSED = (
    "the proxy cannot be reached: Connection refused): nothing listens there; are the proxy's host and port right? "
    "It is that of proxy= or HTTPS_PROXY"
)
BAD_CERTIFICATE = aiohttp.ClientConnectorCertificateError(
    TO_SERVER,
    ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate"),
)


@asynccontextmanager
async def transporting(
    base_url: str, client_session: aiohttp.ClientSession | None = None
) -> AsyncIterator[AiohttpTransport]:
    """Yield a transport and close it at the end."""
    transport = AiohttpTransport(base_url, max_connections=5, client_session=client_session)
    try:
        yield transport
    finally:
        await transport.close()


async def attempt(transport: AiohttpTransport, request: Request, **timeouts: float) -> Response:
    """Make one attempt."""
    return await transport.send(request, token=Token(TOKEN), timeouts=Timeouts(**timeouts))


async def failure(transport: AiohttpTransport, request: Request, **timeouts: float) -> NoAnswerError:
    """Return the error of an attempt after checking that it does not contain the token."""
    with pytest.raises(NoAnswerError) as caught:
        await attempt(transport, request, **timeouts)
    error = caught.value
    shown = (str(error), repr(error), repr(vars(error)), *traceback.format_exception(error))
    assert not any(TOKEN in text for text in shown)
    return error


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield aiohttp's client without a network; aioresponses does not support the newest aiohttp's responses."""
    if "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters:

        class MockedResponse(aiohttp.ClientResponse):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)

        monkeypatch.setattr(aioresponses.core, "ClientResponse", MockedResponse)
    with aioresponses.aioresponses() as mock:
        yield mock


class TestMapping:
    """How answers and exceptions of aiohttp are translated."""

    @pytest.mark.parametrize("status", [200, 206, 302, 400, 429, 503])
    async def test_any_answer_is_a_response(self, mocked: Any, status: int) -> None:
        """The status does not matter; the names of headers are in lower case."""
        mocked.get(f"{BASE_URL}/tasks?limit=1", status=status, body=b"[1]", headers={"Retry-After": "7"})
        async with transporting(BASE_URL) as transport:
            response = await attempt(transport, GET)
        headers = {"content-type": "application/json", "retry-after": "7"}
        assert response == Response(status=status, headers=headers, body=b"[1]")

    @pytest.mark.parametrize(
        ("raised", "reason"),
        [
            (aiohttp.ClientConnectorError(TO_SERVER, OSError(111, "Connection refused")), REFUSED_THERE),
            (aiohttp.ClientConnectorError(TO_SERVER, OSError("several")), "OSError)"),
            (
                aiohttp.ClientConnectorDNSError(TO_SERVER, OSError(-2, "Name unknown")),
                "Name unknown)",
            ),
            (
                aiohttp.ClientProxyConnectionError(TO_PROXY, OSError(111, "Connection refused")),
                PROXY_REFUSED,
            ),
            (aiohttp.ConnectionTimeoutError("Connection timeout"), "timeout): not within 10 s (Timeouts.connect)"),
        ],
    )
    async def test_a_request_without_a_connection_was_not_sent(
        self, mocked: Any, raised: Exception, reason: str
    ) -> None:
        """It may be sent again."""
        mocked.put(f"{BASE_URL}/tasks", exception=raised)
        async with transporting(BASE_URL) as transport:
            error = await failure(transport, PUT)
        assert type(error) is NotSentError
        assert str(error) == f"PUT /tasks: no connection to {BASE_URL} ({reason}"
        assert (error.method, error.path, error.attempts) == ("PUT", "/tasks", 1)

    async def test_a_bad_certificate_is_a_failed_connection(self, mocked: Any) -> None:
        """The client sends no request to a server that it cannot trust."""
        mocked.put(f"{BASE_URL}/tasks", exception=BAD_CERTIFICATE)
        async with transporting(BASE_URL) as transport:
            assert type(await failure(transport, PUT)) is NotSentError

    async def test_the_message_names_a_bad_certificate(self, mocked: Any) -> None:
        """It is the most common problem behind a company's proxy."""
        mocked.put(f"{BASE_URL}/tasks", exception=BAD_CERTIFICATE)
        async with transporting(BASE_URL) as transport:
            assert "certificate verify failed" in str(await failure(transport, PUT))

    @pytest.mark.parametrize(
        ("raised", "reason"),
        [
            (aiohttp.ServerDisconnectedError(), "the server hung up)"),
            (aiohttp.ClientOSError(104, "reset"), f"the connection broke: {os.strerror(104)})"),
            (aiohttp.ClientOSError(), "the connection broke)"),
            (aiohttp.SocketTimeoutError("read"), "timeout)"),
            (TimeoutError(), "timeout)"),
            (aiohttp.ClientPayloadError("short"), "the answer was cut off)"),
            (ConnectionResetError(104, "reset"), f"the connection broke: {os.strerror(104)})"),
            (
                aiohttp.ClientResponseError(Mock(headers=HEADERS), (), headers=HEADERS, message=TOKEN),  # type: ignore[arg-type]
                "ClientResponseError): what came is not HTTP; is the base URL right?",
            ),
        ],
    )
    async def test_the_outcome_is_unknown_once_bytes_were_sent(
        self, mocked: Any, raised: Exception, reason: str
    ) -> None:
        """The server may have processed the request."""
        mocked.put(f"{BASE_URL}/tasks", exception=raised)
        async with transporting(BASE_URL) as transport:
            error = await failure(transport, PUT)
        assert type(error) is UnknownOutcomeError
        assert str(error) == f"PUT /tasks: sent to {BASE_URL}, but no answer came ({reason}"
        assert (error.method, error.path, error.attempts) == ("PUT", "/tasks", 1)

    async def test_the_client_gets_safe_options(self, mocked: Any) -> None:
        """It follows no redirects, uses the given timeouts, and adds the token only to the request."""
        mocked.put(f"{BASE_URL}/tasks")
        async with transporting(BASE_URL) as transport:
            await attempt(transport, PUT, connect=1.0, read=2.0, total=3.0)
        (call,) = mocked.requests["PUT", URL(f"{BASE_URL}/tasks")]
        assert call.kwargs["allow_redirects"] is False
        assert call.kwargs["raise_for_status"] is False
        assert TOKEN not in repr(call.kwargs)
        timeout = call.kwargs["timeout"]
        assert (timeout.connect, timeout.sock_read, timeout.total) == (1.0, 2.0, 3.0)


class TestSockets:
    """The requests that a server receives."""

    async def test_a_request_arrives_as_it_was_made(self) -> None:
        """The path is quoted once and follows the base URL's path; the body is unchanged."""
        request = Request(method="PUT", path="/tasks/srcid-%41%2e%2Fb%252e", params=(("a", "b,c&d é"),), body=b"[1]")
        answer = reply(206, b'{"created":1}', X_New="1")
        async with ScriptedServer([answer]) as server, transporting(f"{server.url}/planhat") as transport:
            response = await attempt(transport, request)
        headers = {"content-length": "13", "x-new": "1"}
        assert response == Response(status=206, headers=headers, body=b'{"created":1}')
        (received,) = server.received
        assert received.line == "PUT /planhat/tasks/srcid-%41%2e%2Fb%252e?a=b,c%26d+%C3%A9 HTTP/1.1"
        assert received.body == b"[1]"
        assert {name: received.headers[name.lower()] for name in HEADERS} == HEADERS

    async def test_a_request_without_body_is_sent_without_body(self) -> None:
        """Some caches reject a GET with a body."""
        async with ScriptedServer([reply()]) as server, transporting(server.url) as transport:
            await attempt(transport, GET)
        assert "content-length" not in server.received[0].headers
        assert "transfer-encoding" not in server.received[0].headers

    async def test_a_large_body_arrives_completely(self) -> None:
        """Aiohttp warns about bodies of more than 1 MiB that are bytes."""
        request = Request(method="PUT", path="/tasks", body=b"x" * 3_000_000)
        async with ScriptedServer([reply()]) as server, transporting(server.url) as transport:
            await attempt(transport, request)
        assert server.received[0].body == request.body

    async def test_compressed_answers_are_unpacked(self) -> None:
        """A page of tens of MB is compressed in transit."""
        answer = reply(body=gzip.compress(b"[1,2,3]"), Content_Encoding="gzip")
        async with ScriptedServer([answer]) as server, transporting(server.url) as transport:
            assert (await attempt(transport, GET)).body == b"[1,2,3]"

    @pytest.mark.parametrize("request_", [GET, PUT, Request(method="DELETE", path="/tasks/1")], ids=lambda r: r.method)
    async def test_a_request_on_a_new_connection_is_not_repeated(self, request_: Request) -> None:
        """Aiohttp would repeat these methods by itself, without the rate limits."""
        async with ScriptedServer([HANG_UP]) as server, transporting(server.url) as transport:
            error = await failure(transport, request_)
        assert type(error) is UnknownOutcomeError
        assert [received.line.split()[0] for received in server.received] == [request_.method]
        assert server.n_connections == 1

    async def test_a_request_on_a_reused_connection_is_not_repeated(self) -> None:
        """Aiohttp repeats requests in this case; a second attempt by the session is not affected."""
        async with (
            ScriptedServer([reply(), HANG_UP, HANG_UP, reply()]) as server,
            transporting(server.url) as transport,
        ):
            await attempt(transport, PUT)
            assert type(await failure(transport, PUT)) is UnknownOutcomeError
            assert [received.connection for received in server.received] == [1, 1]
            assert type(await failure(transport, PUT)) is UnknownOutcomeError
            assert (await attempt(transport, PUT)).status == 200
        assert [received.connection for received in server.received] == [1, 1, 2, 3]
        assert {received.body for received in server.received} == {PUT.body}

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirects_are_not_followed(self, status: int) -> None:
        """A redirect could send the body or the token to another host."""
        async with ScriptedServer([reply()]) as elsewhere:
            answer = reply(status, Location=f"{elsewhere.url}/tasks")
            async with ScriptedServer([answer]) as server, transporting(server.url) as transport:
                response = await attempt(transport, PUT)
        assert (response.status, response.headers["location"]) == (status, f"{elsewhere.url}/tasks")
        assert (len(server.received), elsewhere.received) == (1, [])

    async def test_a_request_on_a_refused_connection_was_not_sent(self) -> None:
        """The error names the host."""
        async with ScriptedServer([reply()]) as server:
            url = server.url
        async with transporting(url) as transport:
            error = await failure(transport, PUT)
        assert type(error) is NotSentError
        assert str(error).startswith(f"PUT /tasks: no connection to {url} (")

    @pytest.mark.parametrize("timeouts", [{"read": 0.05}, {"total": 0.05}])
    async def test_a_request_without_an_answer_is_unknown(self, timeouts: dict[str, float]) -> None:
        """Any of the timeouts may end the wait; the connection is not reused."""
        async with ScriptedServer([SILENCE, reply()]) as server, transporting(server.url) as transport:
            error = await failure(transport, PUT, **timeouts)
            await attempt(transport, PUT)
        assert type(error) is UnknownOutcomeError
        assert str(error) == f"PUT /tasks: sent to {server.url}, but no answer came (timeout)"
        assert [received.connection for received in server.received] == [1, 2]

    @pytest.mark.parametrize(
        "answer",
        [
            Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1", closes=True),
            Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n", closes=True),
            Reply(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]"),
            Reply(b"HTTP/1.1 200 OK\r\nContent-Le", closes=True),
            Reply(b"nonsense\r\n\r\n", closes=True),
        ],
        ids=["short", "short chunks", "not gzip", "short head", "not HTTP"],
    )
    async def test_a_request_with_a_truncated_answer_is_unknown(self, answer: Reply) -> None:
        """Half a list of errors is unusable."""
        async with ScriptedServer([answer]) as server, transporting(server.url) as transport:
            error = await failure(transport, PUT)
        assert type(error) is UnknownOutcomeError
        assert len(server.received) == 1

    async def test_a_cancelled_attempt_closes_its_connection(self) -> None:
        """Otherwise the next request would read its answer."""
        async with ScriptedServer([SILENCE, reply(body=b"[2]")]) as server, transporting(server.url) as transport:
            first = asyncio.ensure_future(attempt(transport, PUT))
            await server.has_received.wait()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert (await attempt(transport, PUT)).body == b"[2]"
        assert [received.connection for received in server.received] == [1, 2]

    async def test_the_connect_timeout_includes_the_name_look_up(self) -> None:
        """A name server without an answer ends the attempt after the connect timeout, and no byte is sent."""

        class Silent(AbstractResolver):
            async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
                await asyncio.get_running_loop().create_future()
                return []

            async def close(self) -> None:
                pass

        connector = aiohttp.TCPConnector(resolver=Silent())
        async with aiohttp.ClientSession(connector=connector) as client, transporting(BASE_URL, client) as transport:
            assert type(await failure(transport, PUT, connect=0.02, total=0.2)) is NotSentError


class TestOwnership:
    """The owner of the client session."""

    async def test_its_own_client_is_opened_lazily_and_closed(self) -> None:
        """Closing it twice, or before the first request, is safe, and it can be reopened."""
        async with ScriptedServer([reply()]) as server, transporting(server.url) as transport:
            await transport.close()
            for _ in range(2):
                await attempt(transport, GET)
                await transport.close()
                await transport.close()
        assert [received.connection for received in server.received] == [1, 2]

    async def test_its_own_client_keeps_no_cookies(self) -> None:
        """A load balancer's cookie would tie every request to one server; IP addresses get no cookies anyway."""
        async with ScriptedServer([reply(Set_Cookie="a=b")]) as server, AsyncExitStack() as stack:
            url = server.url.replace("127.0.0.1", "localhost")
            transport = await stack.enter_async_context(transporting(url))
            await attempt(transport, GET)
            await attempt(transport, GET)
        assert ["cookie" in received.headers for received in server.received] == [False, False]

    async def test_the_callers_client_is_used_and_not_closed(self) -> None:
        """It brings headers, proxies and tracing."""
        async with ScriptedServer([reply()]) as server, aiohttp.ClientSession(headers={"X-Mine": "1"}) as client:
            async with transporting(server.url, client) as transport:
                await attempt(transport, GET)
            assert not client.closed
            async with client.get(server.url) as response:
                assert response.status == 200
        assert [received.headers["x-mine"] for received in server.received] == ["1", "1"]

    async def test_the_callers_middlewares_still_run(self) -> None:
        """They run in order; middlewares of a request would replace them."""

        def adding(name: str) -> Any:
            async def add(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
                request.headers["X-Seen"] = request.headers.get("X-Seen", "") + name
                return await handler(request)

            return add

        client = aiohttp.ClientSession(middlewares=[adding("a"), adding("b")])
        async with ScriptedServer([reply(), HANG_UP]) as server, client, transporting(server.url, client) as transport:
            await attempt(transport, PUT)
            await failure(transport, PUT)
        assert [received.headers["x-seen"] for received in server.received] == ["ab", "ab"]

    async def test_a_middleware_may_repeat_a_request_after_an_answer(self) -> None:
        """An authentication does so; the whole body is sent both times."""

        async def insist(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            response = await handler(request)
            return await handler(request) if response.status == 407 else response

        async with (
            ScriptedServer([reply(407), reply()]) as server,
            aiohttp.ClientSession(middlewares=[insist]) as client,
            transporting(server.url, client) as transport,
        ):
            assert (await attempt(transport, PUT)).status == 200
        assert [received.body for received in server.received] == [PUT.body, PUT.body]

    async def test_a_middleware_cannot_repeat_a_request_after_a_lost_answer(self) -> None:
        """A retry by the caller or a library would send the request twice."""

        async def stubborn(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            try:
                return await handler(request)
            except aiohttp.ClientError:
                return await handler(request)

        async with (
            ScriptedServer([HANG_UP, reply()]) as server,
            aiohttp.ClientSession(middlewares=[stubborn]) as client,
            transporting(server.url, client) as transport,
        ):
            assert type(await failure(transport, PUT)) is UnknownOutcomeError
        assert len(server.received) == 1

    @pytest.mark.parametrize("status", [400, 404, 429, 503])
    async def test_raise_for_status_of_a_client_is_ignored(self, status: int) -> None:
        """It would discard the body and turn every status, even a 429, into a lost answer."""
        async with (
            ScriptedServer([reply(status, b'"no"')]) as server,
            aiohttp.ClientSession(raise_for_status=True) as client,
            transporting(server.url, client) as transport,
        ):
            response = await attempt(transport, PUT)
        assert (response.status, response.body) == (status, b'"no"')

    async def test_a_client_without_middlewares_attribute_works(self) -> None:
        """A later aiohttp may store them elsewhere; a repeated request is refused all the same."""
        async with ScriptedServer([HANG_UP]) as server, aiohttp.ClientSession() as client:
            standing_in = SimpleNamespace(request=client.request)
            async with transporting(server.url, standing_in) as transport:  # type: ignore[arg-type]
                await failure(transport, PUT)
        assert [received.line for received in server.received] == ["PUT /tasks HTTP/1.1"]


async def test_a_middleware_may_read_the_body() -> None:
    """A custom client session may sign its requests."""
    seen = []

    async def sign(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        assert isinstance(request.body, aiohttp.Payload)
        seen.append(await request.body.as_bytes())
        return await handler(request)

    async with (
        ScriptedServer([reply()]) as server,
        aiohttp.ClientSession(middlewares=[sign]) as client_session,
        transporting(server.url, client_session) as transport,
    ):
        await attempt(transport, PUT)
    assert (seen, server.received[0].body) == ([PUT.body], PUT.body)


async def test_aiohttp_sends_a_put_twice_by_default() -> None:
    """This is why the middleware exists; it can go once aiohttp no longer does this."""
    received: list[Received]
    async with ScriptedServer([HANG_UP, reply()]) as server, aiohttp.ClientSession() as client:
        async with client.put(server.url, data=b"[1]") as response:
            assert response.status == 200
        received = server.received
    assert [one.body for one in received] == [b"[1]", b"[1]"]


@pytest.mark.parametrize(("n_bytes", "most", "said"), [(5000, 1000, "1,000"), (3_000_000, 2_000_000, "2,000,000")])
async def test_an_answer_beyond_the_limit_is_not_read_completely(n_bytes: int, most: int, said: str) -> None:
    """The caller's limit bounds the memory, however many pieces the server sends."""
    async with ScriptedServer([reply(200, b"[" + b" " * n_bytes + b"]")]) as server:
        transport = AiohttpTransport(server.url, max_connections=1, max_answer_bytes=most)
        try:
            with pytest.raises(DecodeError, match=rf"^GET /tasks: the answer is larger than {said} bytes$"):
                await attempt(transport, Request(method="GET", path="/tasks"))
        finally:
            await transport.close()


async def test_an_empty_body_is_sent_like_no_body() -> None:
    """No write is pending when its answer comes."""
    async with ScriptedServer([reply()]) as server, transporting(server.url) as transport:
        response = await attempt(transport, Request(method="PUT", path="/tasks", body=b""))
    assert response.status == 200
