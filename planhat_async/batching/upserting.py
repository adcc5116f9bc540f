"""Sends the chunks of an upsert, and keeps account of every row.

What is ordered. One task, the producer, takes rows from the input, has each checked and encoded once, and feeds
them to the chunker, which cuts by rules that depend on the input alone (`chunking.py`). Chunks leave in the order
of the cut. A chunk that shares a key with one in flight waits until that has ended, and those behind it wait too,
so writes to one key arrive in the order of the input. The parts of a chunk leave one after another.

What is concurrent. Up to `concurrency` chunks are in flight, each in a task of its own. The producer is one chunk
ahead at most, so a fast input waits for a slow network, and memory is bounded by the chunks in flight. Chunks end
in any order, and each one's account is handed out as it ends. Nothing holds the event loop for long: rows are
prepared, and added to a chunk's body, a few at a time.

What outlives a run. A ledger, if there is one, is told of each chunk before it leaves and after it has ended, and may
know it from an earlier run (`recording.py`). Where it fails, nothing more leaves, and what is in flight ends.

What happens on failure. What Planhat says of single rows is read into the account (`answers.py`). A chunk whose
answer never came is *unknown*: the session has already repeated it where every row has a key, and where none has,
Planhat's own list can settle it, if the caller names unique values (`settling.py`). A chunk too large for Planhat is
halved, and so, on request, is one with errors that name no row. After a refusal of everything (a wrong token, no
server) nothing more is sent, and the rows taken so far that had not left are *unsent*.

Whenever a run ends, by the end of the input, an exception of the caller's iterator, cancellation or leaving the
`async with`, `run.result` holds every row that was taken from the input, in exactly one outcome: rows in flight
at a cancellation are unknown, rows that had not left are unsent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable
from types import TracebackType
from typing import Any, Self

import attrs

from planhat_async.batching.answers import Account
from planhat_async.batching.chunking import Chunk, Chunker
from planhat_async.batching.delivering import Courier, Send, refuses_everything
from planhat_async.batching.parts import Isolation
from planhat_async.batching.producing import Prepare, Producer
from planhat_async.batching.recording import Ledger
from planhat_async.batching.settling import Settler
from planhat_async.records.arguments import choice, flag, valid, whole
from planhat_async.results import ChunkResult, Outcome, UpsertResult


@attrs.frozen(kw_only=True)
class ChunkOptions:
    """How rows are cut and sent."""

    chunk_size: int = attrs.field(default=5000, validator=valid(whole(1, 5000)))
    max_bytes: int = attrs.field(default=8_000_000, validator=valid(whole(1, 30_000_000)))
    concurrency: int = attrs.field(default=4, validator=valid(whole(1)))
    on_invalid: str = attrs.field(default="collect", validator=valid(choice("collect", "raise")))
    isolate: bool = attrs.field(default=False, validator=valid(flag()))
    max_isolation_calls: int = attrs.field(default=100, validator=valid(whole(0)))


class UpsertRun:
    """One upsert while it runs: iterate over it for the chunks' results as they end.

    Use it in `async with`; leaving the block ends it, whatever is still under way.

    Attributes:
        result: The account so far; complete once the run has ended, however it ended.
        came_to_end: Whether the input was read to its end, and each of its chunks begun and ended, before the run did.
    """

    def __init__(
        self,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        prepare: Prepare,
        send: Send,
        options: ChunkOptions,
        send_only: Send | None = None,
        settler: Settler | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.result = UpsertResult()
        self.came_to_end = False
        self._concurrency = options.concurrency
        self._is_verified = settler is not None
        self._courier = Courier(send, settler, send_only)
        self._ledger = ledger
        self._isolation = Isolation(options.max_isolation_calls) if options.isolate else None
        self._chunker = Chunker(chunk_size=options.chunk_size, max_bytes=options.max_bytes)
        self._producer = Producer(rows, prepare, self._chunker, self._hand_on, is_strict=options.on_invalid == "raise")
        self._production: asyncio.Task[None] | None = None
        self._ready: deque[Chunk] = deque()
        self._in_flight: dict[asyncio.Task[None], Account] = {}
        self._ended: deque[ChunkResult] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: BaseException | None = None
        self._is_stopping = False
        self._is_winding_up = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
        if kind is None:
            self._raise_failure()  # of the input, or of a record of chunks, that nobody has seen yet

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkResult:
        while not self._ended:
            if self._is_winding_up:
                self._raise_failure()
                raise StopAsyncIteration
            if self._production is None:
                self._production = asyncio.create_task(self._produce())
            self._news.clear()
            self._reap()
            self._start_what_may_leave()
            if self._ended:
                break
            if self._in_flight or not (self._must_stop or (self._production.done() and not self._ready)):
                await self._news.wait()
            else:
                await self._wind_up()
        return self._ended.popleft()

    def stop(self) -> None:
        """Send nothing more; what is in flight ends, and its results are handed out."""
        self._is_stopping = True
        self._news.set()

    async def aclose(self) -> None:
        """End the run: rows in flight become unknown, rows that had not left unsent."""
        await self._wind_up()

    def take_ended(self) -> list[ChunkResult]:
        """The chunks that have ended and that nobody has been handed yet: for a run that was left early."""
        ended, self._ended = [*self._ended], deque()
        return ended

    @property
    def _must_stop(self) -> bool:
        return self._is_stopping or self.result.stopped_by is not None or self._failure is not None

    async def _produce(self) -> None:
        try:
            await self._producer.run()
        except BaseException as failure:
            if self._is_winding_up:
                raise
            # The caller's iterator may raise anything, also that something it awaited was cancelled.
            self._failure = failure
        finally:
            self._news.set()

    async def _hand_on(self, chunk: Chunk) -> None:
        """Put a chunk where it is sent from; wait while more than one is there."""
        self._ready.append(chunk)
        self._news.set()
        if self._is_winding_up:
            raise asyncio.CancelledError  # an input that goes on although it was cancelled
        while len(self._ready) > 1:
            self._room.clear()
            await self._room.wait()

    def _start_what_may_leave(self) -> None:
        while self._ready and not self._must_stop:
            chunk = self._ready[0]
            is_task = bool(chunk.rows) or self._ledger is not None
            if is_task and not self._may_leave(chunk):
                return
            self._ready.popleft()
            self._room.set()
            if is_task:
                self._start(chunk)
            else:
                self._end(Account(chunk))

    def _may_leave(self, chunk: Chunk) -> bool:
        """Whether there is a place, and nothing in flight shares a key with it."""
        return len(self._in_flight) < self._concurrency and all(
            chunk.keys.isdisjoint(account.chunk.keys) for account in self._in_flight.values()
        )

    def _start(self, chunk: Chunk) -> None:
        is_verified = self._is_verified and bool(chunk.rows) and not chunk.is_keyed
        account = Account(chunk, isolation=self._isolation, is_verified=is_verified)
        deliver = self._courier.deliver(account) if self._ledger is None else self._record(account, self._ledger)
        task = asyncio.create_task(deliver)
        task.add_done_callback(lambda _: self._news.set())
        self._in_flight[task] = account

    async def _record(self, account: Account, ledger: Ledger) -> None:
        """Deliver what earlier runs have left of a chunk, and keep a record of it, whatever happens."""
        recorded = await ledger.begin(account.chunk)
        if recorded is not None:
            account.resume(recorded)
            if account.is_settled:
                return
        try:
            await self._courier.deliver(account)
        finally:
            account.give_up()
            await ledger.end(account.result)

    def _reap(self) -> None:
        """Take the accounts of the chunks that have ended."""
        for task in [task for task in self._in_flight if task.done()]:
            account = self._in_flight.pop(task)
            account.give_up()  # only a cancellation, or a fault of ours, has left rows
            if not task.cancelled() and task.exception() is not None:
                self._failure = self._failure or task.exception()
            self._end(account)

    def _end(self, account: Account) -> None:
        self.result.add(account.result)
        self._ended.append(account.result)
        if account.result.error is not None and refuses_everything(account.result.error):
            self.result.stopped_by = self.result.stopped_by or account.result.error
        self._news.set()

    async def _wind_up(self) -> None:
        """End what still runs, and account for the rows that were taken from the input and will not leave.

        A cancellation meanwhile waits until every row is accounted for.
        """
        if not self._is_winding_up:
            is_read = self._production is not None and self._production.done() and self._failure is None
            self.came_to_end = is_read and not self._ready and not self._in_flight
        is_unread = self._production is None and not self._is_winding_up
        self._is_winding_up = True
        if is_unread:
            await self._producer.close()
        tasks = {*self._in_flight, *filter(None, [self._production])}
        is_cancelled = False
        while running := {task for task in tasks if not task.done()}:
            for task in running:
                task.cancel()
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError:
                is_cancelled = True
        self._reap()
        self._chunker.end()
        self._ready += self._chunker.due()
        while self._ready:
            account = Account(self._ready.popleft())
            account.settle(account.chunk.rows, Outcome.UNSENT, self._why_unsent())
            self._end(account)
        if is_cancelled:
            raise asyncio.CancelledError

    def _why_unsent(self) -> str:
        if self.result.stopped_by is not None:
            return "not sent: Planhat had refused everything before"
        return "not sent: the run ended first"

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
