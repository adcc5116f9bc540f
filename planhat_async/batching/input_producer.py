"""Reads rows from the input, checks and encodes each once, and cuts them into chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import attrs

from planhat_async._convert import AT_END, IS_FULL, printable
from planhat_async.batching.block_feeder import BlockFeeder
from planhat_async.batching.chunks import Row
from planhat_async.batching.row_inputs import refusal_of_text
from planhat_async.results import Outcome, Problem

Prepare: TypeAlias = Callable[[int, Any], Row]
"""`(position, item) -> Row`. Raises ValueError or TypeError if the item must not be sent."""

_BYTES_PER_TURN = 2**18
"""Four times as many make an upsert 5 % slower: the bodies being sent fall out of the CPU's caches."""
_BYTES_OF_ANY_ROW = 2500
"""The fixed cost of a row, as the number of bytes that take as long to encode."""

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")


class Cutter(Protocol[C_co]):
    """Cuts rows into chunks; see `Chunker`."""

    @property
    def has_due(self) -> bool:
        """Whether a chunk may be handed on."""
        ...

    def feed(self, row: Row, /) -> None:
        """Add a row."""
        ...

    def refuse(self, problem: Problem, /) -> None:
        """Add a row that must not be sent."""
        ...

    def objection_to(self, row: Row, /) -> Problem | None:
        """Why a row cannot be added, if it cannot."""
        ...

    def end_input(self) -> None:
        """Note that there are no more rows."""
        ...

    def due(self) -> Iterator[C_co]:
        """Hand out the chunks that are due."""
        ...


@runtime_checkable
class ReadsAhead(Protocol):
    """An input that takes rows before they are asked for."""

    def rows_taken_ahead(self) -> Iterable[Any]:
        """Remove and return the rows that were not handed on; called once the input is closed."""
        ...


@attrs.define
class InputProducer(Generic[C]):
    """Feeds an input to a chunker, and hands on the chunks that it cuts.

    Other tasks run after some hundred rows or a quarter of a megabyte.
    """

    rows: Iterable[Any] | AsyncIterable[Any]
    """The input; a generator, or an asynchronous iterator that has `aclose`, is closed however the run ends."""
    prepare: Prepare
    """Checks and encodes a row."""
    chunker: Cutter[C]
    hand_on: Callable[[C], Awaitable[None]]
    """Takes a chunk; the input waits until it returns."""
    is_strict: bool = False
    """Whether an invalid row is an error."""
    feeder: BlockFeeder | None = None
    """Feeds the chunker the rows that need no more than a quick check; not used in a strict run."""
    _bytes_left: int = _BYTES_PER_TURN
    """Bytes until other tasks run."""
    _n_taken: int = 0
    """Rows that were taken from an asynchronous input."""

    async def run(self) -> None:
        """Read the whole input.

        Raises:
            ValueError: In a strict run, a row is invalid: raised before any is sent if the input is a sequence.
            TypeError: A row is text, so the input does not yield rows.
            Exception: The input's own error.
        """
        rows = self.rows
        if self.is_strict and isinstance(rows, Sequence):
            await self._check_rows(rows)
        stream = aiter(rows) if isinstance(rows, AsyncIterable) else iter(rows)
        try:
            await (self._feed_async(stream) if isinstance(stream, AsyncIterator) else self._feed_all(stream))
            self.chunker.end_input()
            await self._pause()
        finally:
            await _close(stream)
            self._account_for_rows_ahead(stream)

    async def close(self) -> None:
        """Close an input that was not read."""
        await _close(self.rows)

    async def _feed_all(self, rows: Iterator[Any]) -> None:
        if self.feeder is None or self.is_strict:
            await self._feed_singly(rows)
            return
        feeder, position, left = self.feeder, 0, IS_FULL
        while left is not AT_END:
            if feeder.n_single:
                n_rows, feeder.n_single = feeder.n_single, 0
                position = await self._feed_singly(islice(rows, n_rows), position)
            feeder.begin(position)
            try:
                left = feeder.take(rows)
            except BaseException:
                self._feed_block(feeder)
                raise
            position = await self._end_block(feeder, position, left)

    async def _feed_singly(self, rows: Iterable[Any], position: int = 0) -> int:
        """Feed rows one by one; returns the position after them."""
        chunker = self.chunker
        for item in rows:
            self._feed(position, item)
            position += 1
            if chunker.has_due or self._bytes_left < 0:
                await self._pause()
        return position

    async def _feed_async(self, rows: AsyncIterator[Any]) -> None:
        feeder = None if self.is_strict else self.feeder
        if feeder is None:
            async for item in rows:
                position, self._n_taken = self._n_taken, self._n_taken + 1
                await self._feed_singly((item,), position)
            return
        try:
            await self._feed_async_blocks(rows, feeder)
        except BaseException:
            self._feed_block(feeder)
            raise

    async def _feed_async_blocks(self, rows: AsyncIterator[Any], feeder: BlockFeeder) -> None:
        position = n_single = 0
        feeder.begin(position)
        async for item in rows:
            self._n_taken += 1
            if n_single:
                n_single -= 1
                position = await self._feed_singly((item,), position)
                continue
            if feeder.is_empty:
                feeder.begin(position)
            left = feeder.take(iter((item,)))
            if left is not AT_END:  # there it means that the block has room for more
                position = await self._end_block(feeder, position, left)
                n_single, feeder.n_single = feeder.n_single, 0
        await self._end_block(feeder, position, AT_END)

    def _feed_block(self, feeder: BlockFeeder) -> None:
        """Feed a block after a failure: the rows were taken from the input."""
        for row in feeder.end().rows:
            self.chunker.feed(row)

    async def _end_block(self, feeder: BlockFeeder, position: int, left: Any) -> int:
        """Feed a block and the row after it to the chunker; returns the position of the next row.

        Args:
            feeder: It has the block.
            position: The position of the block's first row.
            left: What ended the block: a row that is not in it, or a mark.
        """
        n_rows, n_bytes, rows = feeder.end()
        self._bytes_left -= n_bytes
        rest = iter(rows)
        try:
            for row in rest:
                self.chunker.feed(row)
                if self.chunker.has_due:
                    await self._pause()
        finally:  # a cancellation must not lose rows that were taken from the input
            for row in rest:
                self.chunker.feed(row)
            position += n_rows
            if left is not IS_FULL and left is not AT_END:
                self._feed(position, left)
                position += 1
        if self.chunker.has_due or self._bytes_left < 0:
            await self._pause()
        return position

    def _account_for_rows_ahead(self, rows: Any) -> None:
        """Count the rows that an input took from its own source and did not hand on before the run ended."""
        if isinstance(rows, ReadsAhead):
            for position, item in enumerate(rows.rows_taken_ahead(), self._n_taken):
                with suppress(Exception):  # it is counted, and the run has ended
                    self._feed(position, item)

    async def _check_rows(self, rows: Iterable[Any]) -> None:
        """Prepare all rows and keep none: an invalid row is found before anything is sent."""
        for position, item in enumerate(rows):
            try:
                row = self.prepare(position, item)
            except (ValueError, TypeError) as error:
                raise _refusal(_invalid(position, error), item) from None
            if problem := self.chunker.objection_to(row):
                raise _refusal(problem, item)
            self._bytes_left -= _BYTES_OF_ANY_ROW + len(row.data)
            if self._bytes_left < 0:
                await self._pause()

    def _feed(self, position: int, item: Any) -> None:
        """Add a row to a chunk, or to the invalid rows: from here on it is accounted for."""
        try:
            row = self.prepare(position, item)
        except (ValueError, TypeError) as error:
            self._bytes_left -= _BYTES_OF_ANY_ROW
            self._refuse(_invalid(position, error), item)
        except Exception as fault:
            # It ends the run, but the row was taken from the input.
            reason = printable(f"its check failed: {fault!r}")
            self.chunker.refuse(Problem(outcome=Outcome.UNSENT, reason=reason, position=position))
            raise
        else:
            self._bytes_left -= _BYTES_OF_ANY_ROW + len(row.data)
            if self.is_strict and (problem := self.chunker.objection_to(row)):
                self._refuse(problem, item)
            else:
                self.chunker.feed(row)

    def _refuse(self, problem: Problem, item: Any) -> None:
        """Count an invalid row; end a strict run, or one whose input does not yield rows."""
        self.chunker.refuse(problem)
        if self.is_strict or refusal_of_text(problem.position or 0, item):
            raise _refusal(problem, item) from None

    async def _pause(self) -> None:
        """Hand on the chunks that are due, and let other tasks run if it is their turn."""
        for chunk in self.chunker.due():
            await self.hand_on(chunk)
        if self._bytes_left < 0:
            self._bytes_left = _BYTES_PER_TURN
            await asyncio.sleep(0)


def _invalid(position: int, error: Exception) -> Problem:
    return Problem(outcome=Outcome.INVALID, reason=printable(str(error)), position=position)


def _refusal(problem: Problem, item: Any) -> Exception:
    """The error that ends a run for an invalid row."""
    reason = refusal_of_text(problem.position or 0, item)
    return TypeError(reason) if reason else ValueError(f"row {problem.position}: {problem.reason}")


async def _close(rows: Any) -> None:
    if isinstance(rows, Generator):
        rows.close()
    elif isinstance(rows, AsyncIterator) and (aclose := getattr(rows, "aclose", None)) is not None:
        await aclose()
