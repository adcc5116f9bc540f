"""Encoded rows, and chunks of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import TypeAlias

import attrs
import msgspec

from planhat_async._convert import Fingerprint
from planhat_async.results import Problem, merged, ranges_of

Key: TypeAlias = str
"""`name=value`, as one string: Python caches the hash of a string, and each key is looked up several times."""

_PIECE_BYTES = 2**18


class Row(msgspec.Struct, frozen=True, gc=False):
    """An encoded row.

    Tens of thousands exist at a time. A struct is created four times faster than an attrs class with slots, and the
    garbage collector does not traverse it.
    """

    position: int
    keys: tuple[Key, ...]
    """Everything that Planhat may match it on; empty for a row that is created each time it is sent."""
    data: bytes
    fingerprint: Fingerprint | None = None
    """The values by which a keyless row is recognised, if the caller named them in `verify_by`."""
    is_partial: bool = False
    """Whether it has a key but not the fields that a creation needs: it can only update."""

    def __repr__(self) -> str:
        return f"Row(position={self.position}, keys={self.keys})"

    @property
    def key(self) -> str | None:
        """The key for messages."""
        return self.keys[0].partition("=")[2] if self.keys else None


Rows = tuple[Row, ...]


def key_of(name: str, value: str) -> Key:
    """The key of this wire name and value."""
    return f"{name}={value}"


def _positions_of(chunk: Chunk) -> tuple[range, ...]:
    known = ranges_of([row.position for row in chunk.rows] + [problem.position or 0 for problem in chunk.invalid])
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
