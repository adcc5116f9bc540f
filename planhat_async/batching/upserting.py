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
import functools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import attrs

from planhat_async.batching.answers import Account
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

Send = Callable[[bytes, bool], Awaitable[tuple[int, Any]]]
"""Sends a body, given whether it may be repeated; returns the status (2xx, 400 or 403) and the decoded answer."""

Prepare = Callable[[int, Any], Row]
"""Makes a row of what the caller handed in, given its position; ValueError or TypeError where it must not be sent."""

_MAX_REQUESTS = 100
"""Requests that one chunk may take, halves and repeats without refused rows included."""
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
        self._in_flight: set[asyncio.Task[None]] = set()
        self._keys_in_flight: set[Key] = set()
        self._ended: deque[ChunkResult] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._producer: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkResult:
        if self._producer is None:
            self._producer = asyncio.create_task(self._produce())
        while not self._ended:
            self._news.clear()
            self._start_what_may_leave()
            if self._ended:
                break
            if not self._in_flight and (self._must_stop or (self._producer.done() and not self._ready)):
                await self._wind_up()
                if not self._ended:
                    self._raise_failure()
                    raise StopAsyncIteration
            else:
                await self._news.wait()
        return self._ended.popleft()

    async def aclose(self) -> None:
        """End the run: rows in flight become unknown, rows that had not left unsent."""
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)
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
                    while len(self._ready) > 1:
                        self._news.set()
                        self._room.clear()
                        await self._room.wait()
            self._ready += self._chunker.flush()
        except Exception as failure:  # noqa: BLE001 - the caller's iterator may raise anything: it goes back to the caller
            self._failure = failure
        finally:
            self._news.set()

    def _take(self, position: int, item: Any) -> list[Chunk]:
        try:
            return self._chunker.feed(self._prepare(position, item))
        except (ValueError, TypeError) as error:
            return self._chunker.refuse(Problem(outcome=Outcome.INVALID, reason=str(error), position=position))

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
        self._in_flight.add(task)
        task.add_done_callback(functools.partial(self._on_done, account))

    def _on_done(self, account: Account, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._keys_in_flight -= account.chunk.keys
        # Only a cancellation, a fault of ours or an endless refusal leaves rows here.
        outcome = Outcome.UNKNOWN if account.n_requests else Outcome.UNSENT
        for rows in account.left:
            account.settle(rows, outcome, "given up before its answer came")
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
        for account.n_requests in range(1, _MAX_REQUESTS + 1):
            again = await self._send_once(account, account.left[-1])
            account.left.pop()
            account.left += [part for part in reversed(again) if part]
            if not account.left:
                return

    async def _send_once(self, account: Account, rows: Rows) -> list[Rows]:
        """Make one request; returns the rows still to be sent, in the order to send them."""
        is_keyed = account.chunk.is_keyed
        try:
            status, answer = await self._send(body_of(rows), is_keyed)
        except PayloadTooLargeError as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                return [rows[:middle], rows[middle:]]
            account.fail(rows, error, Outcome.REJECTED)
        except PlanhatError as error:
            account.fail(rows, error, _outcome_of(error))
        else:
            return [account.read(rows, status, answer)]
        return []

    async def _wind_up(self) -> None:
        """Account for the rows that were taken from the input and will not leave."""
        if self._producer is not None:
            self._producer.cancel()
            await asyncio.gather(self._producer, return_exceptions=True)
        self._ready += self._chunker.flush()
        while self._ready:
            account = Account(self._ready.popleft())
            account.settle(account.chunk.rows, Outcome.UNSENT, self._why_unsent())
            self._end(account)

    def _why_unsent(self) -> str:
        if self.result.stopped_by is not None:
            return "not sent: Planhat had refused everything before"
        return "not sent: the run ended first"

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


async def _numbered(rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[tuple[int, Any], None]:
    if isinstance(rows, AsyncIterable):
        position = 0
        async for row in rows:
            yield position, row
            position += 1
    else:
        for numbered in enumerate(rows):
            yield numbered


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
