"""A page's bytes into rows' bytes, a piece at a time.

Joining and parsing a page of many megabytes in one go would hold the event loop for as long as that takes. So the
page stays in the pieces that came from the network, and each is cut where the last row in it seems to begin: where
an object begins with the key that the first row begins with. An object within a row may begin so as well; then what
is before the cut does not parse, and an earlier cut is tried, or the next piece is waited for. In a text the quote
in front of the key would be escaped, so it cannot be mistaken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import attrs
import msgspec

from planhat_async._convert.json import excerpt, repaired, row_id
from planhat_async.errors import DecodeError

PIECE_BYTES = 1 << 18
_FIRST_KEY = re.compile(rb'\s*\[(\{"(?:[^"\\]|\\.){0,100}":)')
_MAX_CUTS = 4
"""Places in a piece that are tried: each costs a turn of the event loop."""
_ID_AHEAD = b'{"_id":"'

_splitter = msgspec.json.Decoder(list[msgspec.Raw])


def split_rows(pieces: Iterable[bytes], *, piece_bytes: int = PIECE_BYTES) -> Iterator[list[bytes]]:
    """Yield the rows of a list's page as the bytes that came, about `piece_bytes` of them at a time.

    Raises:
        DecodeError: The body is not a JSON array.
    """
    splitter = _Splitter()
    for piece in _resized(pieces, piece_bytes):
        yield splitter.feed(piece)
    yield splitter.finish()


def _resized(pieces: Iterable[bytes], n_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces of `n_bytes` to twice as many; the last may be smaller."""
    small: list[bytes] = []
    n_small = 0
    for piece in pieces:
        small.append(piece)
        n_small += len(piece)
        if n_small >= n_bytes:
            whole = piece if len(small) == 1 else b"".join(small)
            small, n_small = [], 0
            yield from [whole] if len(whole) < 2 * n_bytes else _slices(whole, n_bytes)
    yield b"".join(small)


def _slices(whole: bytes, n_bytes: int) -> Iterator[bytes]:
    return (whole[start : start + n_bytes] for start in range(0, len(whole), n_bytes))


@attrs.define
class _Splitter:
    """Takes a page piece by piece, and holds what is behind the last cut."""

    _held: list[bytes] = attrs.field(factory=list)
    _n_held: int = 0
    _enough: int = 0
    """Bytes before which no cut is looked for."""
    _mark: bytes | None = None
    """What is between two rows."""

    def feed(self, piece: bytes) -> list[bytes]:
        """The rows that are whole by now."""
        if not self._n_held:
            first = _FIRST_KEY.match(piece)
            self._mark = None if first is None else b"}," + first.group(1)
        rows = self._cut(piece) if self._n_held + len(piece) >= self._enough else None
        if rows is None:
            self._held.append(piece)
            self._n_held += len(piece)
        return rows or []

    def finish(self) -> list[bytes]:
        """The rows behind the last cut."""
        return _rows_in(b"".join(self._held))

    def _cut(self, piece: bytes) -> list[bytes] | None:
        end = len(piece)
        for _ in range(_MAX_CUTS if self._mark else 0):
            end = piece.rfind(self._mark or b"", 0, end)
            if end < 0:
                break
            try:
                rows = _split(b"".join((*self._held, piece[: end + 1], b"]")))
            except (ValueError, RecursionError):
                continue  # within a row
            self._held, self._n_held, self._enough = [b"[", piece[end + 2 :]], len(piece) - end, 0
            return rows
        self._enough = 2 * (self._n_held + len(piece))  # a row may be as large as the page: few tries
        return None


def _rows_in(body: bytes) -> list[bytes]:
    try:
        return _split(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the answer is not a list ({error}): {excerpt(body, 20)!r}") from None


def _split(array: bytes) -> list[bytes]:
    try:
        return [bytes(row) for row in _splitter.decode(array)]
    except (ValueError, RecursionError):
        readable = repaired(array)
        if readable is array:
            raise
        return [bytes(row) for row in _splitter.decode(readable)]


def row_ids(rows: Sequence[bytes]) -> list[bytes]:
    """The `_id` of each row; a row that has none gets that of the row before it, and empty ones before the first."""
    ids: list[bytes] = []
    for row in rows:
        before = row[8:32]
        # Nearly every row begins with an ObjectId, which is read without a parser.
        if not (before.isalnum() and row[32:33] == b'"' and row.startswith(_ID_AHEAD)):
            before = (row_id(row) or "").encode() or (ids[-1] if ids else b"")
        ids.append(before)
    return ids
