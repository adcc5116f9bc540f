"""The network: one attempt, with aiohttp."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
import attrs
from yarl import URL

from planhat_async._http.wire import Request, Response
from planhat_async.errors import NotSentError, UnknownOutcomeError


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds one attempt may take; waiting for pace is not part of it."""

    connect: float = 10.0
    """To reach the server, name look-up and TLS included."""
    read: float = 120.0
    """Between two pieces of the answer, and before the first."""
    total: float = 300.0
    """For all of it."""


class Transport(Protocol):
    """What a session needs of the network; tests may bring their own."""

    async def send(self, request: Request, *, headers: Mapping[str, str], timeouts: Timeouts) -> Response:
        """Make one attempt, never two.

        Raises:
            NotSentError: The server was not reached.
            UnknownOutcomeError: Bytes left, and no whole answer came.
        """
        ...

    async def close(self) -> None:
        """Give back what was opened."""
        ...


class AiohttpTransport:
    """Sends with an `aiohttp.ClientSession`, its own or the caller's; only its own is closed."""

    def __init__(
        self, base_url: str, *, max_connections: int, client_session: aiohttp.ClientSession | None = None
    ) -> None:
        self._base_url = base_url
        self._max_connections = max_connections
        self._session = client_session
        self._is_owner = client_session is None

    async def send(self, request: Request, *, headers: Mapping[str, str], timeouts: Timeouts) -> Response:
        """Make one attempt; see `Transport`."""
        session = self._open()
        try:
            async with session.request(
                request.method,
                URL(self._base_url + request.path, encoded=True).with_query(request.params),
                # A body of bytes over 1 MiB would be warned about.
                data=None if request.body is None else io.BytesIO(request.body),
                headers=headers,
                allow_redirects=False,  # a redirect could hand the body to another host
                timeout=aiohttp.ClientTimeout(
                    total=timeouts.total, sock_connect=timeouts.connect, sock_read=timeouts.read
                ),
                middlewares=(*_middlewares_of(session), _OnceOnly()),
            ) as response:
                body = await response.read()
                names = {name.lower(): value for name, value in response.headers.items()}
                return Response(status=response.status, headers=names, body=body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _not_sent(request, self._base_url, error) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unknown(request, self._base_url, error) from None

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
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
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
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        known = os.strerror(number) if number and number > 0 else error.os_error.strerror
        return known or type(error.os_error).__name__
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server hung up"
    return type(error).__name__
