"""Sends the chunks of an upsert, and keeps account of every row.

One task, the producer, takes rows from the input, has each checked and encoded, and cuts chunks. It is ahead by
one chunk at most, so a fast input waits for a slow network. Up to `concurrency` chunks are in flight, each in a
task of its own; a chunk that shares a key with one in flight waits until that has ended, so writes to one key
arrive in the order of the input. Chunks are sent in the order they were cut; they end in any order, and each
one's account is handed out as it ends.

On failure: what Planhat says of single rows is read into the account (`answers.py`). A chunk whose answer never
came is *unknown*; the session has already repeated it where every row has a key. A chunk too large for Planhat
is halved. After a refusal of everything (a wrong token, no server) nothing more is sent, and the rows taken so
far that had not left are *unsent*.

Whenever a run ends, by the end of the input, an exception of the caller's iterator, cancellation or leaving the
`async with`, `run.result` holds every row that was taken from the input, in exactly one outcome: rows in flight
at a cancellation are unknown, rows that had not left are unsent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import attrs

from planhat_async.batching.answers import Account, Answer
from planhat_async.batching.chunking import Chunk, Chunker, Key, Row, body_of
from planhat_async.errors import (
    BadRequestError,
    DecodeError,
    NotSentError,
    PayloadTooLargeError,
    PlanhatError,
    RateLimitedError,
    ServerError,
    StatusError,
)
from planhat_async.results import ChunkResult, Outcome, Problem, UpsertResult

Rows = tuple[Row, ...]

Send = Callable[[bytes, bool, Callable[[bool], None]], Awaitable[Answer]]
"""Sends a body, given whether it may be repeated, and whom to tell whether it has left; returns an answer that is 2xx,
or one that says something of single rows."""

Prepare = Callable[[int, Any], Row]
"""Makes a row of what the caller handed in, given its position; ValueError or TypeError where it must not be sent."""

_ROWS_PER_TURN = 100


@attrs.frozen(kw_only=True)
class ChunkOptions:
    """How rows are cut and sent."""

    chunk_size: int = attrs.field(default=5000, validator=[attrs.validators.ge(1), attrs.validators.le(5000)])
    max_bytes: int = attrs.field(default=8_000_000, validator=[attrs.validators.ge(1), attrs.validators.le(30_000_000)])
    concurrency: int = attrs.field(default=4, validator=attrs.validators.ge(1))


class UpsertRun:
    """One upsert while it runs: iterate over it for the chunks' results as they end.

    Use it in `async with`; leaving the block ends it, whatever is still under way.

    Attributes:
        result: The account so far; complete once the run has ended, however it ended.
    """

    def __init__(
        self, rows: Iterable[Any] | AsyncIterable[Any], *, prepare: Prepare, send: Send, options: ChunkOptions
    ) -> None:
        self.result = UpsertResult()
        self._rows = rows
        self._prepare = prepare
        self._send = send
        self._options = options
        self._chunker = Chunker(chunk_size=options.chunk_size, max_bytes=options.max_bytes)
        self._ready: deque[Chunk] = deque()
        self._in_flight: dict[asyncio.Task[None], Account] = {}
        self._keys_in_flight: set[Key] = set()
        self._ended: deque[ChunkResult] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._producer: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._is_winding_up = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkResult:
        while not self._ended:
            if self._is_winding_up:
                self._raise_failure()
                raise StopAsyncIteration
            if self._producer is None:
                self._producer = asyncio.create_task(self._produce())
            self._news.clear()
            self._reap()
            self._start_what_may_leave()
            if self._ended:
                break
            if self._in_flight or not (self._must_stop or (self._producer.done() and not self._ready)):
                await self._news.wait()
            else:
                await self._wind_up()
        return self._ended.popleft()

    async def aclose(self) -> None:
        """End the run: rows in flight become unknown, rows that had not left unsent."""
        await self._wind_up()

    @property
    def _must_stop(self) -> bool:
        return self.result.stopped_by is not None or self._failure is not None

    async def _produce(self) -> None:
        """Take rows from the input and cut them, one chunk ahead."""
        try:
            async with aclosing(_numbered(self._rows)) as items:
                async for position, item in items:
                    self._ready += self._take(position, item)
                    if position % _ROWS_PER_TURN == 0:
                        await asyncio.sleep(0)
                    if self._ready:
                        self._news.set()
                    while len(self._ready) > 1:
                        self._room.clear()
                        await self._room.wait()
            self._ready += self._chunker.flush()
        except BaseException as failure:
            if self._is_winding_up:
                raise
            # The caller's iterator may raise anything, also that something it awaited was cancelled.
            self._failure = failure
        finally:
            self._news.set()

    def _take(self, position: int, item: Any) -> list[Chunk]:
        try:
            row = self._prepare(position, item)
        except (ValueError, TypeError) as error:
            return self._chunker.refuse(Problem(outcome=Outcome.INVALID, reason=str(error), position=position))
        except Exception as fault:
            # It ends the run; the row was taken all the same.
            self._ready += self._chunker.refuse(
                Problem(outcome=Outcome.UNSENT, reason=f"its check failed: {fault!r}", position=position)
            )
            raise
        return self._chunker.feed(row)

    def _start_what_may_leave(self) -> None:
        while self._ready and not self._must_stop:
            chunk = self._ready[0]
            has_place = len(self._in_flight) < self._options.concurrency
            if chunk.rows and not (has_place and self._keys_in_flight.isdisjoint(chunk.keys)):
                return
            self._ready.popleft()
            self._room.set()
            if chunk.rows:
                self._start(chunk)
            else:
                self._end(Account(chunk))

    def _start(self, chunk: Chunk) -> None:
        account = Account(chunk)
        self._keys_in_flight |= chunk.keys
        task = asyncio.create_task(self._deliver(account))
        task.add_done_callback(lambda _: self._news.set())
        self._in_flight[task] = account

    def _reap(self) -> None:
        """Take the accounts of the chunks that have ended."""
        for task in [task for task in self._in_flight if task.done()]:
            account = self._in_flight.pop(task)
            self._keys_in_flight -= account.chunk.keys
            account.give_up()  # only a cancellation, or a fault of ours, has left rows
            if not task.cancelled() and task.exception() is not None:
                self._failure = self._failure or task.exception()
            self._end(account)

    def _end(self, account: Account) -> None:
        self.result.add(account.result)
        self._ended.append(account.result)
        if account.result.error is not None and _refuses_everything(account.result.error):
            self.result.stopped_by = self.result.stopped_by or account.result.error
        self._news.set()

    async def _deliver(self, account: Account) -> None:
        """Send a chunk, in as many requests as it takes, and settle each of its rows."""
        while account.left:
            parts = await self._send_once(account, account.left[-1])
            account.left.pop()
            account.left += [part for part in reversed(parts) if part]

    async def _send_once(self, account: Account, rows: Rows) -> list[Rows]:
        """Make one request; returns the rows still to be sent, in the order to send them."""
        try:
            answer = await self._send(body_of(rows), account.chunk.is_keyed, account.leave)
        except PayloadTooLargeError as error:
            account.has_left = error.may_have_been_processed
            if len(rows) > 1:
                middle = len(rows) // 2
                return [rows[:middle], rows[middle:]]
            account.fail(rows, error, _outcome_of(error))
            account.refuse_as_too_large()
        except PlanhatError as error:
            account.fail(rows, error, _outcome_of(error))
        else:
            again = account.read(rows, answer)
            account.has_left = bool(again)
            return [again]
        account.has_left = False
        return []

    async def _wind_up(self) -> None:
        """End what still runs, and account for the rows that were taken from the input and will not leave.

        A cancellation meanwhile waits until every row is accounted for.
        """
        self._is_winding_up = True
        tasks = {*self._in_flight, *filter(None, [self._producer])}
        is_cancelled = False
        while running := {task for task in tasks if not task.done()}:
            for task in running:
                task.cancel()
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError:
                is_cancelled = True
        self._reap()
        self._ready += self._chunker.flush()
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


async def _numbered(rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[tuple[int, Any], None]:
    """Yield the rows with their positions; a generator is closed at the end, also an early one."""
    try:
        if isinstance(rows, AsyncIterable):
            position = 0
            async for row in rows:
                yield position, row
                position += 1
        else:
            for numbered in enumerate(rows):
                yield numbered
    finally:
        if isinstance(rows, AsyncGenerator):
            await rows.aclose()
        elif isinstance(rows, Generator):
            rows.close()


def _outcome_of(error: PlanhatError) -> Outcome:
    if error.may_have_been_processed or isinstance(error, DecodeError):
        return Outcome.UNKNOWN
    if isinstance(error, NotSentError | RateLimitedError):
        return Outcome.UNSENT
    return Outcome.REJECTED


def _refuses_everything(error: PlanhatError) -> bool:
    """Whether the next chunk would fare no better."""
    if isinstance(error, ServerError | BadRequestError | PayloadTooLargeError):
        return False
    return isinstance(error, StatusError | NotSentError)
