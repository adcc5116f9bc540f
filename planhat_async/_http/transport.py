"""One attempt over the network, with aiohttp."""

from __future__ import annotations

import asyncio
import os
import select
import ssl
from typing import Any, Protocol, TypeAlias
from weakref import WeakSet

import aiohttp
import attrs
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from planhat_async._http.connection_options import ConnectionOptions
from planhat_async._http.reasons import proxy_reason, reason_of
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import DecodeError, NoAnswerError, NotSentError, UnknownOutcomeError
from planhat_async.records.arguments import number, valid

ClientSession: TypeAlias = aiohttp.ClientSession
MAX_ANSWER_BYTES = 512 * 2**20
"""The largest answer, after decompression."""
_WRITE_BYTES = 1 << 18
"""How much of a body is written before other tasks run."""
_READ_BUFFER_BYTES = 1 << 18
"""With aiohttp's default of 64 KiB a large answer pauses at every read of its socket and costs 10 % more CPU time."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds that an attempt, without waiting for the pace, and a whole call may take."""

    connect: float = attrs.field(default=10.0, validator=valid(number(0, is_open=True)))
    """To reach the server, including DNS and TLS."""
    read: float = attrs.field(default=120.0, validator=valid(number(0, is_open=True)))
    """Before the answer begins, and between two pieces of it."""
    total: float = attrs.field(default=300.0, validator=valid(number(0, is_open=True)))
    """For the whole attempt."""
    deadline: float | None = attrs.field(default=None, validator=valid(number(0, is_open=True, or_none=True)))
    """For the whole call, including all attempts and all waiting."""


class Transport(Protocol):
    """What a session needs of the network; tests may provide their own."""

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt, never two.

        Raises:
            NotSentError: The server was not reached.
            UnknownOutcomeError: The request was sent, and no complete answer came.
            CancelledError: Its attribute `nothing_sent` is true if no byte was sent.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class _Body(aiohttp.Payload):
    """A body that is written in pieces, without a copy.

    aiohttp would copy a `BytesIO` twice, 5 % of the cost of a bulk upsert, and write bytes in one piece.
    """

    was_sent = False
    """Whether a byte of it has been written. Only this object writes it."""
    is_written = False
    """Whether all of it has been written."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)

    @property
    def autoclose(self) -> bool:
        """True: a middleware of the caller may replace this body without closing it."""
        return True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        text: str = self._value.decode(encoding, errors)
        return text

    async def write(self, writer: AbstractStreamWriter) -> None:
        if not self.was_sent and _is_unusable(writer):
            raise aiohttp.ClientConnectionResetError("the connection was closed, or an answer came before the request")
        self.was_sent = True
        body = memoryview(self._value)
        for start in range(0, len(body), _WRITE_BYTES):
            await writer.write(body[start : start + _WRITE_BYTES])
            self.is_written = start + _WRITE_BYTES >= len(body)
            await asyncio.sleep(0)


def _is_unusable(writer: AbstractStreamWriter) -> bool:
    """Whether a connection is closing, or has received data before the request was sent."""
    protocol, transport = getattr(writer, "protocol", None), getattr(writer, "transport", None)
    return bool(getattr(protocol, "should_close", False) or (transport is not None and transport.is_closing()))


@attrs.define(eq=False, repr=False)
class AiohttpTransport:
    """Sends with the caller's `aiohttp.ClientSession`, or else with its own, which it closes."""

    base_url: str
    max_connections: int = attrs.field(kw_only=True)
    max_answer_bytes: int = attrs.field(default=MAX_ANSWER_BYTES, kw_only=True)
    client_session: aiohttp.ClientSession | None = attrs.field(default=None, kw_only=True)
    options: ConnectionOptions = attrs.field(factory=ConnectionOptions, kw_only=True)
    """Of its own client session."""
    _own_session: aiohttp.ClientSession | None = attrs.field(default=None, init=False)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt; see `Transport`."""
        attempt = _Attempt(token, _Body(request.body) if request.body else None)
        failure: NoAnswerError | DecodeError
        try:
            return await self._send(request, attempt, timeouts)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if attempt.may_have_been_sent(error):
                problem = f"sent to {self.base_url}, but no answer came {_reason(error, self.base_url)}"
                failure = request.failure(UnknownOutcomeError, problem)
            else:
                late = f"(timeout): not within {timeouts.connect:g} s (Timeouts.connect)"
                reason = late if isinstance(error, TimeoutError) else _reason(error, self.base_url)
                failure = request.failure(NotSentError, f"no connection to {self.base_url} {reason}")
        except DecodeError as error:
            failure = error.with_traceback(None)
        except asyncio.CancelledError as cancelled:
            cancelled.nothing_sent = not attempt.may_have_been_sent(cancelled)  # type: ignore[attr-defined]
            # A traceback may show local variables, and aiohttp's contain the headers and the URL.
            cancelled.__traceback__ = cancelled.__context__ = None
            raise
        # Raised outside the handler: a traceback shows an error's context, and aiohttp's contains the headers.
        raise failure

    async def _send(self, request: Request, attempt: _Attempt, timeouts: Timeouts) -> Response:
        session = self._open()
        async with session.request(
            request.method,
            URL(self.base_url + attempt.token.address(request.path), encoded=True).with_query(request.params),
            data=attempt.body,
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            raise_for_status=False,  # it would discard the body
            allow_redirects=False,  # a redirect could send the body to another host
            timeout=aiohttp.ClientTimeout(total=timeouts.total, connect=timeouts.connect, sock_read=timeouts.read),
            # Middlewares of a request replace the session's, which aiohttp has no public way to read.
            middlewares=(*getattr(session, "_middlewares", ()), attempt),
        ) as response:
            if attempt.is_too_early(response.status):
                response.close()
                raise aiohttp.ServerDisconnectedError("the answer came before the request")
            is_compressed = "Content-Encoding" in response.headers
            pieces, n_bytes = [], 0
            async for piece in response.content.iter_any():
                pieces.append(piece)
                n_bytes += len(piece)
                if n_bytes > self.max_answer_bytes:
                    raise DecodeError(f"{request}: the answer is larger than {self.max_answer_bytes:,} bytes")
                if is_compressed:
                    await asyncio.sleep(0)  # decompressed pieces may follow each other without a read of the network
            names = {name.lower(): value for name, value in response.headers.items()}
            return Response(status=response.status, headers=names, body=pieces)

    async def close(self) -> None:
        """Close the client session, unless it is the caller's."""
        if self._own_session is not None:
            session, self._own_session = self._own_session, None
            await session.close()
            await asyncio.sleep(0)  # TLS connections close one iteration of the event loop after their session

    def _open(self) -> aiohttp.ClientSession:
        if self.client_session is not None:
            return self.client_session
        if self._own_session is None:
            self._own_session = aiohttp.ClientSession(
                # The pacer allows no more requests at once than this, so that no timeout runs while one waits here.
                connector=_Connector(limit=self.max_connections, tls=self.options.tls),
                proxy=None if self.options.proxy is None else URL(self.options.proxy.url),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_READ_BUFFER_BYTES,
            )
        return self._own_session


_CONNECTING = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)
"""The errors that aiohttp raises only before it has a connection."""


@attrs.define(eq=False, repr=False)
class _Attempt:
    """The last middleware: it adds the token, sends the request once, and knows whether it was sent.

    No other middleware sees the token. After a dropped connection aiohttp sends GET, PUT and DELETE again without the
    pacer, and a bulk upsert of rows without keys would create duplicates: that is refused. The caller's middlewares,
    such as an authentication, may send again after an *answer*.

    A request with a body counts as sent once a byte of the body is written, because no server can process it without.
    A request without a body counts as sent unless aiohttp could not connect.
    """

    token: Token
    body: _Body | None
    _own_body: _Body | None = None
    """The body, unless a middleware of the caller has replaced it."""
    _was_sent: bool | None = None
    _failure: BaseException | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._failure is not None:
            raise self._failure
        if header := self.token.header():
            request.headers["Authorization"] = header
        self._own_body = self.body if request.body is self.body else None
        try:
            response = await handler(request)
        except BaseException as failure:
            is_connected = not isinstance(failure, _CONNECTING)
            self._was_sent = self._was_sent or (self._own_body.was_sent if self._own_body else is_connected)
            self._failure = failure
            raise
        self._was_sent = self._was_sent or self._own_body is None or self._own_body.was_sent
        return response

    def may_have_been_sent(self, error: BaseException) -> bool:
        """Whether the request may have been sent before it failed with this error."""
        return not isinstance(error, _CONNECTING) if self._was_sent is None else self._was_sent

    def is_too_early(self, status: int) -> bool:
        """Whether an answer cannot be to this request: no body was sent, or a success came before all of it was."""
        body = self._own_body
        return body is not None and not (body.is_written if 200 <= status < 300 else body.was_sent)


class _Connector(aiohttp.TCPConnector):
    """Does not reuse an idle connection that has received data.

    The data would be read as the answer to the next request. A gateway sends such a 408 before it closes an idle
    connection.
    """

    def __init__(self, *, limit: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(limit=limit, ssl=True if tls is None else tls)
        self._seen: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's signature
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol not in self._seen:
                self._seen.add(protocol)
                return connection
            if protocol is None or not (protocol.should_close or _is_readable(connection.transport)):
                return connection
            connection.close()


def _is_readable(transport: asyncio.BaseTransport | None) -> bool:
    """Whether there is data that the event loop has not read yet, or the other end has closed."""
    sock = None if transport is None else transport.get_extra_info("socket")
    if sock is None:
        return False
    if not hasattr(select, "poll"):
        return bool(select.select([sock.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


_BROKEN_OFF: dict[type[Exception], str] = {
    TimeoutError: "(timeout)",
    aiohttp.ServerDisconnectedError: "(the server hung up)",
    aiohttp.ClientPayloadError: "(the answer was cut off)",
}


def _reason(error: Exception, base_url: str) -> str:
    # The text of some of aiohttp's errors contains the request's headers, and so the token.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return reason_of(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        # A proxy whose name is unknown has no error of its own.
        is_other = isinstance(error, aiohttp.ClientProxyConnectionError) or error.host != URL(base_url).raw_host
        return reason_of(error.os_error, is_proxy=is_other)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_reason(error.status)
    for kind, text in _BROKEN_OFF.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, OSError):  # after the connection was made
        return f"(the connection broke{': ' + os.strerror(error.errno) if error.errno else ''})"
    hint = ": what came is not HTTP; is the base URL right?" if isinstance(error, aiohttp.ClientResponseError) else ""
    return f"({type(error).__name__}){hint}"
