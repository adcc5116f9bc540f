"""The network: one attempt, with aiohttp."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Protocol

import aiohttp
import attrs
from yarl import URL

from planhat_async._checks import number, valid
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import DecodeError, NotSentError, UnknownOutcomeError

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
        """
        ...

    async def close(self) -> None:
        """Give back what was opened."""
        ...


class _Body(aiohttp.Payload):
    """Bytes that leave as they are.

    aiohttp would copy a `BytesIO` twice, a twentieth of what a bulk upsert costs, and write bytes in one piece.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        text: str = self._value.decode(encoding, errors)
        return text

    async def write(self, writer: aiohttp.abc.AbstractStreamWriter) -> None:
        body = memoryview(self._value)
        for start in range(0, len(body), _WRITE_BYTES):
            await writer.write(body[start : start + _WRITE_BYTES])
            await asyncio.sleep(0)


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
        # Outside what the network's errors are caught from: the caller's own function may raise anything.
        authorized = _Authorized(token)
        try:
            return await self._send(request, authorized, timeouts)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure: Exception = _not_sent(request, self._base_url, error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _unknown(request, self._base_url, error)
        # Outside the handler: an error's context is printed with it, and aiohttp's shows the request's headers.
        raise failure

    async def _send(self, request: Request, authorized: _Authorized, timeouts: Timeouts) -> Response:
        session = self._open()
        async with session.request(
            request.method,
            URL(self._base_url + request.path, encoded=True).with_query(request.params),
            data=None if request.body is None else _Body(request.body),
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            raise_for_status=False,  # it would throw the body away
            allow_redirects=False,  # a redirect could hand the body to another host
            timeout=aiohttp.ClientTimeout(total=timeouts.total, connect=timeouts.connect, sock_read=timeouts.read),
            middlewares=(*_middlewares_of(session), _OnceOnly(), authorized),
        ) as response:
            pieces, n_bytes = [], 0
            async for piece in response.content.iter_any():
                pieces.append(piece)
                n_bytes += len(piece)
                if n_bytes > self._max_answer_bytes:
                    raise DecodeError(
                        f"{request.method} {request.path}: the answer is larger than {self._max_answer_bytes:,} bytes"
                    )
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
            connector = aiohttp.TCPConnector(limit=self._max_connections, limit_per_host=self._max_connections)
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


class _Authorized:
    """A middleware that adds the token last of all, so that no frame of ours and no middleware of others holds it."""

    def __init__(self, token: Token) -> None:
        self._header = token.header()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = self._header
        return await handler(request)


def _middlewares_of(session: aiohttp.ClientSession) -> tuple[Any, ...]:
    # Middlewares given with a request replace the session's, and aiohttp has no public way to read those.
    return tuple(getattr(session, "_middlewares", ()))


def _not_sent(request: Request, base_url: str, error: Exception) -> NotSentError:
    return NotSentError(
        f"{request.method} {request.path}: no connection to {base_url} ({_reason(error)})",
        method=request.method,
        path=request.path,
    )


def _unknown(request: Request, base_url: str, error: Exception) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"{request.method} {request.path}: sent to {base_url}, but no answer came ({_reason(error)})",
        method=request.method,
        path=request.path,
    )


def _reason(error: Exception) -> str:
    # The text of some of aiohttp's errors shows the request's headers, and with them the token.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        known = os.strerror(number) if number and number > 0 else error.os_error.strerror
        return known or type(error.os_error).__name__
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server hung up"
    return type(error).__name__
