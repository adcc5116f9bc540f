"""Takes rows from the input, has each checked and encoded once, and cuts chunks of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import attrs

from planhat_async._convert import printable
from planhat_async.batching.chunker import Chunker
from planhat_async.batching.chunks import Chunk, Row
from planhat_async.batching.row_inputs import refusal_of_text
from planhat_async.results import Outcome, Problem

Prepare: TypeAlias = Callable[[int, Any], Row]
"""Makes a row of what the caller handed in, given its position; ValueError or TypeError where it must not be sent."""

_BYTES_PER_TURN = 2**18
"""Four times as many make an upsert a twentieth slower: what is being sent falls out of the CPU's caches."""
_BYTES_OF_ANY_ROW = 2500
"""What a row costs besides its bytes, in what it takes to encode so many."""


@attrs.define
class InputProducer:
    """Feeds an input to a chunker, and hands on what that cuts.

    Others have the event loop after some hundred rows or a quarter of a megabyte.

    Args:
        rows: The input; a generator, and any asynchronous iterator that has `aclose`, is closed at the end, also an
            early one.
        prepare: Checks and encodes a row.
        chunker: Cuts chunks.
        hand_on: Takes a chunk; the input waits as long as that takes.
        is_strict: Whether a row that must not be sent is an error.
    """

    rows: Iterable[Any] | AsyncIterable[Any]
    prepare: Prepare
    chunker: Chunker
    hand_on: Callable[[Chunk], Awaitable[None]]
    is_strict: bool = False
    _bytes_left: int = _BYTES_PER_TURN
    """Until others have their turn."""

    async def run(self) -> None:
        """Take the whole input.

        Raises:
            ValueError: Of a strict run, that a row must not be sent: before any is taken where the input is a sequence.
            TypeError: A row is text: the input yields something else than rows.
            Exception: The input's own error.
        """
        rows = self.rows
        if self.is_strict and isinstance(rows, Sequence):
            await self._check(rows)
        stream = aiter(rows) if isinstance(rows, AsyncIterable) else iter(rows)
        try:
            await (self._take_stream(stream) if isinstance(stream, AsyncIterator) else self._take_all(stream))
            self.chunker.end()
            await self._pause()
        finally:
            await _close(stream)

    async def close(self) -> None:
        """Close an input of which nothing is to be taken."""
        await _close(self.rows)

    async def _take_all(self, rows: Iterator[Any]) -> None:
        chunker = self.chunker
        for position, item in enumerate(rows):
            self._take(position, item)
            if chunker.has_due or self._bytes_left < 0:
                await self._pause()

    async def _take_stream(self, rows: AsyncIterator[Any]) -> None:
        position = 0
        async for item in rows:
            self._take(position, item)
            position += 1
            if self.chunker.has_due or self._bytes_left < 0:
                await self._pause()

    async def _check(self, rows: Iterable[Any]) -> None:
        """Prepare all rows, and keep none: to find what is wrong before anything is sent."""
        for position, item in enumerate(rows):
            try:
                row = self.prepare(position, item)
            except (ValueError, TypeError) as error:
                if reason := refusal_of_text(position, item):
                    raise TypeError(reason) from None
                raise ValueError(f"row {position}: {error}") from None
            if problem := self.chunker.objection_to(row):
                raise ValueError(f"row {position}: {problem.reason}")
            self._bytes_left -= _BYTES_OF_ANY_ROW + len(row.data)
            if self._bytes_left < 0:
                await self._pause()

    def _take(self, position: int, item: Any) -> None:
        """Take a row: from here on it is accounted for."""
        try:
            row = self.prepare(position, item)
        except (ValueError, TypeError) as error:
            self._bytes_left -= _BYTES_OF_ANY_ROW
            invalid = Problem(outcome=Outcome.INVALID, reason=printable(str(error)), position=position)
            if reason := refusal_of_text(position, item):
                self.chunker.refuse(invalid)
                raise TypeError(reason) from None
            self._refuse(invalid)
            return
        except Exception as fault:
            # It ends the run; the row was taken all the same.
            reason = printable(f"its check failed: {fault!r}")
            self.chunker.refuse(Problem(outcome=Outcome.UNSENT, reason=reason, position=position))
            raise
        self._bytes_left -= _BYTES_OF_ANY_ROW + len(row.data)
        if self.is_strict and (problem := self.chunker.objection_to(row)):
            self._refuse(problem)
        else:
            self.chunker.feed(row)

    def _refuse(self, problem: Problem) -> None:
        self.chunker.refuse(problem)
        if self.is_strict:
            raise ValueError(f"row {problem.position}: {problem.reason}")

    async def _pause(self) -> None:
        """Hand on what leaves now, and let others have the event loop if it is their turn."""
        for chunk in self.chunker.due():
            await self.hand_on(chunk)
        if self._bytes_left < 0:
            self._bytes_left = _BYTES_PER_TURN
            await asyncio.sleep(0)


async def _close(rows: Any) -> None:
    if isinstance(rows, Generator):
        rows.close()
    elif isinstance(rows, AsyncIterator) and (aclose := getattr(rows, "aclose", None)) is not None:
        await aclose()
