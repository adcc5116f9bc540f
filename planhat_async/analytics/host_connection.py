"""The connection to the analytics host: one call, without a rate limit."""

from __future__ import annotations

from collections.abc import Callable

from planhat_async._convert import excerpt, printable
from planhat_async._http.attempts import AttemptLoop
from planhat_async._http.connection_options import ConnectionOptions
from planhat_async._http.own_loop import OwnLoop
from planhat_async._http.pace import RateLimits
from planhat_async._http.pacer import Pacer
from planhat_async._http.retries import RetryPolicy, unreadable
from planhat_async._http.session_stats import SessionStats
from planhat_async._http.tenant_uuid import TenantUuid
from planhat_async._http.tokens import TokenSource
from planhat_async._http.transport import MAX_ANSWER_BYTES, AiohttpTransport, ClientSession, Timeouts, Transport
from planhat_async._http.wire import HINTS, Request, Response, checked_base_url
from planhat_async.analytics.send_answers import Answer, answer_in
from planhat_async.errors import DecodeError
from planhat_async.records.arguments import whole

DEFAULT_HOST = "https://analytics.planhat.com"
_WRONG_UUID = "is the tenant UUID right?"
_HINTS = {**HINTS, 401: _WRONG_UUID, 403: _WRONG_UUID, 404: f"{_WRONG_UUID} and the host?"}
_UNLIMITED = 1_000_000


class HostConnection:
    """Posts bodies to the analytics host, at most `max_in_flight` at a time. `Analytics` documents the arguments."""

    def __init__(
        self,
        uuid: TenantUuid,
        host: str,
        *,
        max_in_flight: int,
        policy: RetryPolicy,
        timeouts: Timeouts,
        options: ConnectionOptions,
        client_session: ClientSession | None,
        transport: Transport | None,
    ) -> None:
        whole(1)("max_in_flight", max_in_flight)
        self.host: str = host
        self.stats: SessionStats = SessionStats()
        self.is_open: bool = False
        self._uuid = uuid
        self._own_loop = OwnLoop("the analytics connection")
        self._transport: Transport = transport or AiohttpTransport(
            host,
            max_connections=max_in_flight,
            max_answer_bytes=MAX_ANSWER_BYTES,
            client_session=client_session,
            options=options,
        )
        # The host has no rate limit, but a 429 pauses all calls here as well.
        limits = RateLimits(per_minute=_UNLIMITED, per_second=_UNLIMITED, max_in_flight=max_in_flight, reserve=0)
        self._attempts = AttemptLoop(
            base_url=host,
            transport=self._transport,
            tokens=TokenSource(uuid),
            pacer=Pacer(limits),
            policy=policy,
            timeouts=timeouts,
            stats=self.stats,
            is_open=lambda: self.is_open,
            hints=_HINTS,
        )

    async def open(self) -> None:
        """Allow calls in this event loop."""
        if self._own_loop.enter(may_move=True) and self.is_open:
            await self._transport.close()  # its connections belong to an event loop that is closed
        self.is_open = True

    async def close(self) -> None:
        """Close the connections."""
        if self.is_open:
            self._own_loop.enter(may_move=True)
        self.is_open = False
        await self._transport.close()
        self._own_loop.leave()

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        is_object: bool = False,
        on_sent: Callable[[], object] = bool,
        on_not_processed: Callable[[], object] = bool,
    ) -> Answer:
        """Send a body, at most once if Planhat may have processed it.

        Args:
            path: The path, with a placeholder for the tenant UUID.
            body: JSON.
            is_object: Whether to send the one item of the body, which is an array, without its brackets.
            on_sent: Called each time the body is about to be sent.
            on_not_processed: Called when it turns out that no attempt so far was processed.

        Returns:
            What a 2xx answer says of rows.

        Raises:
            RuntimeError: The connection is not open, or belongs to another event loop.
            RequestError: The call failed, after all retries.
            DecodeError: A 2xx answer that is not a success.
        """
        if not self.is_open:
            raise RuntimeError("the analytics connection is not open: use it in `async with`")
        self._own_loop.enter()
        self.stats.calls += 1
        request = Request(method="POST", path=path, body=body[1:-1] if is_object else body)
        response = await self._attempts.send(request, None, on_sent, on_not_processed)
        answer = self._read(response)
        if answer is None:
            # Raised here, without a context: its traceback would show the body, which may quote the UUID.
            raise self._unusable(request, response)
        return answer

    def _read(self, response: Response) -> Answer | None:
        """What a 2xx answer says; `None` if it is not a success."""
        try:
            answer = answer_in(response.body)
        except DecodeError:
            return None
        return Answer(n_processed=answer.n_processed, errors=answer.errors, hide=self._uuid.hidden_in)

    def _unusable(self, request: Request, response: Response) -> DecodeError:
        """The error for a 2xx answer that is not a success; it quotes the answer without the tenant UUID."""
        beginning = excerpt(self._uuid.hidden_in(response.body[:8192]))
        quoted = printable(beginning.strip(), 200) or "it is empty"
        error = DecodeError(f"{request}: the answer is not a success (status {response.status}): {quoted}")
        error.body = beginning
        return unreadable(request, error)


def checked_host(host: str, *, allow_plain_http: bool) -> str:
    """The URL of the host without a trailing slash.

    Raises:
        ValueError: It is not a URL, or it would send the tenant UUID unencrypted to another machine.
    """
    return checked_base_url(
        host,
        allow_plain_http=allow_plain_http,
        example=DEFAULT_HOST,
        option="--analytics-url or PLANHAT_ANALYTICS_URL",
        secret="the tenant UUID",  # noqa: S106 - a word for messages
    )
