"""The network of a night: transit, outages and copies, between the processes and a sandbox that keeps a ledger."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

import attrs

from benchmarks.simulation.evidence import Applied, Arrival, Attempt, Evidence, Pause
from benchmarks.simulation.plan import MARKERS, Plan
from benchmarks.simulation.processes import Process, SimulatedLoop, spawn
from planhat_async._http.transport import Timeouts
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import NotSentError, UnknownOutcomeError
from planhat_async.sandbox.calls import Calls
from planhat_async.sandbox.memory import MemorySandbox
from planhat_async.sandbox.models import Rules
from planhat_async.sandbox.record_writer import RecordWriter
from planhat_async.sandbox.store import Record
from planhat_async.testing.sandbox_transport import SandboxTransport

_SHORT, _LONG = 0.01, 0.1
"""Seconds of a delay where they are not drawn."""


class ServersLedger(RecordWriter):
    """Notes each row that the sandbox stores."""

    evidence: Evidence
    clock: Callable[[], float]

    def create(self, model: Rules, row: Record, now: float, *, in_bulk: bool = False) -> Record:
        """Store a new record, and note it."""
        record = super().create(model, row, now, in_bulk=in_bulk)
        self.note(row, record["_id"], is_created=True)
        return record

    def update(self, model: Rules, record: Record, row: Record, now: float) -> bool:
        """Change a record, and note it."""
        is_changed = super().update(model, record, row, now)
        self.note(row, record["_id"], is_created=False)
        return is_changed

    def note(self, row: Record, record_id: str, *, is_created: bool) -> None:
        """Note a row that was stored."""
        marker = row.get(MARKERS["tickets" if "title" in row else self.evidence.plan.model], "")
        self.evidence.applied.append(Applied(self.clock(), marker, record_id, is_created))
        if is_created:
            self.evidence.lives[record_id] = (self.clock(), float("inf"))


def keep_ledger(planhat: MemorySandbox, evidence: Evidence, clock: Callable[[], float]) -> ServersLedger:
    """Make a sandbox note what it stores."""
    api = planhat._api  # noqa: SLF001
    ledger = ServersLedger(api.state, evidence.plan.choices)
    ledger.evidence, ledger.clock = evidence, clock
    api._calls = Calls(ledger)  # noqa: SLF001
    return ledger


@attrs.define(eq=False)
class SimulatedNetwork:
    """Carries the requests of all processes."""

    plan: Plan
    planhat: MemorySandbox
    loop: SimulatedLoop
    evidence: Evidence
    draw: random.Random
    on_boundary: Callable[[Process, str], None]
    n_calls: int = 0
    _known: dict[int, tuple[int, Request]] = attrs.field(factory=dict)
    """By identity, calls and their numbers; a call that is kept has its identity for itself."""
    _delays: Iterator[bool] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._delays = chain(self.plan.delays or (), repeat(False))

    async def travel(self, request: Request) -> None:
        """Take the time of one way."""
        seconds = self.draw.uniform(0, self.plan.transit)
        if self.plan.delays is not None:
            is_long = is_bulk_upsert(request) and next(self._delays)
            seconds = _LONG if is_long else _SHORT
        await asyncio.sleep(seconds)

    def is_out_of_reach(self) -> bool:
        """Whether an outage is under way."""
        now = self.loop.time()
        return any(begin <= now < begin + seconds for begin, seconds in self.plan.outages)

    async def arrive(self, process: Process, request: Request, token: Token, timeouts: Timeouts) -> Response:
        """What the server does with a request that has left: it arrives even if its sender dies."""
        await self.travel(request)
        self.evidence.arrivals.append(Arrival(self.loop.time(), process.name, request.method))
        transport = SandboxTransport(self.planhat)
        if self.n_calls in self.plan.duplicates and _is_harmless(request):
            self.evidence.arrivals.append(Arrival(self.loop.time(), process.name, request.method, is_copy=True))
            self.evidence.copied.update(markers_in(request.body or b"[]", self.plan))
            spawn(self.loop, None, _without_answer(transport, request, token, timeouts), "copy")
        response = await transport.send(request, token=token, timeouts=timeouts)
        await self.travel(request)
        return response

    def note_attempt(self, process: Process, request: Request, begun: float, response: Response | None) -> None:
        """Note how an attempt ended, and what its answer demands."""
        call, _ = self._known.setdefault(id(request), (len(self._known), request))
        is_refused = response is not None and response.status == 429
        self.evidence.attempts.append(Attempt(process.name, call, begun, not is_refused))
        if response is None:
            return
        if is_refused:
            after, now = response.headers.get("retry-after", ""), self.loop.time()
            self.evidence.pauses.append(Pause(process.name, begun, now, now + int(after if after.isdecimal() else 0)))
        if not is_refused and is_bulk_upsert(request):
            self.evidence.n_refused += n_refused_in(response, request, self.plan)

    def note_sent(self, request: Request) -> None:
        """Note the rows of a body that leaves."""
        self.n_calls += 1
        if is_bulk_upsert(request):
            for marker in markers_in(request.body or b"", self.plan):
                self.evidence.sent[marker] = self.evidence.sent.get(marker, 0) + 1

    def note_refused(self, request: Request) -> None:
        """Take back what was noted of a body: it was refused unread."""
        if is_bulk_upsert(request):
            for marker in markers_in(request.body or b"", self.plan):
                self.evidence.sent[marker] -= 1


def is_bulk_upsert(request: Request) -> bool:
    """Whether its body holds rows."""
    return request.method == "PUT" and request.path.count("/") == 1


@attrs.define(eq=False)
class ProcessTransport:
    """A process's way into the network."""

    network: SimulatedNetwork
    process: Process

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt; see `Transport`."""
        network, what = self.network, f"{request.method} {request.path}"
        begun = network.loop.time()
        try:
            await network.travel(request)  # to connect
        except asyncio.CancelledError as cancelled:
            cancelled.nothing_sent = True  # type: ignore[attr-defined]
            raise
        if network.is_out_of_reach():
            network.note_attempt(self.process, request, begun, None)
            raise NotSentError(f"{what}: no connection", method=request.method, path=request.path)
        network.on_boundary(self.process, f"sends {what}{_rows_in(request, network.plan)}")
        if self.process.is_dead:
            await asyncio.sleep(0)  # it is frozen here: nothing leaves
        network.note_sent(request)
        answered = spawn(network.loop, None, network.arrive(self.process, request, token, timeouts), "exchange")
        answered.add_done_callback(_note_failure)
        try:
            response: Response = await asyncio.shield(answered)
        except (NotSentError, UnknownOutcomeError) as error:
            network.note_attempt(self.process, request, begun, None)
            network.on_boundary(self.process, f"gets {type(error).__name__} of {what}")
            raise
        network.note_attempt(self.process, request, begun, response)
        if response.status == 429:
            network.note_refused(request)
        network.on_boundary(self.process, f"gets {response.status} of {what}")
        return response

    async def close(self) -> None:
        """Do nothing: the network belongs to the night."""


def markers_in(body: bytes, plan: Plan) -> list[str]:
    """The markers of the rows of a body."""
    rows: Any = json.loads(body)
    return [str(row.get(MARKERS[plan.model])) for row in rows] if isinstance(rows, list) else []


def n_refused_in(response: Response, request: Request, plan: Plan) -> int:
    """How many rows the answer to a bulk upsert refuses: by name, or else all of them if it is no success."""
    try:
        body: Any = json.loads(response.body)
    except ValueError:
        body = None
    listed = body if isinstance(body, dict) else {}
    n_listed = sum(len(items) for name, items in listed.items() if name.endswith("Errors") and isinstance(items, list))
    is_refusal = response.status >= 400 or "error" in listed
    return n_listed or (len(markers_in(request.body or b"[]", plan)) if is_refusal else 0)


def _rows_in(request: Request, plan: Plan) -> str:
    if not is_bulk_upsert(request):
        return ""
    return f" {' '.join(markers_in(request.body or b'', plan))}"


def _is_harmless(request: Request) -> bool:
    return request.method in {"GET", "DELETE"} or (request.method == "PUT" and request.is_keyed)


async def _without_answer(transport: SandboxTransport, request: Request, token: Token, timeouts: Timeouts) -> None:
    with suppress(NotSentError, UnknownOutcomeError):
        await transport.send(request, token=token, timeouts=timeouts)


def _note_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # its sender may be dead
