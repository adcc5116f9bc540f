"""The network: one attempt, with aiohttp."""

from __future__ import annotations

import asyncio
import select
from typing import Any, Protocol, TypeAlias
from weakref import WeakSet

import aiohttp
import attrs
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from planhat_async._http.reasons import proxy_reason, reason_of
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import DecodeError, NotSentError, UnknownOutcomeError
from planhat_async.records.arguments import number, valid

ClientSession: TypeAlias = aiohttp.ClientSession
MAX_ANSWER_BYTES = 512 * 2**20
"""How large an answer may be, decompressed."""
_WRITE_BYTES = 1 << 18
"""How much of a body leaves at a time; others have the event loop between."""
_READ_BUFFER_BYTES = 1 << 18
"""With aiohttp's own 64 KiB a large answer stops and starts at every read of its socket: a tenth more CPU time."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds that an attempt may take, waiting for pace not included, and the whole call."""

    connect: float = attrs.field(default=10.0, validator=valid(number(0, is_open=True)))
    """To reach the server, name look-up and TLS included."""
    read: float = attrs.field(default=120.0, validator=valid(number(0, is_open=True)))
    """Between two pieces of the answer, and before the first."""
    total: float = attrs.field(default=300.0, validator=valid(number(0, is_open=True)))
    """For all of an attempt."""
    deadline: float | None = attrs.field(default=None, validator=valid(number(0, is_open=True, or_none=True)))
    """For the whole call, all attempts and all waiting included."""


class Transport(Protocol):
    """What a session needs of the network; tests may bring their own."""

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt, never two.

        Raises:
            NotSentError: The server was not reached.
            UnknownOutcomeError: Bytes left, and no whole answer came.
            CancelledError: As ever; with an attribute `nothing_left` that is true where it is known that no byte had.
        """
        ...

    async def close(self) -> None:
        """Give back what was opened."""
        ...


class _Body(aiohttp.Payload):
    """Bytes that leave as they are.

    aiohttp would copy a `BytesIO` twice, a twentieth of what a bulk upsert costs, and write bytes in one piece.
    """

    has_left = False
    """Whether a byte of it has been handed to the network. Only this object does that."""
    is_written = False
    """Whether all of it has."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)

    @property
    def autoclose(self) -> bool:
        """A middleware of the caller's may put another body in its place without closing this one."""
        return True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        text: str = self._value.decode(encoding, errors)
        return text

    async def write(self, writer: AbstractStreamWriter) -> None:
        if not self.has_left and _is_spoilt(writer):
            raise aiohttp.ClientConnectionResetError("the connection was closed, or answered before it was asked")
        self.has_left = True
        body = memoryview(self._value)
        for start in range(0, len(body), _WRITE_BYTES):
            await writer.write(body[start : start + _WRITE_BYTES])
            self.is_written = start + _WRITE_BYTES >= len(body)
            await asyncio.sleep(0)


def _is_spoilt(writer: AbstractStreamWriter) -> bool:
    """Whether nothing can leave on a connection any more, or something has come on it unasked."""
    protocol, transport = getattr(writer, "protocol", None), getattr(writer, "transport", None)
    return bool(getattr(protocol, "should_close", False) or (transport is not None and transport.is_closing()))


class AiohttpTransport:
    """Sends with an `aiohttp.ClientSession`, its own or the caller's; only its own is closed."""

    def __init__(
        self,
        base_url: str,
        *,
        max_connections: int,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        client_session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._base_url = base_url
        self._max_connections = max_connections
        self._max_answer_bytes = max_answer_bytes
        self._session = client_session
        self._is_owner = client_session is None

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt; see `Transport`."""
        attempt = _Attempt(token, None if request.body is None else _Body(request.body))
        try:
            return await self._send(request, attempt, timeouts)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if attempt.may_have_left(error):
                failure: Exception = _unknown(request, self._base_url, error)
            else:
                failure = _not_sent(request, self._base_url, error, timeouts)
        except asyncio.CancelledError as cancelled:
            cancelled.nothing_left = not attempt.may_have_left(cancelled)  # type: ignore[attr-defined]
            raise
        # Outside the handler: an error's context is printed with it, and aiohttp's shows the request's headers.
        raise failure

    async def _send(self, request: Request, attempt: _Attempt, timeouts: Timeouts) -> Response:
        session = self._open()
        async with session.request(
            request.method,
            URL(self._base_url + request.path, encoded=True).with_query(request.params),
            data=attempt.body,
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            raise_for_status=False,  # it would throw the body away
            allow_redirects=False,  # a redirect could hand the body to another host
            timeout=aiohttp.ClientTimeout(total=timeouts.total, connect=timeouts.connect, sock_read=timeouts.read),
            middlewares=(*_middlewares_of(session), _OnceOnly(), attempt),
        ) as response:
            if attempt.is_too_early(response.status):
                response.close()
                raise aiohttp.ServerDisconnectedError("it answered before it was asked")
            is_compressed = "Content-Encoding" in response.headers
            pieces, n_bytes = [], 0
            async for piece in response.content.iter_any():
                pieces.append(piece)
                n_bytes += len(piece)
                if n_bytes > self._max_answer_bytes:
                    raise DecodeError(
                        f"{request.method} {request.path}: the answer is larger than {self._max_answer_bytes:,} bytes"
                    )
                if is_compressed:
                    await asyncio.sleep(0)  # what is unpacked need not have come over the network meanwhile
            names = {name.lower(): value for name, value in response.headers.items()}
            return Response(status=response.status, headers=names, body=pieces)

    async def close(self) -> None:
        """Close the client session, if it is ours."""
        if self._session is not None and self._is_owner:
            session, self._session = self._session, None
            await session.close()
            # TLS connections end one step of the event loop after their session.
            await asyncio.sleep(0)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Places in flight are bounded before a request starts, so that none waits here on its own time.
            connector = _Connector(limit=self._max_connections, limit_per_host=self._max_connections)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_READ_BUFFER_BYTES,
            )
        return self._session


class _OnceOnly:
    """A middleware that stops aiohttp from sending a request again after a dropped connection.

    It does so by itself for GET, PUT and DELETE, past every limiter, and for a bulk upsert of rows without
    keys that makes duplicates. Going through it again after an *answer*, as an authentication of the
    caller's might, is allowed.
    """

    def __init__(self) -> None:
        self._failure: BaseException | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._failure is not None:
            raise self._failure
        try:
            return await handler(request)
        except BaseException as failure:
            self._failure = failure
            raise


_CONNECTING = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)
"""What aiohttp raises only before a request has its connection."""


class _Attempt:
    """The last of the middlewares: it adds the token, and knows whether a byte of the request may have left.

    So no frame of ours and no middleware of others holds the token. A request with a body has not left as long as
    nothing of the body has: no server can process the half of it. A request without one has provably not left only if
    aiohttp raised an error of connecting.
    """

    def __init__(self, token: Token, body: _Body | None) -> None:
        self._token = token
        self.body = body
        self._is_own_body = False
        self._has_left: bool | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = self._token.header()
        # A middleware of the caller's may have put another body in its place.
        self._is_own_body = self.body is not None and request.body is self.body
        try:
            response = await handler(request)
        except BaseException as error:
            is_known = self.body is not None and self._is_own_body
            has_left = self.body.has_left if self.body and is_known else not isinstance(error, _CONNECTING)
            self._has_left = self._has_left or has_left
            raise
        self._has_left = self._has_left or not self._is_own_body or (self.body is not None and self.body.has_left)
        return response

    def may_have_left(self, error: BaseException) -> bool:
        """Whether a byte of the request may have left before it ended with this error."""
        return not isinstance(error, _CONNECTING) if self._has_left is None else self._has_left

    def is_too_early(self, status: int) -> bool:
        """Whether an answer cannot be this request's: nothing of the body had left, or a success not all of it."""
        if self.body is None or not self._is_own_body:
            return False
        return not self.body.has_left or (200 <= status < 300 and not self.body.is_written)


class _Connector(aiohttp.TCPConnector):
    """Does not reuse a connection on which unrequested data came.

    The data would be taken for the answer to the next request. A gateway sends such a 408 before it closes an idle
    connection.
    """

    def __init__(self, *, limit: int, limit_per_host: int) -> None:
        super().__init__(limit=limit, limit_per_host=limit_per_host)
        self._seen: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's signature
        """A connection for a request, an idle one or a new one."""
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
    """Whether something has come that the event loop has not read yet, or the other end has hung up."""
    sock = None if transport is None else transport.get_extra_info("socket")
    if sock is None:
        return False
    if not hasattr(select, "poll"):
        return bool(select.select([sock.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _middlewares_of(session: aiohttp.ClientSession) -> tuple[Any, ...]:
    # Middlewares given with a request replace the session's, and aiohttp has no public way to read those.
    return tuple(getattr(session, "_middlewares", ()))


def _not_sent(request: Request, base_url: str, error: Exception, timeouts: Timeouts) -> NotSentError:
    is_late = isinstance(error, TimeoutError)
    reason = f"(timeout): not within {timeouts.connect:g} s (Timeouts.connect)" if is_late else _reason(error)
    return NotSentError(
        f"{request.method} {request.path}: no connection to {base_url} {reason}",
        method=request.method,
        path=request.path,
    )


def _unknown(request: Request, base_url: str, error: Exception) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"{request.method} {request.path}: sent to {base_url}, but no answer came {_reason(error)}",
        method=request.method,
        path=request.path,
    )


def _reason(error: Exception) -> str:
    # The text of some of aiohttp's errors shows the request's headers, and with them the token.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return reason_of(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        where = "the proxy cannot be reached: " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        return reason_of(error.os_error, where)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_reason(error.status)
    known = {
        TimeoutError: "(timeout)",
        aiohttp.ServerDisconnectedError: "(the server hung up)",
        aiohttp.ClientResponseError: f"({type(error).__name__}): what came is not HTTP; is the base URL right?",
    }
    return next((said for cls, said in known.items() if isinstance(error, cls)), f"({type(error).__name__})")
