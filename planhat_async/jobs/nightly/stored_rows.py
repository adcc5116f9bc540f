"""Which rows earlier runs have stored, in 17 bytes a key: decisions only.

A row is known by a digest of each of its keys, and by a digest of its bytes as they are sent. It is the same as before
if every one of its keys was last stored with these bytes. Once a row is sent, all later rows with one of its keys are
sent as well: rows with one key keep their order, and the last one counts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b

import attrs

from planhat_async.batching.chunks import Row
from planhat_async.results import ChunkResult

_DIGEST_BYTES = 8


@attrs.define
class StoredRows:
    """The rows that earlier runs have stored, for one reading of an input in its order."""

    _keys: array[int] = attrs.field(factory=lambda: array("q"))
    """Digests of keys, in ascending order."""
    _digests: array[int] = attrs.field(factory=lambda: array("q"))
    """The digest of the bytes that were stored last, for each of them."""
    _is_sent: bytearray = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._is_sent = bytearray(len(self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    def holds(self, row: Row) -> bool:
        """Whether the row is the same as it was stored, so that it need not be sent; if it is not, it is sent."""
        places = [self._place(digest_of(key.encode())) for key in row.keys]
        if not places:
            return False
        digest = digest_of(row.data)
        if all(place is not None and not self._is_sent[place] and self._digests[place] == digest for place in places):
            return True
        for place in places:
            if place is not None:
                self._is_sent[place] = 1
        return False

    def _place(self, key: int) -> int | None:
        place = bisect_left(self._keys, key)
        return place if place < len(self._keys) and self._keys[place] == key else None


@attrs.frozen
class SentRow:
    """A row that is sent, by digests."""

    position: int
    keys: tuple[int, ...]
    digest: int

    @classmethod
    def of(cls, row: Row) -> SentRow:
        """The digests of a row."""
        return cls(row.position, tuple(digest_of(key.encode()) for key in row.keys), digest_of(row.data))


def stored_among(rows: Iterable[SentRow], result: ChunkResult) -> list[SentRow]:
    """The rows of a chunk that are known to be stored, given its result.

    None, if the result does not name each row that is not stored: any of them may be one.
    """
    not_stored = {problem.position for problem in result.problems}
    stored = [row for row in rows if row.position not in not_stored]
    return stored if len(stored) == result.stored - result.skipped else []


def digest_of(data: bytes) -> int:
    """A digest that fits an integer of SQLite's.

    Two of a million keys share one with a probability of one in forty million; rows with such a key are always sent.
    """
    return int.from_bytes(blake2b(data, digest_size=_DIGEST_BYTES).digest(), signed=True)
