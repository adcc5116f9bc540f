"""A page's bytes into rows' bytes, a piece at a time.

Joining and parsing a page of many megabytes in one go would hold the event loop for as long as that takes. So the
page stays in the pieces that came from the network, and each is cut where the last row in it seems to begin: where
an object begins with the same two keys as the first row. An object within a row may begin so as well; then what is
before the cut does not parse, and an earlier cut is tried, or the next piece is waited for. In a text the quotes
around the keys would be escaped, so it cannot be mistaken.

A row that is larger than a piece cannot be cut, and takes as long as it takes: some milliseconds a megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import attrs
import msgspec

from planhat_async._convert.json import excerpt, repaired, row_id
from planhat_async.errors import DecodeError

PIECE_BYTES = 1 << 18
_MAX_CUTS = 4
"""Places in a piece that are tried: each costs a turn of the event loop."""
_KEY = rb'"[^"\\]{0,100}"'
_SCALAR = rb'(?:"(?:[^"\\]|\\.){0,200}"|[-+.\w]{1,40})'
_FIRST_KEYS = re.compile(rb"\s*\[\s*\{\s*(%b)\s*:\s*(?:%b\s*,\s*(%b)\s*:)?" % (_KEY, _SCALAR, _KEY))
_NEAR_BYTES = 1 << 14
"""How far from a piece's end the last row in it is looked for at first."""
_MAX_ROWS = 2000
"""Rows that are handed on at once, however small they are."""
_ID_AHEAD = b'{"_id":"'

_splitter = msgspec.json.Decoder(list[msgspec.Raw])


def split_rows(pieces: Iterable[bytes], *, piece_bytes: int = PIECE_BYTES) -> Iterator[list[bytes]]:
    """Yield the rows of a list's page as the bytes that came, about `piece_bytes` of them at a time.

    Raises:
        DecodeError: The body is not a JSON array.
    """
    splitter = _Splitter()
    for piece in _resized(pieces, piece_bytes):
        for rows in splitter.feed(piece):
            yield from _few(rows)
    yield from _few(splitter.finish())


def _few(rows: list[bytes]) -> Iterator[list[bytes]]:
    if len(rows) <= _MAX_ROWS:
        yield rows
        return
    for start in range(0, len(rows), _MAX_ROWS):
        yield rows[start : start + _MAX_ROWS]


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
    _seam: re.Pattern[bytes] | None = None
    """What is between two rows."""

    def feed(self, piece: bytes) -> Iterator[list[bytes]]:
        """Yield the rows that are whole by now, and nothing for each cut that is tried in vain."""
        if not self._n_held:
            self._seam = _seam_of(piece)
        if self._seam is not None and self._n_held + len(piece) >= self._enough:
            for n_tried, (end, start) in enumerate(_cuts(self._seam, piece)):
                whole = b"".join((*self._held, piece[:end], b"]"))
                try:
                    # Half a character is looked for only where the cut is likely to be right.
                    rows = _split(whole, repairs=n_tried == 0)
                except (ValueError, RecursionError):
                    yield []  # within a row
                    continue
                self._held, self._n_held, self._enough = [b"[", piece[start:]], len(piece) - start + 1, 0
                yield rows
                return
            self._enough = 2 * (self._n_held + len(piece))  # a row may be as large as the page: few tries
        self._held.append(piece)
        self._n_held += len(piece)

    def finish(self) -> list[bytes]:
        """The rows behind the last cut."""
        return _rows_in(b"".join(self._held))


def _seam_of(beginning: bytes) -> re.Pattern[bytes] | None:
    first = _FIRST_KEYS.match(beginning)
    if first is None:
        return None
    one, two = first.groups()
    begins = rb"\}\s*,\s*(?=\{\s*" + re.escape(one) + rb"\s*:"
    goes_on = b"" if two is None else rb"\s*" + _SCALAR + rb"\s*,\s*" + re.escape(two) + rb"\s*:"
    return re.compile(begins + goes_on + rb")")


def _cuts(seam: re.Pattern[bytes], piece: bytes) -> Iterator[tuple[int, int]]:
    """Yield where rows may end and the next begin, the last one first, a few of them."""
    near = _NEAR_BYTES
    while True:
        found = [(match.start() + 1, match.end()) for match in seam.finditer(piece, max(0, len(piece) - near))]
        if found or near >= len(piece):
            yield from found[: -_MAX_CUTS - 1 : -1]
            return
        near *= 4


def _rows_in(body: bytes) -> list[bytes]:
    try:
        return _split(body, repairs=True)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the answer is not a list ({error}): {excerpt(body, 20)!r}") from None


def _split(array: bytes, *, repairs: bool) -> list[bytes]:
    try:
        return [bytes(row) for row in _splitter.decode(array)]
    except (ValueError, RecursionError):
        readable = repaired(array) if repairs else array
        if readable is array:
            raise
        return [bytes(row) for row in _splitter.decode(readable)]


def row_ids(rows: Sequence[bytes], *, before: bytes = b"") -> list[bytes]:
    """The `_id` of each row; a row that has none gets that of the row before it, the first one `before`."""
    ids: list[bytes] = []
    for row in rows:
        found = row[8:32]
        # Nearly every row begins with an ObjectId, which is read without a parser.
        if not (found.isalnum() and row[32:33] == b'"' and row.startswith(_ID_AHEAD)):
            found = (row_id(row) or "").encode() or before
        ids.append(found)
        before = found
    return ids
