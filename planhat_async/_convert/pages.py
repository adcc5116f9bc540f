"""Splits a page into rows, one piece of its bytes at a time.

Joining and parsing a page of many megabytes in one go would hold the event loop for as long as that takes. So the
page stays in the pieces that came from the network, and each is cut where its last row seems to begin: where an
object begins with the same two keys as the first row. An object within a row may begin so too; then the bytes before
the cut do not parse, and an earlier cut is tried, or the next piece awaited. A text cannot be mistaken for a row,
because quotes are escaped in it.

A row that is larger than a piece cannot be cut: it holds the event loop for some milliseconds a megabyte.
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
"""Cuts that are tried in a piece: each costs a turn of the event loop."""
_KEY = rb'"[^"\\]{0,100}"'
_SCALAR = rb'(?:"(?:[^"\\]|\\.){0,200}"|[-+.\w]{1,40})'
_FIRST_KEYS = re.compile(rb"\s*\[\s*\{\s*(%b)\s*:\s*(?:%b\s*,\s*(%b)\s*:)?" % (_KEY, _SCALAR, _KEY))
_NEAR_BYTES = 1 << 14
"""The distance from a piece's end in which its last row is searched first."""
_MAX_ROWS = 2000
"""Rows that are yielded at once, however small they are."""

_splitter = msgspec.json.Decoder(list[msgspec.Raw])


def split_rows(pieces: Iterable[bytes], *, piece_bytes: int = PIECE_BYTES) -> Iterator[list[bytes]]:
    """Yield the rows of a list's page, in about `piece_bytes` at a time; each row is the bytes that came.

    Raises:
        DecodeError: The body is not a JSON array.
    """
    splitter = _Splitter()
    for piece in _resized(pieces, piece_bytes):
        for rows in splitter.feed(piece):
            yield from _few(rows)
    yield from _few(splitter.finish())


def _few(rows: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, max(len(rows), 1), _MAX_ROWS):  # also an empty list: the event loop has a turn after each
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
            if len(whole) < 2 * n_bytes:
                yield whole
            else:
                yield from (whole[start : start + n_bytes] for start in range(0, len(whole), n_bytes))
    yield b"".join(small)


@attrs.define
class _Splitter:
    """Splits a page piece by piece, and holds the bytes after the last cut."""

    _held: list[bytes] = attrs.field(factory=list)
    _n_held: int = 0
    _min_bytes: int = 0
    """Held bytes below which no cut is searched."""
    _row_boundary: re.Pattern[bytes] | None = None

    def feed(self, piece: bytes) -> Iterator[list[bytes]]:
        """Yield the rows that are complete, and an empty list for each cut that fails."""
        if not self._n_held:
            self._row_boundary = _row_boundary(piece)
        if self._row_boundary is not None and self._n_held + len(piece) >= self._min_bytes:
            for n_tried, (end, start) in enumerate(_cuts(self._row_boundary, piece)):
                whole = b"".join((*self._held, piece[:end], b"]"))
                try:
                    # Lone surrogates are searched only where the cut is likely to be right.
                    rows = _split(whole, repairs=n_tried == 0)
                except (ValueError, RecursionError):
                    yield []  # within a row
                    continue
                self._held, self._n_held, self._min_bytes = [b"[", piece[start:]], len(piece) - start + 1, 0
                yield rows
                return
            self._min_bytes = 2 * (self._n_held + len(piece))  # a row may be as large as the page: few tries
        self._held.append(piece)
        self._n_held += len(piece)

    def finish(self) -> list[bytes]:
        """The rows after the last cut."""
        body = b"".join(self._held)
        try:
            return _split(body, repairs=True)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"the answer is not a list ({error}): {excerpt(body, 20)!r}") from None


def _row_boundary(beginning: bytes) -> re.Pattern[bytes] | None:
    """The pattern between two rows of the page that begins so."""
    first = _FIRST_KEYS.match(beginning)
    if first is None:
        return None
    one, two = first.groups()
    begins = rb"\}\s*,\s*(?=\{\s*" + re.escape(one) + rb"\s*:"
    goes_on = b"" if two is None else rb"\s*" + _SCALAR + rb"\s*,\s*" + re.escape(two) + rb"\s*:"
    return re.compile(begins + goes_on + rb")")


def _cuts(row_boundary: re.Pattern[bytes], piece: bytes) -> Iterator[tuple[int, int]]:
    """Yield the last few positions at which a row may end and the next one begin, the last one first."""
    near = _NEAR_BYTES
    while True:
        found = [(match.start() + 1, match.end()) for match in row_boundary.finditer(piece, max(0, len(piece) - near))]
        if found or near >= len(piece):
            yield from found[: -_MAX_CUTS - 1 : -1]
            return
        near *= 4


def _split(array: bytes, *, repairs: bool) -> list[bytes]:
    try:
        return [bytes(row) for row in _splitter.decode(array)]
    except (ValueError, RecursionError):
        readable = repaired(array) if repairs else array
        if readable is array:
            raise
        return [bytes(row) for row in _splitter.decode(readable)]


def row_ids(rows: Sequence[bytes], *, before: bytes = b"") -> list[bytes]:
    """The `_id` of each row; a row without one gets that of the row before it, the first one `before`."""
    ids: list[bytes] = []
    for row in rows:
        found = row[8:32]
        # Nearly every row begins with an ObjectId, which is read without a parser.
        if not (found.isalnum() and row[32:33] == b'"' and row.startswith(b'{"_id":"')):
            found = (row_id(row) or "").encode() or before
        ids.append(found)
        before = found
    return ids
