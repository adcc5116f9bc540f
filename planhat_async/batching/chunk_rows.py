"""The rows of a chunk, most of which exist only as bytes until they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import attrs

from planhat_async._convert import RowBlock, rows_in_block
from planhat_async.batching.row import Row


@attrs.frozen
class BlockInBody:
    """A block of rows, within the body of a chunk."""

    block: RowBlock
    start: int
    """Where its rows begin in the body."""
    stop: int


class ChunkRows(Sequence[Row]):
    """The rows of a chunk in its order; those of blocks are made when one of them is needed, all at once.

    Most chunks end without that: their rows are counted, and none is named.
    """

    __slots__ = ("_body", "_made", "_n_rows", "_parts")

    def __init__(self, parts: Sequence[Row | BlockInBody], body: bytes) -> None:
        self._parts = parts
        self._body = body
        self._n_rows = sum(1 if isinstance(part, Row) else len(part.block.keys) for part in parts)
        self._made: tuple[Row, ...] | None = None

    def __len__(self) -> int:
        return self._n_rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self._rows[index]

    def __eq__(self, other: object) -> bool:
        return self._rows == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def _rows(self) -> tuple[Row, ...]:
        if self._made is None:
            self._made = tuple(row for part in self._parts for row in self._rows_of(part))
        return self._made

    def _rows_of(self, part: Row | BlockInBody) -> Sequence[Row]:
        if isinstance(part, Row):
            return (part,)
        return rows_of(part.block, self._body[part.start : part.stop])

    def positions(self) -> Iterator[range]:
        """The input positions of the rows, a range for each block."""
        for part in self._parts:
            first, n_rows = (part.position, 1) if isinstance(part, Row) else (part.block.first, len(part.block.keys))
            yield range(first, first + n_rows)

    def doubtful(self) -> list[Row]:
        """Rows without a key, or without what a creation requires."""
        kinds = [part.block.kind for part in self._parts if isinstance(part, BlockInBody)]
        if all(kind is not None and kind.is_keyed and not kind.is_partial for kind in kinds):
            return [row for row in self._parts if isinstance(row, Row) and row.is_doubtful]
        return [row for row in self._rows if row.is_doubtful]


def rows_of(block: RowBlock, body: bytes | bytearray) -> list[Row]:
    """The rows of a block, given its body."""
    is_keyed, is_partial = block.kind or (False, False)
    return [
        Row(position, (key,) if is_keyed else (), data, None, is_partial)
        for position, (key, data) in enumerate(zip(block.keys, rows_in_block(body), strict=True), block.first)
    ]
