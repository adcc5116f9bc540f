"""The rows of a chunk, most of which exist only as bytes until they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import ClassVar, overload

from planhat_async._convert import RowBlock, rows_in_array
from planhat_async.batching.row import Row


class ChunkRows(Sequence[Row]):
    """The rows of a chunk in its order; those of blocks are made when one of them is needed, all at once.

    Most chunks end without that: their rows are counted, and none is named.
    """

    __slots__ = ("_body", "_made", "_n_rows", "_parts")

    def __init__(self, parts: Sequence[Row | RowBlock], body: bytes) -> None:
        self._parts = parts
        self._body = body
        self._n_rows = sum(1 if isinstance(part, Row) else len(part.keys) for part in parts)
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

    __hash__: ClassVar[None]  # type: ignore[assignment]

    @property
    def _rows(self) -> tuple[Row, ...]:
        if self._made is None:
            datas = iter(rows_in_array(self._body))
            made: list[Row] = []
            for part in self._parts:
                mine = list(islice(datas, 1 if isinstance(part, Row) else len(part.keys)))
                made += [part] if isinstance(part, Row) else rows_of(part, mine)
            self._made = tuple(made)
        return self._made

    def positions(self) -> Iterator[range]:
        """The input positions of the rows, a range for each block."""
        for part in self._parts:
            first, n_rows = (part.position, 1) if isinstance(part, Row) else (part.first, len(part.keys))
            yield range(first, first + n_rows)

    def doubtful(self) -> list[Row]:
        """Rows without a key, or without what a creation requires."""
        kinds = [part.kind for part in self._parts if isinstance(part, RowBlock)]
        if all(kind is not None and kind.is_keyed and not kind.is_partial for kind in kinds):
            return [row for row in self._parts if isinstance(row, Row) and row.is_doubtful]
        return [row for row in self._rows if row.is_doubtful]


def rows_of(block: RowBlock, datas: Iterable[bytes]) -> list[Row]:
    """The rows of a block, given each one's JSON."""
    is_keyed, is_partial = block.kind or (False, False)
    return [
        Row(position, (key,) if is_keyed else (), data, None, is_partial)
        for position, (key, data) in enumerate(zip(block.keys, datas, strict=True), block.first)
    ]
