"""Chunks: rows that fit one request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate

import attrs

from planhat_async.batching.chunk_rows import ChunkRows
from planhat_async.batching.row import Key, Row, Rows, key_of
from planhat_async.results import Problem, merged, ranges_of

__all__ = ["Chunk", "Key", "Row", "Rows", "doubtful_in", "halves_of", "key_of", "pieces_of", "ranges_in_order"]

_PIECE_BYTES = 2**18


def _positions_of(chunk: Chunk) -> tuple[range, ...]:
    invalid = [problem.position or 0 for problem in chunk.invalid]
    if isinstance(chunk.rows, ChunkRows):
        return merged([*chunk.rows.positions(), *ranges_of(invalid), *chunk.skipped])
    known = ranges_of([row.position for row in chunk.rows] + invalid)
    return merged([*known, *chunk.skipped]) if chunk.skipped else known


@attrs.frozen(kw_only=True)
class Chunk:
    """Rows that fit one request."""

    number: int
    rows: Rows = attrs.field(repr=False)
    keys: AbstractSet[Key] = attrs.field(repr=False)
    """All keys of all rows."""
    body: bytes = attrs.field(repr=False)
    """The rows as a JSON array. It grew with the chunk: joining the rows at the end, when they have left the CPU's
    caches, would take a sixth of the time of an upsert."""
    invalid: tuple[Problem, ...] = attrs.field(default=(), repr=False)
    """Rows found invalid since the previous chunk, so that chunks add up to the input."""
    skipped: tuple[range, ...] = attrs.field(default=(), repr=False)
    """Positions of the rows since the previous chunk that are not sent, because an earlier run stored the same."""
    is_only: bool = attrs.field(default=False, repr=False, eq=False)
    """Whether the input is known to hold no other rows to send; never of a full chunk."""
    n_apart: int = attrs.field(default=0, repr=False, eq=False)
    """How many chunks cut right before it are known to share no key with it."""
    positions: tuple[range, ...] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_positions_of, takes_self=True)
    )
    """The input positions of all its rows."""

    @property
    def n_skipped(self) -> int:
        """The number of rows that are not sent, because an earlier run stored the same."""
        return sum(map(len, self.skipped))

    @property
    def is_keyed(self) -> bool:
        """Whether every row has a key, so that sending the chunk again is safe."""
        return bool(self.keys)

    def shares_key_with(self, other: Chunk) -> bool:
        """Whether a key is in both chunks; the other was cut before."""
        return self.number - other.number > self.n_apart and not self.keys.isdisjoint(other.keys)


def pieces_of(rows: Sequence[Row]) -> Iterator[bytes]:
    """The rows as a JSON array, in pieces: joining megabytes at once would block the event loop."""
    datas = [row.data for row in rows]
    ends = list(accumulate(map(len, datas)))
    start = 0
    while start < len(datas):
        stop = bisect_left(ends, _PIECE_BYTES + (ends[start - 1] if start else 0)) + 1
        yield b"," if start else b"["
        yield b",".join(datas[start:stop])
        start = stop
    yield b"]" if datas else b"[]"


def halves_of(rows: Rows) -> list[Rows]:
    """The two halves of the rows, in order."""
    middle = len(rows) // 2
    return [rows[:middle], rows[middle:]]


def doubtful_in(rows: Rows) -> list[Row]:
    """Rows that are stored only if the answer counts them as created, or if Planhat has them."""
    return rows.doubtful() if isinstance(rows, ChunkRows) else [row for row in rows if row.is_doubtful]


def ranges_in_order(rows: Rows) -> list[tuple[int, int]]:
    """The input positions of the rows in their order: the first of each range, and the one behind its last."""
    ranges = rows.positions() if isinstance(rows, ChunkRows) else (range(n.position, n.position + 1) for n in rows)
    out: list[tuple[int, int]] = []
    for one in ranges:
        if out and out[-1][1] == one.start:
            out[-1] = (out[-1][0], one.stop)
        else:
            out.append((one.start, one.stop))
    return out
