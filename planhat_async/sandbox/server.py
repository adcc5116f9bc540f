"""The sandbox on a socket: the only module that knows HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from attrs import evolve

from planhat_async.sandbox.api import Admission, Api
from planhat_async.sandbox.choices import DEFAULT, Choices
from planhat_async.sandbox.companies import Company
from planhat_async.sandbox.delivery import deliver, hang_up
from planhat_async.sandbox.faults import Faults, FaultsLike
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest, LoggedRequest
from planhat_async.sandbox.people import EndUser, User
from planhat_async.sandbox.state import Snapshot, State
from planhat_async.sandbox.store import Record

PLACEHOLDER_TOKEN = "sandbox-token"  # noqa: S105  # accepted because every token is
_SHUTDOWN_SECONDS = 0.1
_UNREAD = frozenset({"refuse", "reset_before"})


class Sandbox:
    """Planhat on loopback, in this process: a real HTTP server that starts and stops with `async with`.

    Args:
        token: The only token it accepts; None accepts every token that is not empty.
        host: The address it listens on.
        port: The port it listens on; 0 takes a free one.
        per_minute: Requests a token may make in any 60 seconds; None for no limit, here and below.
        per_second: Requests a token may make in any second.
        max_parallel: Requests that may be under way at once.
        seed: Where the generated `_id`s begin.
        companies: The companies registered from the start. While none is, any company is accepted.
        users: The users registered from the start; who names one by `_id` is told the name.
        endusers: The same of end users; a ticket names one by e-mail address.
        choices: What to do where Planhat's behaviour is unknown.
        faults: What goes wrong, as text or one by one: see `planhat_async.sandbox.faults`.

    Raises:
        ValueError: A limit or a fault is none.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        per_minute: int | None = 200,
        per_second: int | None = 150,
        max_parallel: int | None = None,
        seed: int = 0,
        companies: Iterable[Company] = (),
        users: Iterable[User] = (),
        endusers: Iterable[EndUser] = (),
        choices: Choices = DEFAULT,
        faults: FaultsLike = (),
    ) -> None:
        limits = Limits(per_minute=per_minute, per_second=per_second, max_parallel=max_parallel)
        self._api = Api(token, limits=limits, choices=choices, state=State(seed, [*companies, *users, *endusers]))
        self._state = self._api.state
        self._seed = seed
        self.inject(faults)
        self._token = PLACEHOLDER_TOKEN if token is None else token
        self._host = host
        self._port = port
        self._bound_port = port
        self._runner: web.AppRunner | None = None
        self._pending: set[asyncio.Task[None]] = set()
        self._n_parallel = 0
        # Wall-clock time that never steps back, so that a correction of the clock opens no gap in the limits.
        self._epoch = time.time() - time.monotonic()

    def __repr__(self) -> str:
        return f"<Sandbox {'closed' if self._runner is None else self.url}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """The base URL, once it is started."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound_port}"

    @property
    def token(self) -> str:
        """A token it accepts."""
        return self._token

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last 100,000 requests that were answered, oldest first."""
        return list(self._api.log)

    async def start(self) -> None:
        """Listen. The records and the log of an earlier run are still there."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is started already")
        # An application, not a bare `web.Server`, because that never answers `Expect: 100-continue`.
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        # A handler is cancelled when its client has left: that is how an answer that never ends, ends.
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handler_cancellation=True
        )
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port).start()
        self._runner, self._bound_port = runner, runner.addresses[0][1]
        refusal = self._api.faults.refusal()
        if refusal is not None:
            await self._go_away(refusal.amount)

    async def close(self) -> None:
        """Stop listening and hang up; a request under way has a tenth of a second to end. Closing twice is harmless.

        A call that a fault was to carry out later is not carried out any more: see `settled`.
        """
        runner, self._runner = self._runner, None
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
        if runner is not None:
            await runner.cleanup()

    def inject(self, faults: FaultsLike = ()) -> None:
        """From the next call on let this go wrong, and nothing else; calls are counted from 1 again.

        Raises:
            ValueError: A fault is none.
        """
        self._api.faults = Faults(faults, seed=self._seed)

    async def settled(self) -> None:
        """Wait until every call that a fault lets come late is carried out, and somebody listens again."""
        while self._pending:
            await asyncio.gather(*self._pending)

    def records(self, name: str) -> list[Record]:
        """Copies of the stored `"notes"`, `"tasks"` or `"tickets"`, or of all `"conversations"`, in `_id` order.

        Notes are the conversations of type `note` and of the custom types.
        """
        return self._state.records(name)

    def add(self, name: str, record: Mapping[str, Any], *, created: datetime | None = None) -> Record:
        """Put a record straight into the store, past all rules; a copy of it as stored comes back.

        Only a missing `_id` is filled in, and a missing `type` of a note or a ticket. The names are those of `records`.

        Args:
            name: What it is.
            record: Its fields as the API spells them.
            created: The time in the `_id` that is filled in; None for now.

        Raises:
            ValueError: There is a record of this `_id`.
        """
        return self._state.add(name, record, now=self._now(), created=created)

    def add_company(
        self,
        company_id: str,
        *,
        external_id: str | None = None,
        source_id: str | None = None,
        name: str = "",
        domains: Iterable[str] = (),
    ) -> None:
        """Register a company: from the first one on, records that name none of the registered ones are refused."""
        self._state.register(Company(company_id, external_id, source_id, name, domains))

    def add_user(self, user_id: str, *, name: str) -> None:
        """Register a user: a record that names it from now on gets its name."""
        self._state.register(User(user_id, name))

    def add_enduser(self, enduser_id: str, *, name: str, email: str = "") -> None:
        """Register an end user: a record that names it from now on, a ticket by its `email`, gets its name."""
        self._state.register(EndUser(enduser_id, name, email))

    def snapshot(self) -> Snapshot:
        """All records, companies and people as they are now, to be restored; the texts of records are shared."""
        return self._state.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what was held then, and nothing else; the log, the limits and the faults are left alone."""
        self._state.restore(snapshot)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all records, companies and people to a JSONL file, which `load` reads."""
        with open(path, "wb") as file:
            file.writelines(self._state.lines())

    def load(self, path: str | PathLike[str], *, model: str | None = None) -> int:
        """Add what a JSONL file holds.

        Args:
            path: A file of `save`'s, or one with a record in each line, as `planhat-async export` writes it.
            model: What the records of such a file are: `"notes"`, `"tasks"`, `"tickets"`, `"conversations"`,
                `"companies"`, `"users"` or `"endusers"`.

        Returns:
            How many entries it has.

        Raises:
            ValueError: A line is none, or there is a record of its `_id` already; those before it are added.
        """
        with open(path, "rb") as file:
            return self._state.read(file, now=self._now(), model=model)

    def _now(self) -> float:
        return self._epoch + time.monotonic()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._n_parallel += 1
        head = _head(request, now=self._now(), n_parallel=self._n_parallel)
        admission = self._api.admit(head)
        refusal = self._api.faults.refusal()
        try:
            return await self._answered(request, head, admission, is_last=refusal is not None)
        except (ConnectionError, web.RequestPayloadError):
            return web.json_response("The body could not be read", status=400)
        finally:
            self._n_parallel -= 1
            if refusal is not None:
                await self._go_away(refusal.amount)

    async def _answered(
        self, request: web.Request, head: ApiRequest, admission: Admission, *, is_last: bool
    ) -> web.StreamResponse:
        strike = admission.strike
        if strike is not None and strike.name in _UNREAD:
            self._api.lose(head, admission)
            return hang_up(request)
        # As a whole even if it is too large, for a client hears no answer before it has sent its body.
        whole = evolve(head, body=await request.content.read())
        if strike is not None and strike.name == "late":
            self._keep(self._answer_later(strike.amount, whole, admission))
            return hang_up(request)
        return await deliver(request, self._api.answer(whole, admission), strike, is_last=is_last)

    async def _answer_later(self, seconds: float, request: ApiRequest, admission: Admission) -> None:
        await asyncio.sleep(seconds)
        self._api.answer(request, admission)

    async def _go_away(self, seconds: float) -> None:
        """Listen to nobody for a while, and drop the connections that would carry the next call."""
        runner = self._runner
        if runner is None or runner.server is None:
            return
        for site in list(runner.sites):
            await site.stop()
        for connection in runner.server.connections:
            connection.close()
        self._keep(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()

    async def _listen(self) -> None:
        if self._runner is not None and not self._runner.sites:
            await web.TCPSite(self._runner, self._host, self._bound_port).start()

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)


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
