"""Blocks of rows: neighbours in the input that were checked by their shape and encoded into one body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

import attrs
import msgspec

from planhat_async._convert.row_shapes import Kind, RowShapes, Shape
from planhat_async.records import Model

_encode_into = msgspec.json.Encoder().encode_into
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Nothing:
    """The type of the marks below."""


IS_FULL: Final = _Nothing()
"""The block has as many rows or bytes as it may have."""
AT_END: Final = _Nothing()
"""The input has no more rows."""


@attrs.define(eq=False)
class RowBlock:
    """Encoded rows of one kind, each right behind the one before in the input."""

    first: int
    """The input position of the first row."""
    kind: Kind | None = None
    """`None` while there is no row."""
    keys: list[str] = attrs.field(factory=list)
    """Each row's key as `name=value`, "" of a row without one."""
    body: bytearray = attrs.field(factory=bytearray)
    """The rows as JSON, a comma behind each."""


def _unknown(_: Any) -> None:
    """The check of a shape that no row has."""


_NO_SHAPE = Shape(_unknown, Kind(is_keyed=True, is_partial=False), makes_row=False)


class BlockEncoder:
    """Encodes the rows of one upsert into blocks, each as soon as it is taken: the caller may then change it.

    Args:
        shapes: The shapes of the model's rows, which all upserts share.
    """

    def __init__(self, shapes: RowShapes) -> None:
        self._shapes = shapes
        self._last = _NO_SHAPE
        """The shape of the row that passed last."""

    def fill(self, block: RowBlock, rows: Iterator[Any], *, max_rows: int, max_bytes: int) -> Any:
        """Take rows from the input into a block.

        Args:
            block: The block.
            rows: The input; no more is taken than `max_rows`, nor after a row that does not fit the block.
            max_rows: The number of rows that the block may have in all.
            max_bytes: Stop after a row with which the body has more bytes.

        Returns:
            `IS_FULL`, `AT_END`, or a row that was taken from the input and is not in the block, because it needs more
            than a quick check, or is of another kind.
        """
        body, keys, encode_into = block.body, block.keys, _encode_into
        if not keys:
            block.kind = self._last.kind
        check, _, makes_row = self._last if self._last.kind == block.kind else _NO_SHAPE
        room, size = max_rows - len(keys), len(body)
        n_left = room
        for row in islice(rows, room):
            n_left -= 1
            try:
                key = check(row)
            except Exception:  # noqa: BLE001 - mostly a KeyError, of another shape; else the row's own checks say why
                key = None
            if key is None:
                key = self._check_other(block, row, check)
                if key is None:
                    return row
                check, _, makes_row = self._last
            if makes_row:
                key, wire = key
            else:
                wire = row
            try:
                encode_into(wire, body, -1)
            except Exception:  # noqa: BLE001 - the row's own checks say what it is
                del body[size:]
                return row
            body += b","
            keys.append(key)
            size = len(body)
            if size > max_bytes:
                return IS_FULL
        return AT_END if n_left else IS_FULL

    def _check_other(self, block: RowBlock, row: Any, check: Callable[[Any], Any]) -> Any:
        """Check a row that did not pass the check of another shape.

        Args:
            block: The block that the row should fit.
            row: The row.
            check: The other check.

        Returns:
            As `Shape.check`, whose shape is the last one then; `None` also if the shape is unknown or of another kind.
        """
        shape = self._shapes.shape_of(row)
        if shape is None or shape.check is check or (block.keys and shape.kind != block.kind):
            return None
        try:
            key = shape.check(row)
        except Exception:  # noqa: BLE001 - the row's own checks say what it is
            return None
        if key is not None:
            block.kind, self._last = shape.kind, shape
        return key


def block_encoder(model: Model, *, passes_keyless: bool) -> BlockEncoder:
    """An encoder for one upsert: upserts in several threads must not share the shape of the last row."""
    return BlockEncoder(_shapes_of(model, passes_keyless))


@cache
def _shapes_of(model: Model, passes_keyless: bool) -> RowShapes:
    return RowShapes(model, passes_keyless=passes_keyless)


def rows_in_array(array: bytes) -> list[bytes]:
    """Each of the rows of a JSON array, as it is there."""
    return [bytes(row) for row in _split(array)]
