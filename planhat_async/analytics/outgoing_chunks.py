"""Rows into the bodies of requests: decisions only.

Rows are cut in the order of the input, by count and by bytes. A body is built while its rows come, and the rows
are not kept beside it: a chunk is its body and the positions of its rows.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence

import attrs

from planhat_async.analytics.send_result import SendChunkResult, SendOutcome
from planhat_async.batching.chunks import Row
from planhat_async.results import Outcome, Problem

BRACKETS = len(b"[]")


@attrs.frozen(kw_only=True)
class Part:
    """Rows that one request sends."""

    body: bytes = attrs.field(repr=False)
    """The rows as a JSON array."""
    n_rows: int
    positions: tuple[range, ...]
    """Their positions in the input, in ascending order."""


@attrs.frozen(kw_only=True)
class OutgoingChunk:
    """Rows that are sent together, and those before them that must not be sent."""

    rows: Part
    """The rows to send; there may be none."""
    result: SendChunkResult
    """Counts the rows that must not be sent, so that chunks add up to the input."""


@attrs.define
class _Open:
    """A part that is still growing."""

    n_rows: int = 0
    n_bytes: int = BRACKETS
    ranges: list[range] = attrs.field(factory=list)
    _body: io.BytesIO = attrs.field(factory=io.BytesIO)

    def add(self, row: Row) -> None:
        self._body.write(b"," if self.n_rows else b"[")
        self._body.write(row.data)
        self.n_bytes += self.cost_of(row)
        self.n_rows += 1
        if self.ranges and self.ranges[-1].stop == row.position:
            self.ranges[-1] = range(self.ranges[-1].start, row.position + 1)
        else:
            self.ranges.append(range(row.position, row.position + 1))

    def cost_of(self, row: Row) -> int:
        """Bytes by which the row would make the body longer."""
        return len(row.data) + bool(self.n_rows)

    def part(self) -> Part:
        """The part, without a copy of its body."""
        self._body.write(b"]" if self.n_rows else b"[]")
        return Part(body=self._body.getvalue(), n_rows=self.n_rows, positions=tuple(self.ranges))


@attrs.define(kw_only=True)
class OutgoingChunker:
    """Cuts rows into chunks of at most `chunk_size` rows and `max_bytes` bytes."""

    chunk_size: int
    max_bytes: int
    _n_cut: int = 0
    _n_taken: int = 0
    """Rows taken from the input so far."""
    _open: _Open = attrs.field(factory=_Open)
    _result: SendChunkResult = attrs.field(factory=lambda: SendChunkResult(number=0))
    _ready: deque[OutgoingChunk] = attrs.field(factory=deque)

    @property
    def has_due(self) -> bool:
        """Whether `due` yields a chunk."""
        return bool(self._ready)

    def feed(self, row: Row) -> None:
        """Add a row; one that is too large for any body is refused."""
        if (problem := self.objection_to(row)) is not None:
            self.refuse(problem)
            return
        if self._open.n_bytes + self._open.cost_of(row) > self.max_bytes:
            self._cut()
        self._open.add(row)
        self._n_taken += 1
        if self._open.n_rows >= self.chunk_size:
            self._cut()

    def refuse(self, problem: Problem) -> None:
        """Count a row that must not be sent; many of them make a chunk without rows."""
        # `UNSENT` is the row whose check failed, which ends the run.
        outcome = SendOutcome.INVALID if problem.outcome is Outcome.INVALID else SendOutcome.UNSENT
        position = self._n_taken if problem.position is None else problem.position
        self._result.refuse(outcome, problem.reason, (range(position, position + 1),))
        self._n_taken += 1
        if self._result.rows >= self.chunk_size:
            self._cut()

    def objection_to(self, row: Row) -> Problem | None:
        """Why the row fits no body, or `None`."""
        if len(row.data) + BRACKETS <= self.max_bytes:
            return None
        reason = f"{len(row.data):,} bytes are more than one call may hold (max_bytes)"
        return Problem(outcome=Outcome.INVALID, reason=reason, position=row.position)

    def end_input(self) -> None:
        """Note that the input has ended: the open chunk is due."""
        if self._open.n_rows or self._result.rows:
            self._cut()

    def due(self) -> Iterator[OutgoingChunk]:
        """Yield the chunks that are due."""
        while self._ready:
            yield self._ready.popleft()

    def _cut(self) -> None:
        result, part = self._result, self._open.part()
        result.positions = range(self._n_taken - part.n_rows - result.rows, self._n_taken)
        self._ready.append(OutgoingChunk(rows=part, result=result))
        self._n_cut += 1
        self._open, self._result = _Open(), SendChunkResult(number=self._n_cut)


def split_positions(ranges: Sequence[range], index: int) -> tuple[tuple[range, ...], tuple[range, ...]]:
    """The positions of the rows before an index, and of those from it on."""
    before: list[range] = []
    after: list[range] = []
    for one in ranges:
        here = max(0, min(index, len(one)))
        before += [one[:here]] if here else []
        after += [one[here:]] if here < len(one) else []
        index -= len(one)
    return tuple(before), tuple(after)
