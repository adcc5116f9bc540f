"""The sandbox on a socket: an HTTP server."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import Any, Self, Unpack
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from attrs import evolve

from planhat_async.sandbox.api import Admission
from planhat_async.sandbox.delivery import deliver, hang_up
from planhat_async.sandbox.messages import ApiRequest
from planhat_async.sandbox.planhat import UNREAD, Options, Planhat

_SHUTDOWN_SECONDS = 0.1


class Sandbox(Planhat):
    """Planhat on loopback, in this process: a real HTTP server that starts and stops with `async with`.

    It is long because it is one life cycle: a server that refuses, resets and comes back needs all of its sockets.

    Args:
        token: The only token it accepts; None accepts every token that is not empty.
        host: The address it listens on.
        port: The port it listens on; 0 takes a free one.
        options: What any `Planhat` takes: `per_minute=200`, `per_second=150`, `max_parallel`, `window`, `seed`,
            `companies`, `users`, `endusers`, `choices`, `faults`, `tenant_uuid`.

    Raises:
        ValueError: A limit or a fault is invalid.
    """

    def __init__(
        self, token: str | None = None, *, host: str = "127.0.0.1", port: int = 0, **options: Unpack[Options]
    ) -> None:
        super().__init__(token, **options)
        self._host = host
        self._port = self._bound_port = port
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._holder: socket.socket | None = None
        self._coming_back = asyncio.Lock()
        self._busy: set[Any] = set()
        """Connections with a call under way."""
        # Wall-clock time that never goes back, so that a correction of the clock does not affect the limits.
        self._epoch = time.time() - time.monotonic()

    def __repr__(self) -> str:
        return f"<Sandbox {'closed' if self._runner is None else self.url}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """The base URL, once it is started."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound_port}"

    @property
    def analytics_url(self) -> str:
        """The URL of its analytics host, once it is started: the same as `url`."""
        return self.url

    async def start(self) -> None:
        """Listen. The records and the log of an earlier run are still there."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is started already")
        # An application, not a bare `web.Server`, because that never answers `Expect: 100-continue`.
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        # A handler is cancelled when its client disconnects: only that ends an answer that stalls.
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handler_cancellation=True
        )
        self._coming_back = asyncio.Lock()  # of this event loop
        self._runner, self._bound_port = runner, self._port
        try:
            await runner.setup()
            await self._listen()
            self._prepare_for_the_first()
            await asyncio.sleep(0)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening and hang up; a request under way has a tenth of a second to end. Closing twice is harmless.

        Calls that a fault delays are dropped: see `settled`. A cancellation waits until the sandbox is closed.
        """
        closing = asyncio.ensure_future(self._close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        # First the tasks that may be opening a listener.
        await self._drop_pending()
        await self._stop_listening()
        self._release_port()
        if runner is not None:
            await runner.cleanup()
            # A request that came while it closed may have started a task.
            await self._drop_pending()

    def now(self) -> float:
        """Its clock: seconds since the epoch."""
        return self._epoch + time.monotonic()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._n_parallel += 1
        head = _head(request, now=self.now(), n_parallel=self._n_parallel)
        admission = self._api.admit(head)
        refusal = self._api.faults.refusal()
        self._busy.add(request.protocol)
        try:
            return await self._answered(request, head, admission, is_last=refusal is not None)
        except (ConnectionError, web.RequestPayloadError):
            response = web.json_response("The body could not be read", status=400)
            response.force_close()
            return response
        finally:
            self._n_parallel -= 1
            try:
                if refusal is not None:
                    # A client that disconnects cancels this handler; the absence must begin and end all the same.
                    await asyncio.shield(self._keep(self._go_away(refusal)))
            finally:
                self._busy.discard(request.protocol)

    async def _answered(
        self, request: web.Request, head: ApiRequest, admission: Admission, *, is_last: bool
    ) -> web.StreamResponse:
        fault = admission.fault
        if fault.name in UNREAD:
            self._api.lose(head, fault)
            return hang_up(request)
        # Read it all even if it is too large: a client reads no answer before it has sent its body.
        whole = evolve(head, body=await request.content.read())
        if fault.name == "late":
            self._keep(self._answer_later(fault.amount, whole, admission))
            return hang_up(request)
        return await deliver(request, self._api.answer(whole, admission), fault, is_last=is_last)

    def _prepare_for_the_first(self) -> None:
        refusal = None if self._runner is None else self._api.faults.refusal()
        if refusal is not None:
            self._stop_accepting()
            self._keep(self._go_away(refusal))

    async def _go_away(self, seconds: float) -> None:
        """Stop listening for a while, and close the connections that would carry the next call."""
        runner = self._runner
        if runner is None or runner.server is None:
            return  # closed while the call was under way
        await self._stop_listening()
        for connection in list(runner.server.connections):
            # `close` ends the handler of an idle connection, and leaves its client waiting.
            (connection.close if connection in self._busy else connection.force_close)()
        self._keep(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()

    async def _listen(self) -> None:
        async with self._coming_back:  # two absences may end at once
            runner = self._runner
            if runner is not None and runner.server is not None and self._listener is None:
                loop = asyncio.get_running_loop()
                # In two steps: a cancellation during the second leaves a listener that can be closed.
                self._listener = await loop.create_server(
                    runner.server, self._host, self._bound_port, start_serving=False
                )
                self._bound_port = self._listener.sockets[0].getsockname()[1]
                await self._listener.start_serving()
                self._release_port()

    def _stop_accepting(self) -> None:
        for listening in () if self._listener is None else self._listener.sockets:
            # Some systems support neither; there, connections are reset for a moment instead of refused.
            with suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(listening.fileno())
            with suppress(OSError):
                with listening.dup() as duplicate:  # uvloop's own object does not offer it
                    duplicate.shutdown(socket.SHUT_RDWR)
                self._hold_port(listening.family, listening.getsockname())

    def _hold_port(self, family: int, address: Any) -> None:
        # While the port is free, the system may give it to a client on this machine for its own end of a connection.
        self._release_port()
        self._holder = socket.socket(family, socket.SOCK_STREAM)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(address)

    def _release_port(self) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.close()

    async def _stop_listening(self) -> None:
        self._stop_accepting()
        listener, self._listener = self._listener, None
        if listener is not None:
            # asyncio accepts a connection in two steps, and drops it without closing it if its server closes between
            # them: let the second step happen.
            try:
                await asyncio.sleep(0)
            finally:
                listener.close()


def _head(request: web.Request, *, now: float, n_parallel: int) -> ApiRequest:
    path, _, query = request.raw_path.partition("?")
    return ApiRequest(
        method=request.method,
        segments=tuple(unquote(segment) for segment in path.removeprefix("/").split("/")),
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        headers=request.headers,
        now=now,
        n_parallel=n_parallel,
    )
