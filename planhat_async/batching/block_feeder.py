"""Feeds an input to a chunker in blocks of rows that need no more than a quick check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import attrs

from planhat_async._convert import RowBlock, rows_in_array
from planhat_async.batching.chunk_rows import rows_of
from planhat_async.batching.row import Row

_MAX_ROWS = 96
_MAX_BYTES = 2**17
_SMALL = 4
"""Blocks of fewer rows cost more than rows one by one."""
_TRIED = 16
"""Blocks after which rows are fed one by one for a while, if the blocks were small on average."""
_ROWS_SINGLY = (2**6, 2**14)
"""At first, and at most: twice as many each time that blocks are still small."""
_BYTES_OF_ANY_ROW = 1000
"""The fixed cost of a row in a block, as the number of bytes that take as long to encode."""


class Encode(Protocol):
    """Takes rows into a block; see `BlockEncoder.fill`."""

    def __call__(self, block: RowBlock, rows: Iterator[Any], /, *, max_rows: int, max_bytes: int) -> Any:
        """Take rows from the input into a block."""
        ...


class BlockCutter(Protocol):
    """Cuts blocks into chunks; see `Chunker`."""

    @property
    def room(self) -> tuple[int, int]:
        """Rows and bytes with more of which a chunk is due."""
        ...

    def feed_block(self, block: RowBlock, /) -> bool:
        """Add the rows of a block; returns whether that is possible."""
        ...


class EndedBlock(NamedTuple):
    """A block that was fed to the chunker."""

    n_rows: int
    n_bytes: int
    """The cost of its rows, as the number of bytes that take as long to encode."""
    rows: Sequence[Row]
    """The rows, if they have to be fed one by one, because the chunker cannot take the block as a whole."""


@attrs.define
class BlockFeeder:
    """Collects rows in a block, and feeds it to the chunker.

    A block is never larger than what the open chunk has room for: no more of the input is taken before a chunk is
    handed on than if rows were fed one by one.
    """

    encode: Encode
    chunker: BlockCutter
    n_single: int = 0
    """Rows that are better fed one by one before the next block: none of the last ones made up blocks."""
    _block: RowBlock = attrs.field(factory=lambda: RowBlock(0))
    _max_rows: int = 0
    _max_bytes: int = 0
    _n_tried: int = 0
    _n_more: int = 0
    _n_next_single: int = _ROWS_SINGLY[0]

    @property
    def is_empty(self) -> bool:
        """Whether the block has no row."""
        return not self._block.keys

    def begin(self, position: int) -> None:
        """Begin a block with the row at this position."""
        n_rows, n_bytes = self.chunker.room
        self._max_rows, self._max_bytes = min(_MAX_ROWS, n_rows), min(_MAX_BYTES, n_bytes)
        self._block = RowBlock(position)

    def take(self, rows: Iterator[Any]) -> Any:
        """Take rows from the input into the block; returns what `BlockEncoder.fill` returns."""
        return self.encode(self._block, rows, max_rows=self._max_rows, max_bytes=self._max_bytes)

    def end(self) -> EndedBlock:
        """Feed the block to the chunker."""
        block, self._block = self._block, RowBlock(0)
        n_rows = len(block.keys)
        self._judge(n_rows - min(_SMALL, self._max_rows))
        n_bytes = len(block.body) + n_rows * _BYTES_OF_ANY_ROW
        is_fed = not n_rows or self.chunker.feed_block(block)
        return EndedBlock(
            n_rows, n_bytes, () if is_fed else rows_of(block, rows_in_array(b"[" + block.body[:-1] + b"]"))
        )

    def _judge(self, n_more: int) -> None:
        """Decide whether blocks are worth their cost, given the rows by which the last one exceeds a small one."""
        self._n_tried += 1
        self._n_more += n_more
        if self._n_tried < _TRIED:
            return
        if self._n_more < 0:
            self.n_single = self._n_next_single
            self._n_next_single = min(2 * self._n_next_single, _ROWS_SINGLY[1])
        else:
            self._n_next_single = _ROWS_SINGLY[0]
        self._n_tried = self._n_more = 0
