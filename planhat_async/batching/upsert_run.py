"""Sends the chunks of an upsert, and accounts for every row.

What is ordered. One task, the producer, takes rows from the input, has each checked and encoded once, and feeds
them to the chunker, which cuts by rules that depend on the input alone (`chunker.py`). Chunks are sent in the
order of the cut. A chunk that shares a key with one in flight waits until that has ended, and those behind it wait too,
so writes to one key arrive in the order of the input. The parts of a chunk leave one after another.

What is concurrent. Up to `concurrency` chunks are in flight, each in a task of its own. The producer is one chunk
ahead at most, so a fast input waits for a slow network, and memory is bounded by the chunks in flight. Chunks end
in any order, and each one's result is handed out as it ends. Nothing holds the event loop for long: rows are
prepared, and added to a chunk's body, a few at a time.

What outlives a run. A ledger, if there is one, records each chunk before it is sent and after it has ended, and may
know it from an earlier run (`chunk_ledger.py`). Where it fails, nothing more is sent, and what is in flight ends.

What happens on failure. What Planhat says of single rows decides their outcome (`answers.py`). A chunk whose answer
never came is *unknown*: the session has already repeated it where every row has a key, and where none has,
Planhat's own list can settle it, if the caller names unique values (`outcome_verifier.py`). A chunk too large is
halved, and so, on request, is one with errors that name no row. After a refusal of everything (a wrong token, no
server) nothing more is sent, and the rows taken so far that had not left are *unsent*.

Whenever a run ends, by the end of the input, an exception of the caller's iterator, cancellation or leaving the
`async with`, `run.result` holds every row that was taken from the input, in exactly one outcome: rows in flight
at a cancellation are unknown, rows that had not left are unsent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Self

import attrs

from planhat_async.batching.block_feeder import BlockFeeder, Encode
from planhat_async.batching.chunk_ledger import Ledger
from planhat_async.batching.chunk_outcome import ChunkOutcome
from planhat_async.batching.chunk_part import Isolation
from planhat_async.batching.chunk_queue import ChunkQueue
from planhat_async.batching.chunk_sender import ChunkSender, Send
from planhat_async.batching.chunker import Chunker, IsStored
from planhat_async.batching.chunks import Chunk
from planhat_async.batching.concurrent_calls import cancel_all
from planhat_async.batching.input_producer import InputProducer, Prepare
from planhat_async.batching.outcome_verifier import OutcomeVerifier
from planhat_async.batching.request_failures import refuses_everything
from planhat_async.records.arguments import choice, flag, number, valid, whole
from planhat_async.results import ChunkResult, Outcome, UpsertResult

MAX_ROWS = 5000
"""Rows that Planhat accepts in a call ("Bulk upsert" in its documentation)."""


@attrs.frozen(kw_only=True)
class ChunkOptions:
    """How rows are cut and sent; `UpsertOptions` documents each option."""

    chunk_size: int = attrs.field(default=MAX_ROWS, validator=valid(whole(1, MAX_ROWS)))
    max_bytes: int = attrs.field(default=8_000_000, validator=valid(whole(1, 30_000_000)))
    concurrency: int = attrs.field(default=4, validator=valid(whole(1)))
    on_invalid: str = attrs.field(default="collect", validator=valid(choice("collect", "raise")))
    verify_by: Sequence[str] = ()
    verify_wait: float = attrs.field(default=30.0, validator=valid(number(0)))
    isolate: bool = attrs.field(default=False, validator=valid(flag()))
    max_isolation_calls: int = attrs.field(default=100, validator=valid(whole(0)))


class RunState(Enum):
    """How far a run has come; a state is followed only by those below it."""

    SENDING = "chunks are sent as they are cut"
    STOPPING = "nothing more is sent; chunks in flight end"
    CLOSED = "every row taken from the input has an outcome, or is about to get one"


class UpsertRun:
    """One upsert while it runs: iterate over it for the results of chunks as they end.

    Use it in `async with`; leaving the block ends the run and cancels what is in flight. The class is long because it
    is one state machine: each transition of `RunState` reads and changes the same few queues.
    """

    def __init__(
        self,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        prepare: Prepare,
        send: Send,
        options: ChunkOptions,
        send_single_call: Send | None = None,
        verifier: OutcomeVerifier | None = None,
        ledger: Ledger | None = None,
        encode: Encode | None = None,
        is_stored: IsStored | None = None,
    ) -> None:
        self.result: UpsertResult = UpsertResult()
        """The result so far; complete once the run has ended, however it ended."""
        self.came_to_end: bool = False
        """Whether the input was read to its end, and every chunk was sent and ended."""
        self._concurrency = options.concurrency
        self._is_verified = verifier is not None
        self._sender = ChunkSender(send, verifier, send_single_call)
        self._ledger = ledger
        self._isolation = Isolation(options.max_isolation_calls if options.isolate else 0)
        self._chunker = Chunker(chunk_size=options.chunk_size, max_bytes=options.max_bytes, is_stored=is_stored)
        self._producer = InputProducer(
            rows,
            prepare,
            self._chunker,
            self._hand_on,
            is_strict=options.on_invalid == "raise",
            feeder=None if encode is None else BlockFeeder(encode, self._chunker),
        )
        self._production: asyncio.Task[None] | None = None
        self._state = RunState.SENDING
        self._ready = ChunkQueue()
        self._in_flight: dict[asyncio.Task[None], ChunkOutcome] = {}
        self._ended: deque[ChunkResult] = deque()
        self._has_changed = asyncio.Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
        if kind is None:
            self._raise_failure()  # of the input or the ledger, if the iteration has not raised it

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkResult:
        while not self._ended:
            if self._state is RunState.CLOSED:
                self._raise_failure()
                raise StopAsyncIteration
            if self._production is None:
                self._production = asyncio.create_task(self._produce())
            self._has_changed.clear()
            self._collect_ended()
            self._send_ready()
            if self._ended:
                break
            has_more = not self._production.done() or len(self._ready)
            if self._in_flight or (has_more and self._state is RunState.SENDING):
                await self._has_changed.wait()
            else:
                await self.aclose()
        return self._ended.popleft()

    def stop(self) -> None:
        """Send nothing more; what is in flight ends, and its results are handed out."""
        if self._state is RunState.SENDING:
            self._state = RunState.STOPPING
        self._has_changed.set()

    def take_ended(self) -> list[ChunkResult]:
        """Remove and return the results that the iteration has not yielded, for a run that was left early."""
        ended, self._ended = [*self._ended], deque()
        return ended

    async def _produce(self) -> None:
        try:
            await self._producer.run()
        except BaseException as failure:
            if self._state is RunState.CLOSED:
                raise
            # The caller's iterator may raise anything, also that something it awaited was cancelled.
            self._fail(failure)
        finally:
            self._has_changed.set()

    def _fail(self, failure: BaseException) -> None:
        """Stop after a failure of the input or the ledger, which is raised at the end."""
        self._failure = self._failure or failure
        self.stop()

    async def _hand_on(self, chunk: Chunk) -> None:
        """Queue a chunk to be sent; wait while another is queued."""
        self._ready.put(chunk)
        self._has_changed.set()
        if self._state is RunState.CLOSED:
            raise asyncio.CancelledError  # an input that goes on although it was cancelled
        await self._ready.wait_for_room()

    def _send_ready(self) -> None:
        """Begin the chunks that may be sent now."""
        while len(self._ready) and self._state is RunState.SENDING:
            chunk = self._ready.first
            is_task = bool(chunk.rows) or self._ledger is not None
            if is_task and not self._may_be_sent(chunk):
                return
            self._ready.pop()
            if is_task:
                self._begin_chunk(chunk)
            else:
                self._end_chunk(ChunkOutcome(chunk))

    def _may_be_sent(self, chunk: Chunk) -> bool:
        """Whether fewer than `concurrency` chunks are in flight, none of which shares a key with this one."""
        return len(self._in_flight) < self._concurrency and not any(
            chunk.shares_key_with(outcome.chunk) for outcome in self._in_flight.values()
        )

    def _begin_chunk(self, chunk: Chunk) -> None:
        is_verified = self._is_verified and bool(chunk.rows) and not chunk.is_keyed
        outcome = ChunkOutcome(chunk, isolation=self._isolation, is_verified=is_verified)
        send = self._sender.send_chunk(outcome) if self._ledger is None else self._record(outcome, self._ledger)
        task = asyncio.create_task(send)
        task.add_done_callback(lambda _: self._has_changed.set())
        self._in_flight[task] = outcome

    async def _record(self, outcome: ChunkOutcome, ledger: Ledger) -> None:
        """Send the rows of a chunk that earlier runs have not settled; record its result, however the sending ends."""
        recorded = await ledger.begin_chunk(outcome.chunk)
        if recorded is not None:
            outcome.resume(recorded)
            if outcome.is_settled:
                return
        try:
            await self._sender.send_chunk(outcome)
        finally:
            outcome.give_up()
            await ledger.end_chunk(outcome.result)

    def _collect_ended(self) -> None:
        """End the chunks that are no longer in flight."""
        for task in [task for task in self._in_flight if task.done()]:
            outcome = self._in_flight.pop(task)
            outcome.give_up()  # rows are left only after a cancellation or a bug
            if not task.cancelled() and (failure := task.exception()) is not None:
                self._fail(failure)
            self._end_chunk(outcome)

    def _end_chunk(self, outcome: ChunkOutcome) -> None:
        result = outcome.result
        self.result.add(result)
        self._ended.append(result)
        if result.error is not None and refuses_everything(result.error):
            self.result.stopped_by = self.result.stopped_by or result.error
            self.stop()
        self._has_changed.set()

    async def aclose(self) -> None:
        """End the run: rows in flight become unknown, rows that were not sent unsent.

        A cancellation meanwhile is raised once every row has an outcome.
        """
        is_first, self._state = self._state is not RunState.CLOSED, RunState.CLOSED
        if is_first and self._production is None:
            await self._producer.close()
        elif is_first and self._production is not None:
            is_read = self._production.done() and self._failure is None
            self.came_to_end = is_read and not len(self._ready) and not self._in_flight
        is_cancelled = await cancel_all({*self._in_flight, *filter(None, [self._production])})
        self._collect_ended()
        self._chunker.end_input()
        for chunk in self._chunker.due():
            self._ready.put(chunk)
        why = "the run ended first" if self.result.stopped_by is None else "an error had stopped the run before"
        while len(self._ready):
            outcome = ChunkOutcome(self._ready.pop())
            outcome.settle(outcome.chunk.rows, Outcome.UNSENT, f"not sent: {why}")
            self._end_chunk(outcome)
        if is_cancelled:
            raise asyncio.CancelledError

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
