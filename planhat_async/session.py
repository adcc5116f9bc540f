"""A session: one token, one pace, one pool of connections.

The life of a request: `send` asks the pacer for a place (minute, pause after a 429, places in flight), hands
the request to the transport for exactly one attempt, and lets a pure function judge what happened. A 2xx
answer is returned. If trying again is safe and worth it, the place in flight is given back first, so that a
waiting retry never holds up others, and the loop goes round. Otherwise the caller gets one error that says
whose fault it is and whether Planhat may have done the work all the same.

Safe to try again is what provably was not processed (no connection, 429), and what does no harm when done
twice (`Request.is_repeatable`). Everything else is sent at most once. What no client can promise: a request
that was given up after a timeout may still be carried out by the server later.

Nothing is concurrent in here: callers are. The session may be used by any number of tasks of one event loop.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from planhat_async._convert import decode_json, encode_json
from planhat_async._http.pace import RateLimits
from planhat_async._http.pacing import Pacer
from planhat_async._http.retrying import Happening, History, RetryPolicy
from planhat_async._http.transport import AiohttpTransport, Timeouts, Transport
from planhat_async._http.wire import (
    DEFAULT_BASE_URL,
    Request,
    Response,
    calls_left,
    checked_base_url,
    checked_path,
    checked_token,
    error_from,
    retry_after,
)
from planhat_async.errors import NoAnswerError, PermissionDeniedError

if TYPE_CHECKING:
    import aiohttp

_REPEATABLE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


@attrs.define(kw_only=True)
class SessionStats:
    """What a session has done so far."""

    calls: int = 0
    """Requests asked for."""
    attempts: int = 0
    """Requests sent, repeats included."""
    retries: int = 0
    """Attempts after the first."""
    bytes_sent: int = 0
    """Bytes of bodies sent."""
    bytes_received: int = 0
    """Bytes of bodies received, decompressed."""
    seconds_waited: float = 0.0
    """Seconds that attempts waited for pace, added up."""


class Session:
    """A connection to Planhat, for use in `async with`.

    Args:
        token: The API token, or a callable that returns one (asked before every attempt). Falls back to
            `PLANHAT_API_TOKEN`.
        base_url: Where the API is; a token works in its own region only. Falls back to `PLANHAT_BASE_URL`,
            then to `https://api.planhat.com`. Plain http is refused except on loopback.
        limits: The pace; ignored where a `pacer` is given.
        pacer: A pacer shared with other sessions on the same token, in the same event loop.
        retry: How patiently failures are repeated where that is safe.
        timeouts: For one attempt.
        client_session: An `aiohttp.ClientSession` of your own (proxy, TLS, tracing); used, and not closed.
        transport: Something else that sends requests, for tests.

    Raises:
        ValueError: There is no token, it holds characters no token has, or the base URL is none.
    """

    def __init__(
        self,
        token: str | Callable[[], str] | None = None,
        *,
        base_url: str | None = None,
        limits: RateLimits | None = None,
        pacer: Pacer | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        client_session: aiohttp.ClientSession | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url or os.environ.get("PLANHAT_BASE_URL") or DEFAULT_BASE_URL)
        self.stats = SessionStats()
        self._token = _token_source(token)
        self._pacer = pacer or Pacer(limits)
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._transport: Transport = transport or AiohttpTransport(
            self.base_url, max_connections=self._pacer.limits.max_in_flight, client_session=client_session
        )
        self._is_open = False

    def __repr__(self) -> str:
        return f"<Session {self.base_url} {'open' if self._is_open else 'closed'}>"

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a caller's own client session stays open."""
        self._is_open = False
        await self._transport.close()

    async def check(self) -> None:
        """Find out, at the cost of one call, whether the token and the region are right.

        Raises:
            AuthenticationError: The token is wrong, or belongs to another region.
            NotSentError: There is no server at the base URL.
            PlanhatError: Something else than Planhat answers there.
        """
        request = Request(method="GET", path="/tasks", params=(("limit", "1"),), is_repeatable=True)
        try:
            decode_json((await self.send(request)).body)
        except PermissionDeniedError:
            return  # the token was recognised; that it may not read tasks is another matter

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> Any:
        """Call any endpoint, with the pace, retries and errors of everything else.

        A GET or DELETE is repeated where that helps; anything else only if it provably was not processed.

        Args:
            method: The HTTP method.
            path: The path from the base URL on, such as `/companies`.
            params: The query.
            json: The body.

        Returns:
            The decoded answer, or `None` where it is empty.

        Raises:
            ValueError: The path climbs or holds a query; the body has no JSON form.
            PlanhatError: See the tree in `planhat_async.errors`.
        """
        verb = method.upper()
        request = Request(
            method=verb,
            path=checked_path(path),
            params=tuple((name, str(value)) for name, value in (params or {}).items()),
            body=None if json is None else encode_json(json),
            is_repeatable=verb in _REPEATABLE_METHODS,
        )
        body = (await self.send(request)).body
        return decode_json(body) if body.strip() else None

    async def send(self, request: Request, *, expect: Collection[int] = ()) -> Response:
        """Send a request as a value; the layer that repositories stand on.

        Args:
            request: The request.
            expect: Statuses besides 2xx that the caller reads itself.

        Raises:
            StatusError: Any other status.
            NoAnswerError: No usable answer came.
        """
        if not self._is_open:
            raise RuntimeError("the session is not open: use it in `async with`")
        self.stats.calls += 1
        clock = asyncio.get_running_loop().time
        history = History(policy=self._retry, request=request, started=clock())
        while True:
            happened, pause = await self._attempt(request)
            # A random number that spreads retries keeps no secret.
            wait = history.judge(happened, now=clock(), pause=pause, jitter=random.random())  # noqa: S311
            if wait is None:
                return self._answer(history, happened, expect)
            self.stats.retries += 1
            await asyncio.sleep(wait)

    async def _attempt(self, request: Request) -> tuple[Happening, float]:
        """Make one attempt; returns what happened, and the seconds for which nothing may be sent."""
        async with self._pacer.place(is_bulk=request.is_bulk) as place:
            self.stats.seconds_waited += place.waited
            self.stats.attempts += 1
            self.stats.bytes_sent += len(request.body or b"")
            try:
                response = await self._transport.send(request, headers=self._headers(), timeouts=self._timeouts)
            except NoAnswerError as error:
                return error, 0.0
            self.stats.bytes_received += len(response.body)
            if response.status != 429:
                remaining, limit = calls_left(response)
                place.answered(remaining=remaining, limit=limit)
                return response, 0.0
            named = retry_after(response, now=time.time())
            # Nobody waits longer than their patience: after that long one attempt asks again.
            held = place.refused(retry_after=None if named is None else min(named, self._retry.total))
            return response, max(held, named or 0.0)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {checked_token(self._token())}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

    def _answer(self, history: History, happened: Happening, expect: Collection[int]) -> Response:
        if isinstance(happened, NoAnswerError):
            raise happened.after(history.attempts)
        if happened.is_success or happened.status in expect:
            return happened
        if history.is_done_already(happened):
            return Response(status=200, headers=happened.headers)
        raise error_from(history.request, happened, base_url=self.base_url)


def _token_source(token: str | Callable[[], str] | None) -> Callable[[], str]:
    """Keep the token inside a function: what has no attribute is in no repr."""
    if callable(token):
        return token
    secret = checked_token(token or os.environ.get("PLANHAT_API_TOKEN", ""))
    return lambda: secret
