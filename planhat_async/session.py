"""A session: one token, one pace, one pool of connections.

The life of a request: `send` asks the pacer for a slot (minute, pause after a 429, attempts in flight), hands the
request to the transport for exactly one attempt, and lets a pure function judge the result (`_http/attempts.py`). A
2xx answer is returned. If another attempt is safe and worthwhile, the slot is given back first, so that a waiting
retry never holds up others, and the loop goes round. Otherwise the caller gets one error that says whose fault it is
and whether Planhat may have processed the request all the same.

A retry is safe for a request that provably was not processed (no connection, 429), and for one that does no harm when
processed twice (the table in `_http/retries.py`). Any other request is sent at most once. No client can rule out that
the server carries out a request later that was given up after a timeout.

The session starts no tasks; any number of tasks of one event loop may use it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs

from planhat_async._convert import decode_json, encode_json, excerpt, printable, split_rows
from planhat_async._http.attempts import AttemptLoop
from planhat_async._http.own_loop import OwnLoop
from planhat_async._http.pace import RateLimits
from planhat_async._http.pacer import Pacer
from planhat_async._http.retries import History, RetryBudget, RetryPolicy, unreadable
from planhat_async._http.stats import SessionStats
from planhat_async._http.tokens import TokenFunction, TokenSource
from planhat_async._http.transport import MAX_ANSWER_BYTES, AiohttpTransport, ClientSession, Timeouts, Transport
from planhat_async._http.wire import (
    DEFAULT_BASE_URL,
    Request,
    Response,
    checked_base_url,
    checked_path,
    error_from,
    query_value,
)
from planhat_async.errors import DecodeError, NoAnswerError, PermissionDeniedError

__all__ = ["Session", "SessionStats"]


class Session:
    """A connection to Planhat, for use in `async with`.

    While it is open it belongs to the event loop and the process that opened it, and raises `RuntimeError` in any
    other; once closed it may be opened again anywhere.

    A third of the class is documentation; what it decides is in `_http`.

    Args:
        token: The API token, or a function that returns one: it is asked before every attempt, and attempts at the
            same time share an answer. A plain function runs in a thread, an async one on the event loop; what it
            raises reaches the caller, and nothing has been sent. Falls back to `PLANHAT_API_TOKEN`.
        base_url: Where the API is; a token works in its own region only. Falls back to `PLANHAT_BASE_URL`,
            then to `https://api.planhat.com`.
        limits: The pace; ignored where a `pacer` is given.
        pacer: A pacer shared with other sessions on the same token, in the same event loop.
        retry: How patiently failures are repeated where that is safe.
        timeouts: For one attempt, and for the whole call.
        client_session: An `aiohttp.ClientSession` of your own (proxy, TLS, tracing); used, and not closed.
        transport: Something else that sends requests, for tests.
        max_answer_bytes: An answer larger than this, decompressed, is not read to its end.
        allow_plain_http: Let the token travel unencrypted to another machine.

    Raises:
        ValueError: The token is missing or malformed, or the base URL is not a URL.
    """

    def __init__(
        self,
        token: str | TokenFunction | None = None,
        *,
        base_url: str | None = None,
        limits: RateLimits | None = None,
        pacer: Pacer | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        client_session: ClientSession | None = None,
        transport: Transport | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        allow_plain_http: bool = False,
    ) -> None:
        self.base_url: str = ""
        self._is_open = False  # for the repr of a session that could not be made
        try:
            self._token = TokenSource(os.environ.get("PLANHAT_API_TOKEN", "") if token is None else token)
        finally:
            del token  # tracebacks may show what local variables hold
        given = (os.environ.get("PLANHAT_BASE_URL") or DEFAULT_BASE_URL) if base_url is None else base_url
        self.base_url = checked_base_url(given, allow_plain_http=allow_plain_http)
        self.stats: SessionStats = SessionStats()
        self._own_loop = OwnLoop("the session")
        self._pacer = pacer or Pacer(limits)
        self._retry = retry or RetryPolicy()
        self._budget = RetryBudget(self._retry.budget)
        self._timeouts = timeouts or Timeouts()
        self._transport: Transport = transport or AiohttpTransport(
            self.base_url,
            max_connections=self._pacer.limits.max_in_flight,
            max_answer_bytes=max_answer_bytes,
            client_session=client_session,
        )
        self._attempts = AttemptLoop(
            transport=self._transport,
            tokens=self._token,
            pacer=self._pacer,
            timeouts=self._timeouts,
            max_pause=self._retry.total,
            stats=self.stats,
            is_open=lambda: self._is_open,
        )

    @property
    def limits(self) -> RateLimits:
        """The pace it keeps to."""
        return self._pacer.limits

    @property
    def calls_left(self) -> int:
        """How many calls may still start in this minute."""
        return self._pacer.calls_left

    def seconds_until_bulk_call(self, n: int) -> float:
        """Seconds until the `n`th bulk call may start, those in flight counted, if no other calls do."""
        return self._pacer.seconds_until_bulk_call(n)

    def __repr__(self) -> str:
        return f"<Session {self.base_url} {'open' if self._is_open else 'closed'}>"

    async def __aenter__(self) -> Self:
        if self._own_loop.enter(may_move=True) and self._is_open:
            await self._transport.close()  # what it has belongs to an event loop that is closed
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a caller's own client session stays open."""
        if self._is_open:
            self._own_loop.enter(may_move=True)
        self._is_open = False
        await self._transport.close()
        self._own_loop.leave()

    async def check(self) -> None:
        """Find out, at the cost of one call, whether the token and the region are right.

        Raises:
            AuthenticationError: The token is wrong, or belongs to another region.
            NotSentError: There is no server at the base URL.
            PlanhatError: Something else than Planhat answers there.
        """
        request = Request(method="GET", path="/tasks", params=(("limit", "1"),))
        try:
            response = await self.send(request)
        except PermissionDeniedError as error:
            if error.body.lstrip().startswith("<"):
                raise  # a page of a proxy, not an answer of Planhat's
            return  # The token was recognised; that it may not read tasks is another matter.
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
        """Send a request as a value; the layer that repositories stand on.

        Args:
            request: The request.
            accepts: Whether the caller reads an answer itself although it is not 2xx.
            on_sent: Called each time an attempt is about to be sent, after all waiting.
            on_not_processed: Called when it turns out that no attempt so far was processed.

        Raises:
            StatusError: Any other status.
            NoAnswerError: No usable answer came.
        """
        if not self._is_open:
            raise RuntimeError("the session is not open: use it in `async with`")
        self._own_loop.enter()
        self.stats.calls += 1
        clock, hide = asyncio.get_running_loop().time, self._token.hidden_in
        history = History(policy=self._retry, budget=self._budget, request=request, started=clock(), hide=hide)
        deadline = asyncio.timeout(self._timeouts.deadline)
        try:
            async with deadline:
                result = await self._attempts.run(history, on_sent, on_not_processed)
        except TimeoutError:
            if not deadline.expired():
                raise  # out of the caller's own function for the token
            result = history.deadline_passed()
        except DecodeError as error:
            raise unreadable(request, error) from None
        if isinstance(result, NoAnswerError):
            raise history.annotated(result, now=clock()) from None
        if result.is_success or (accepts is not None and accepts(result)):
            # An answer about rows holds words of Planhat's that the caller shows.
            shown = result if accepts is None else self._without_token(result)
            return attrs.evolve(shown, follows_unknown=True) if history.may_be_done else shown
        if history.is_done_already(result):
            return Response(status=200, headers=result.headers)
        refusal = error_from(request, self._without_token(result), base_url=self.base_url, now=time.time())
        raise history.annotated(refusal, now=clock())

    def unusable(self, request: Request, status: int, body: bytes, problem: str) -> DecodeError:
        """The error of a success that is not what was asked for; it shows the answer's beginning, without the token.

        Args:
            request: What was asked.
            status: The answer's status.
            body: The answer's body, or the beginning of it.
            problem: What is wrong with it.
        """
        said = excerpt(self._token.hidden_in(body))
        words = printable(said.strip(), 200) or "it is empty"
        error = DecodeError(f"{request.method} {request.path}: {problem} (status {status}): {words}")
        error.body = said
        return unreadable(request, error)

    def _without_token(self, response: Response) -> Response:
        """An answer as errors may show it."""
        return attrs.evolve(response, body=self._token.hidden_in(response.body))
