"""Sends rows to the analytics host, and accounts for each of them.

One task, the producer, takes rows from the input, has each checked and encoded once, and cuts chunks by rules that
depend on the input alone. Chunks begin in the order of the input, each in a task of its own, at most `concurrency` at
a time; with more than one they may arrive in another order. The producer is one chunk ahead, so a fast input waits for
the network.

No chunk is repeated if Planhat may have received it: an activity that is sent twice counts twice, and it is not
documented what a metric does. Its rows are *unknown*. A chunk that is too large for Planhat is sent in halves. After a
refusal of everything (no server, a wrong UUID) nothing more is sent.

Whenever a run ends, by the end of the input, an exception of the caller's iterator, cancellation or leaving the
`async with`, `run.result` holds every row that was taken from the input, in exactly one outcome.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Protocol, Self

import attrs

from planhat_async._convert import encode_plain, split_rows
from planhat_async.analytics.outgoing_chunks import OutgoingChunk, OutgoingChunker, Part, split_positions
from planhat_async.analytics.send_account import SendAccount
from planhat_async.analytics.send_answers import Answer, ItemFields, account_of
from planhat_async.analytics.send_result import SendChunkResult, SendCounts, SendResult
from planhat_async.batching.chunks import Row
from planhat_async.batching.concurrent_calls import cancel_all
from planhat_async.batching.input_producer import InputProducer, Prepare
from planhat_async.batching.request_failures import refuses_everything
from planhat_async.errors import PlanhatError
from planhat_async.records.arguments import valid, whole
from planhat_async.results import Unreadable

MAX_ITEMS = 150_000
"""Items that Planhat accepts in a call: "about" as many, by its documentation."""
MAX_BYTES = 32_000_000
"""Bytes that Planhat accepts in a call: 32 MB, by its documentation."""


@attrs.frozen(kw_only=True)
class SendSettings:
    """How rows are cut and sent; `SendOptions` documents each option."""

    chunk_size: int = attrs.field(default=10_000, validator=valid(whole(1, MAX_ITEMS)))
    max_bytes: int = attrs.field(default=8_000_000, validator=valid(whole(3, MAX_BYTES)))
    concurrency: int = attrs.field(default=1, validator=valid(whole(1)))


class Post(Protocol):
    """Sends one body."""

    def __call__(
        self, body: bytes, *, on_sent: Callable[[], None], on_not_processed: Callable[[], None]
    ) -> Awaitable[Answer]:
        """Send a body; returns what a 2xx answer says, raises any other.

        Args:
            body: The rows as a JSON array.
            on_sent: Called each time the body is about to be sent.
            on_not_processed: Called when it turns out that no attempt so far was processed.
        """
        ...


class SendRun:
    """Rows on their way to the analytics host: iterate over it for the results of chunks as they end.

    Use it in `async with`; leaving the block ends the run and cancels what is in flight.
    """

    def __init__(
        self,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        prepare: Prepare,
        post: Post,
        fields: ItemFields,
        settings: SendSettings,
    ) -> None:
        self.result: SendResult = SendResult()
        """The result so far; complete once the run has ended, however it ended."""
        self.came_to_end: bool = False
        """Whether the input was read to its end, and every chunk was sent and ended."""
        self._post = post
        self._fields = fields
        self._concurrency = settings.concurrency
        self._chunker = OutgoingChunker(chunk_size=settings.chunk_size, max_bytes=settings.max_bytes)
        self._producer = InputProducer(rows, prepare, self._chunker, self._hand_on)
        self._production: asyncio.Task[None] | None = None
        self._ready: deque[OutgoingChunk] = deque()
        self._in_flight: dict[asyncio.Task[None], SendAccount] = {}
        self._ended: deque[SendChunkResult] = deque()
        self._has_changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._failure: BaseException | None = None
        self._is_stopping = self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
        if kind is None:
            self._raise_failure()  # of the input, if the iteration has not raised it

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SendChunkResult:
        while not self._ended:
            if self._is_closed:
                self._raise_failure()
                raise StopAsyncIteration
            if self._production is None:
                self._production = asyncio.create_task(self._produce())
            self._has_changed.clear()
            self._collect_ended()
            self._send_ready()
            if self._ended:
                break
            has_more = not self._production.done() or self._ready
            if self._in_flight or (has_more and not self._is_stopping):
                await self._has_changed.wait()
            else:
                await self.aclose()
        return self._ended.popleft()

    def stop(self) -> None:
        """Send nothing more; what is in flight ends, and its results are handed out."""
        self._is_stopping = True
        self._has_changed.set()

    async def aclose(self) -> None:
        """End the run: rows in flight become unknown, rows that were not sent unsent.

        A cancellation meanwhile is raised once every row has an outcome.
        """
        was_closed, self._is_closed = self._is_closed, True
        self._has_room.set()
        if not was_closed and self._production is None:
            await self._producer.close()
        elif not was_closed and self._production is not None:
            is_read = self._production.done() and self._failure is None
            self.came_to_end = is_read and not self._ready and not self._in_flight
        is_cancelled = await cancel_all([*self._in_flight, *([self._production] if self._production else [])])
        self._collect_ended()
        self._chunker.end_input()
        self._ready += self._chunker.due()
        why = "the run ended first" if self.result.stopped_by is None else "an error had stopped the run before"
        while self._ready:
            account = SendAccount(self._ready.popleft())
            account.give_up(f"not sent: {why}")
            self._end_chunk(account)
        if is_cancelled:
            raise asyncio.CancelledError

    async def _produce(self) -> None:
        try:
            await self._producer.run()
        except BaseException as failure:
            if self._is_closed:
                raise
            # The caller's iterator may raise anything, also that something it awaited was cancelled.
            self._fail(failure)
        finally:
            self._has_changed.set()

    async def _hand_on(self, chunk: OutgoingChunk) -> None:
        """Queue a chunk to be sent; wait while another is queued."""
        self._ready.append(chunk)
        self._has_changed.set()
        if self._is_closed:
            raise asyncio.CancelledError  # an input that goes on although it was cancelled
        while len(self._ready) > 1:
            self._has_room.clear()
            await self._has_room.wait()

    def _send_ready(self) -> None:
        """Begin the chunks that may be sent now."""
        while self._ready and not self._is_stopping and len(self._in_flight) < self._concurrency:
            account = SendAccount(self._ready.popleft())
            self._has_room.set()
            if not account.pending:
                self._end_chunk(account)
                continue
            task = asyncio.create_task(self._send_chunk(account))
            task.add_done_callback(lambda _: self._has_changed.set())
            self._in_flight[task] = account

    async def _send_chunk(self, account: SendAccount) -> None:
        """Send a chunk, in as many requests as it takes, and account for each of its rows."""
        while account.pending:
            part = account.pending[0]
            try:
                answer = await self._post(
                    part.body, on_sent=account.mark_sent, on_not_processed=account.mark_not_processed
                )
            except PlanhatError as error:
                if account.needs_halves(error):
                    account.mark_not_processed()
                    account.replace(await _halves_of(part))
                else:
                    account.fail(error)
                continue
            found = SendCounts()
            for _ in account_of(answer, part, self._fields, found):
                await asyncio.sleep(0)
            account.settle(found)

    def _collect_ended(self) -> None:
        """End the chunks that are no longer in flight."""
        for task in [task for task in self._in_flight if task.done()]:
            account = self._in_flight.pop(task)
            account.give_up("not sent: the run ended first")  # rows are left only after a cancellation or a bug
            if not task.cancelled() and (failure := task.exception()) is not None:
                self._fail(failure)
            self._end_chunk(account)

    def _end_chunk(self, account: SendAccount) -> None:
        result = account.result
        self.result.add(result)
        self._ended.append(result)
        if result.error is not None and refuses_everything(result.error):
            self.result.stopped_by = self.result.stopped_by or result.error
            self.stop()
        self._has_changed.set()

    def _fail(self, failure: BaseException) -> None:
        """Stop after a failure of the input, which is raised at the end."""
        self._failure = self._failure or failure
        self.stop()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def preparing(write: Callable[[Any], dict[str, Any]]) -> Prepare:
    """A function that checks and encodes one row."""

    def prepare(position: int, item: Any) -> Row:
        if type(item) is Unreadable:
            raise ValueError(item.reason)
        return Row(position, (), encode_plain(write(item)))

    return prepare


async def _halves_of(part: Part) -> tuple[Part, Part]:
    """The two halves of a part; other tasks run meanwhile."""
    rows: list[bytes] = []
    for some in split_rows([part.body]):
        rows += some
        await asyncio.sleep(0)
    middle = len(rows) // 2
    before, after = split_positions(part.positions, middle)
    return (
        Part(body=b"[" + b",".join(rows[:middle]) + b"]", n_rows=middle, positions=before),
        Part(body=b"[" + b",".join(rows[middle:]) + b"]", n_rows=len(rows) - middle, positions=after),
    )
