"""A session: one token, one pace, one connection pool.

The life of a request. `send` waits until the pacer grants a slot: a place in the minute, after any pause for a 429, and
a place among the attempts in flight. The transport then makes exactly one attempt, and a pure function judges the
result (`_http/attempts.py`). A 2xx answer is returned. If another attempt is safe and worthwhile, the slot is released
first, so that a waiting retry never blocks other requests, and the loop repeats. Otherwise the caller gets one error
that says whose fault it is and whether Planhat may have processed the request.

A retry is safe if Planhat provably did not process the request (no connection, 429), or if processing it twice does no
harm (the table in `_http/retries.py`). Any other request is sent at most once. No client can prevent the server from
processing a request later that was given up after a timeout.

The session starts no tasks, except to report to a shared window; any number of tasks of one event loop may use it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from planhat_async._convert import decode_json, encode_json, excerpt, printable, split_rows
from planhat_async._http.attempts import AttemptLoop
from planhat_async._http.connection_options import connection_options
from planhat_async._http.own_loop import OwnLoop
from planhat_async._http.pace import RateLimits
from planhat_async._http.pacer import Pacer
from planhat_async._http.retries import RetryPolicy, unreadable
from planhat_async._http.session_stats import SessionStats
from planhat_async._http.shared_window import SharedWindow
from planhat_async._http.tokens import TokenFunction, TokenSource
from planhat_async._http.transport import MAX_ANSWER_BYTES, AiohttpTransport, ClientSession, Timeouts, Transport
from planhat_async._http.window_choice import NONE, checked_choice, window_of
from planhat_async._http.window_name import window_name
from planhat_async._http.wire import DEFAULT_BASE_URL, Request, Response, checked_base_url, checked_path, query_value
from planhat_async.errors import DecodeError, PermissionDeniedError

__all__ = ["Session", "SessionStats"]


class Session:
    """A connection to Planhat, for use in `async with`.

    An open session belongs to the event loop and the process that opened it, and raises `RuntimeError` in any other.
    A closed session may be opened again anywhere.

    Args:
        token: The API token, or a function that returns it. The function is called before every attempt; concurrent
            attempts share a call. A plain function runs in a thread, an async one on the event loop; its errors reach
            the caller before anything is sent. Defaults to `PLANHAT_API_TOKEN`.
        base_url: The API's URL; a token works in its own region only. Defaults to `PLANHAT_BASE_URL`, then to
            `https://api.planhat.com`.
        limits: The pace; ignored if a `pacer` is given.
        pacer: A pacer shared with other sessions on the same token, in the same event loop.
        shared: The window that sessions of other event loops and processes on the same token share: `"host"` for all
            of this user on this machine, `"redis://HOST"` (or `rediss://`, `unix://`) for those of any machines,
            `"none"`, or a `SharedWindow`. Defaults to `PLANHAT_SHARED_PACE`, then to `"none"`. While the window is out
            of reach the session goes on with its share of the pace; with `?on_outage=closed` it waits.
        retry: When failed requests that are safe to repeat are sent again.
        timeouts: For one attempt, and for the whole call.
        proxy: The URL of an HTTP proxy, with `USER:PASSWORD@` if it wants credentials.
        trust_env: Use the proxy that `HTTPS_PROXY` names, unless `NO_PROXY` leaves out the server. Servers on loopback
            are called directly. The variables are read when the session is made.
        ca_file: A PEM file with certificates of issuers to trust besides the system's. It is read when the session is
            made.
        client_session: Your own `aiohttp.ClientSession` (proxy, TLS, tracing); the session does not close it.
        transport: Sends requests in place of aiohttp, for tests.
        max_answer_bytes: The largest answer that is read, after decompression.
        allow_plain_http: Allow unencrypted HTTP to another machine, which exposes the token.

    Raises:
        ValueError: The token is missing or malformed, the base URL is not a URL, `shared` names no window, the proxy is
            not one, or `ca_file` contains no certificate.
        OSError: `ca_file` cannot be read.
    """

    def __init__(
        self,
        token: str | TokenFunction | None = None,
        *,
        base_url: str | None = None,
        limits: RateLimits | None = None,
        pacer: Pacer | None = None,
        shared: SharedWindow | str | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        ca_file: Path | str | None = None,
        client_session: ClientSession | None = None,
        transport: Transport | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        allow_plain_http: bool = False,
    ) -> None:
        self.base_url: str = ""
        self._is_open = False  # for the repr of a session whose arguments are invalid
        try:
            self._token = TokenSource(os.environ.get("PLANHAT_API_TOKEN", "") if token is None else token)
        finally:
            del token  # tracebacks may show local variables
        given = (os.environ.get("PLANHAT_BASE_URL") or DEFAULT_BASE_URL) if base_url is None else base_url
        self.base_url = checked_base_url(given, allow_plain_http=allow_plain_http)
        self.stats: SessionStats = SessionStats()
        _refuse_wrong_types((limits, RateLimits), (retry, RetryPolicy), (timeouts, Timeouts))
        self._own_loop = OwnLoop("the session")
        self._pacer = pacer or Pacer(limits)
        self._owns_pacer = pacer is None
        self._shared = checked_choice((os.environ.get("PLANHAT_SHARED_PACE") or NONE) if shared is None else shared)
        self._transport: Transport = transport or AiohttpTransport(
            self.base_url,
            max_connections=self._pacer.limits.max_in_flight,
            max_answer_bytes=max_answer_bytes,
            client_session=client_session,
            options=connection_options(
                self.base_url,
                proxy=proxy,
                trust_env=trust_env,
                ca_file=ca_file,
                allow_plain_http=allow_plain_http,
                client_session=client_session,
            ),
        )
        self._attempts = AttemptLoop(
            base_url=self.base_url,
            transport=self._transport,
            tokens=self._token,
            pacer=self._pacer,
            policy=retry or RetryPolicy(),
            timeouts=timeouts or Timeouts(),
            stats=self.stats,
            is_open=lambda: self._is_open,
        )

    @property
    def limits(self) -> RateLimits:
        """The pace of this session."""
        return self._pacer.limits

    @property
    def calls_left(self) -> int:
        """How many calls may still start in this minute."""
        return self._pacer.calls_left

    def seconds_until_bulk_call(self, n: int) -> float:
        """Seconds until the `n`th bulk call may start, counting those in flight, if no other calls are made."""
        return self._pacer.seconds_until_bulk_call(n)

    async def tenant_digest(self) -> str:
        """A digest of the base URL and the token, which tells neither: state files tell tenants apart by it.

        Raises:
            ValueError: The token is malformed.
            Exception: The function that returns the token failed.
        """
        return window_name(f"state of {self.base_url}", await self._token.token())

    def __repr__(self) -> str:
        return f"<Session {self.base_url} {'open' if self._is_open else 'closed'}>"

    async def __aenter__(self) -> Self:
        if self._shared != NONE:
            window = window_of(self._shared, self.base_url, await self._token.token())
            if window is not None:
                self._pacer.share(window)
        if self._own_loop.enter(may_move=True) and self._is_open:
            await self._transport.close()  # its connections belong to an event loop that is closed
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a `client_session` of the caller stays open."""
        if self._is_open:
            self._own_loop.enter(may_move=True)
        self._is_open = False
        await self._transport.close()
        if self._owns_pacer:
            await self._pacer.leave()
        self._own_loop.leave()

    async def check(self) -> None:
        """Verify the token and the region with one call.

        Raises:
            AuthenticationError: The token is wrong, or belongs to another region.
            NotSentError: There is no server at the base URL.
            PlanhatError: The server at the base URL is not Planhat.
        """
        request = Request(method="GET", path="/tasks", params=(("limit", "1"),))
        try:
            response = await self.send(request)
        except PermissionDeniedError as error:
            if error.body.lstrip().startswith("<"):
                raise  # an HTML page of a proxy, not an answer of Planhat
            return  # Planhat recognised the token, which may not read tasks
        try:
            deque(split_rows(response.pieces), maxlen=0)
        except DecodeError:
            raise self.unusable(request, response.status, response.body, "the answer is not a list") from None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | float | bool] | None = None,
        json: Any = None,
    ) -> Any:
        """Call any endpoint, with the same pace, retries and errors as all other calls.

        A failed GET or DELETE may be repeated; any other request only if it provably was not processed.

        Args:
            method: The HTTP method.
            path: The path below the base URL, such as `/companies`.
            params: The query.
            json: The body.

        Returns:
            The decoded answer, or `None` if it is empty.

        Raises:
            ValueError: The path has a `..` segment or a query; the body cannot be encoded as JSON.
            PlanhatError: See the tree in `planhat_async.errors`.
        """
        request = Request(
            method=method.upper(),
            path=checked_path(path),
            params=tuple((name, query_value(value)) for name, value in (params or {}).items()),
            body=None if json is None else encode_json(json),
        )
        response = await self.send(request)
        body = response.body
        try:
            return decode_json(body) if body.strip() else None
        except DecodeError:
            raise self.unusable(request, response.status, body, "the answer is not JSON") from None

    async def send(
        self,
        request: Request,
        *,
        accepts: Callable[[Response], bool] | None = None,
        on_sent: Callable[[], object] = bool,
        on_not_processed: Callable[[], object] = bool,
    ) -> Response:
        """Send a request; repositories use this.

        Args:
            request: The request.
            accepts: Whether to return an answer that is not 2xx.
            on_sent: Called each time an attempt is about to be sent, after all waiting.
            on_not_processed: Called once it is known that no attempt so far was processed.

        Raises:
            StatusError: Any other status.
            NoAnswerError: No usable answer came.
        """
        if not self._is_open:
            raise RuntimeError("the session is not open: use it in `async with`")
        self._own_loop.enter()
        self.stats.calls += 1
        return await self._attempts.send(request, accepts, on_sent, on_not_processed)

    def unusable(self, request: Request, status: int, body: bytes, problem: str) -> DecodeError:
        """The error for a 2xx answer that is not what was asked for; it quotes the answer without the token."""
        beginning = excerpt(self._token.hidden_in(body))
        quoted = printable(beginning.strip(), 200) or "it is empty"
        error = DecodeError(f"{request}: {problem} (status {status}): {quoted}")
        error.body = beginning
        return unreadable(request, error)


def _refuse_wrong_types(*given: tuple[object, type]) -> None:
    """Refuse, say, a number where `Timeouts` are meant: now, not with the first call."""
    for value, kind in given:
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{kind.__name__}(…) is needed, not {value!r}")
