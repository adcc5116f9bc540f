"""A page's bytes into rows' bytes, a piece at a time.

Parsing a page of many megabytes in one go would hold the event loop for as long as that takes. So the body is cut
where a row seems to begin, which is where an object begins with the key that the first row begins with; an object
within a row may begin so as well, and then the piece does not parse, and reaches further. In a text the quote in
front of the key would be escaped, so it cannot be mistaken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from planhat_async._convert.json import excerpt, repaired, row_id
from planhat_async.errors import DecodeError

PIECE_BYTES = 1 << 18
_FIRST_KEY = re.compile(rb'\s*\[(\{"(?:[^"\\]|\\.){0,100}":)')
_ID_AHEAD = b'{"_id":"'


_splitter = msgspec.json.Decoder(list[msgspec.Raw])


def split_rows(body: bytes | bytearray, *, piece_bytes: int = PIECE_BYTES) -> Iterator[list[bytes]]:
    """Yield the rows of a list's page as the bytes that came, about `piece_bytes` of them at a time.

    Raises:
        DecodeError: The body is not a JSON array.
    """
    first = _FIRST_KEY.match(body)
    if first is None or len(body) < 2 * piece_bytes:
        yield _rows_in(body)
        return
    yield from _pieces(body, first.start(1), b"}," + first.group(1), piece_bytes)


def _pieces(body: bytes | bytearray, start: int, mark: bytes, piece_bytes: int) -> Iterator[list[bytes]]:
    view, ahead = memoryview(body), piece_bytes
    while (cut := body.find(mark, start + ahead)) >= 0:
        try:
            rows = _split(b"".join((b"[", view[start : cut + 1], b"]")))
        except (ValueError, RecursionError):
            ahead = 2 * (cut - start)  # within a row, which may be as large as the page: few tries
            yield []
            continue
        start, ahead = cut + 2, piece_bytes
        yield rows
    yield _rows_in(b"".join((b"[", view[start:])))


def _rows_in(body: bytes | bytearray) -> list[bytes]:
    try:
        return _split(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the answer is not a list ({error}): {excerpt(body, 20)!r}") from None


def _split(array: bytes | bytearray) -> list[bytes]:
    try:
        return [bytes(row) for row in _splitter.decode(array)]
    except (ValueError, RecursionError):
        readable = repaired(array)
        if readable is array:
            raise
        return [bytes(row) for row in _splitter.decode(readable)]


def row_ids(rows: Sequence[bytes]) -> list[bytes]:
    """The `_id` of each row; a row that has none gets that of the row before it, and empty ones before the first."""
    ids, before = [], b""
    for row in rows:
        one = row[8:32]
        # Nearly every row begins with an ObjectId, which is read without a parser.
        if not (row.startswith(_ID_AHEAD) and one.isalnum() and row[32:33] == b'"'):
            one = (row_id(row) or "").encode() or before
        ids.append(one)
        before = one
    return ids
