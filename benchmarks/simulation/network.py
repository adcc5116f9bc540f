"""The network of a night: transit, outages and copies, between the processes and a sandbox that keeps a ledger."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from benchmarks.simulation.evidence import Applied, Arrival, Evidence
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

    def is_out_of_reach(self) -> bool:
        """Whether an outage is under way."""
        now = self.loop.time()
        return any(begin <= now < begin + seconds for begin, seconds in self.plan.outages)

    async def arrive(self, process: Process, request: Request, token: Token, timeouts: Timeouts) -> Response:
        """What the server does with a request that has left: it arrives even if its sender dies."""
        await asyncio.sleep(self.draw.uniform(0, self.plan.transit))
        self.evidence.arrivals.append(Arrival(self.loop.time(), process.name, request.method))
        transport = SandboxTransport(self.planhat)
        if self.n_calls in self.plan.duplicates and _is_harmless(request):
            self.evidence.arrivals.append(Arrival(self.loop.time(), process.name, request.method, is_copy=True))
            self.evidence.copied.update(markers_in(request.body or b"[]", self.plan))
            spawn(self.loop, None, _without_answer(transport, request, token, timeouts), "copy")
        response = await transport.send(request, token=token, timeouts=timeouts)
        await asyncio.sleep(self.draw.uniform(0, self.plan.transit))
        return response

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
        try:
            await asyncio.sleep(network.draw.uniform(0, network.plan.transit))  # to connect
        except asyncio.CancelledError as cancelled:
            cancelled.nothing_sent = True  # type: ignore[attr-defined]
            raise
        if network.is_out_of_reach():
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
            network.on_boundary(self.process, f"gets {type(error).__name__} of {what}")
            raise
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
