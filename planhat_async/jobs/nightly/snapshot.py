"""Which records a list held, and how each of them was, in 20 bytes a record: decisions only.

A record is 12 bytes of its `_id` and 8 bytes of a digest of its JSON. Records are in the order of their `_id`s, as
lists are: a reading goes along with the snapshot before it, so most records are found without a search. Where a list is
in another order, each record is searched for. `_id`s of any other form than 24 hex digits are held as texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from heapq import merge
from itertools import pairwise
from typing import Self

import attrs

from planhat_async._convert import decode_json, encode_plain
from planhat_async.errors import DecodeError
from planhat_async.jobs.nightly.change_column import Change

_ID_BYTES, _DIGEST_BYTES = 12, 8
_BYTES = _ID_BYTES + _DIGEST_BYTES
_HEX_DIGITS = 2 * _ID_BYTES
_MAX_MERGED = 8
"""Lists that are merged; more stretches in order are sorted."""
_NEAR = 50
"""Records that are looked at one after another before one is searched for."""
_LENGTH_BYTES = 8


@attrs.frozen
class Snapshot:
    """The records of a list at one time; takes 20 bytes a record, in memory and in a file."""

    packed: bytes = attrs.field(default=b"", repr=False)
    """The records in the order of their `_id`s, 20 bytes each."""
    others: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Digests as hex digits, by those `_id`s that are not 24 hex digits."""

    @classmethod
    def unpack(cls, content: bytes) -> Self:
        """The snapshot that `pack` has packed; an empty one if there is no content.

        Raises:
            ValueError: It is not one.
        """
        if not content:
            return cls()
        length = int.from_bytes(content[:_LENGTH_BYTES])
        end = _LENGTH_BYTES + length
        try:
            others = decode_json(content[end:])
        except DecodeError:
            others = None
        if length % _BYTES or not isinstance(others, dict):
            raise ValueError("not a snapshot")
        return cls(content[_LENGTH_BYTES:end], others)

    def pack(self) -> bytes:
        """The snapshot as bytes."""
        return len(self.packed).to_bytes(_LENGTH_BYTES) + self.packed + encode_plain(dict(self.others))

    def __len__(self) -> int:
        return len(self.packed) // _BYTES + len(self.others)


@attrs.define
class SnapshotReading:
    """One reading of a list, compared with the snapshot before it.

    Holds both snapshots, and a byte for each record of the one before.
    """

    _before: Snapshot
    _at: int = 0
    """The number of the record in the snapshot before at which the last one was found, or would be."""
    _seen: bytearray = attrs.field(init=False)
    _others_seen: dict[str, str] = attrs.field(factory=dict)
    _taken: bytearray = attrs.field(factory=bytearray)
    _starts: list[int] = attrs.field(factory=lambda: [0])
    """Where each stretch of records in ascending order begins."""
    _last: bytes = b""

    def __attrs_post_init__(self) -> None:
        self._seen = bytearray(len(self._before.packed) // _BYTES)

    def take(self, id_: str, row: bytes) -> Change | None:
        """Take the next record; returns whether it is new or changed, or `None` if it is as it was."""
        digest = blake2b(row, digest_size=_DIGEST_BYTES).digest()
        key = _key_of(id_)
        if key is None:
            old = self._before.others.get(id_)
            self._others_seen[id_] = digest.hex()
            return "new" if old is None else None if old == digest.hex() else "changed"
        if key <= self._last:
            self._starts.append(len(self._taken))
        self._last = key
        self._taken += key + digest
        start = self._find(key) * _BYTES
        held = self._before.packed[start : start + _BYTES]
        if held[:_ID_BYTES] != key:
            return "new"
        self._seen[start // _BYTES] = 1
        return None if held[_ID_BYTES:] == digest else "changed"

    def missing(self) -> Iterator[str]:
        """The `_id`s of the snapshot before that were not taken, in order."""
        at = self._seen.find(0)
        while at >= 0:
            yield self._before.packed[at * _BYTES : at * _BYTES + _ID_BYTES].hex()
            at = self._seen.find(0, at + 1)
        yield from (id_ for id_ in self._before.others if id_ not in self._others_seen)

    def result(self) -> Snapshot:
        """The snapshot of the records that were taken; of a record that came twice, the later one."""
        if len(self._starts) == 1:
            return Snapshot(bytes(self._taken), self._others_seen)
        stretches = [self._entries(start, stop) for start, stop in pairwise([*self._starts, len(self._taken)])]
        # Both keep the order of equal keys, so that the later one of them comes last.
        if len(stretches) <= _MAX_MERGED:
            entries: Iterator[bytes] = iter(merge(*stretches, key=_id_bytes))
        else:
            entries = iter(sorted((one for entries in stretches for one in entries), key=_id_bytes))
        packed, last = bytearray(), b""
        for entry in entries:
            if entry[:_ID_BYTES] == last:
                del packed[-_BYTES:]
            last = entry[:_ID_BYTES]
            packed += entry
        return Snapshot(bytes(packed), self._others_seen)

    def _entries(self, start: int, stop: int) -> Iterator[bytes]:
        return (bytes(self._taken[at : at + _BYTES]) for at in range(start, stop, _BYTES))

    def _find(self, key: bytes) -> int:
        """The number of the first record whose `_id` is not below this one."""
        packed, at = self._before.packed, self._at
        if at and packed[(at - 1) * _BYTES : (at - 1) * _BYTES + _ID_BYTES] >= key:
            at = self._search(key)
        else:
            start, end = at * _BYTES, len(packed)
            near = min(end, start + _NEAR * _BYTES)
            while start < near and packed[start : start + _ID_BYTES] < key:
                start += _BYTES
            at = start // _BYTES if start < near or near == end else self._search(key)
        self._at = at
        return at

    def _search(self, key: bytes) -> int:
        packed = self._before.packed
        low, high = 0, len(packed) // _BYTES
        while low < high:
            middle = (low + high) // 2
            if packed[middle * _BYTES : middle * _BYTES + _ID_BYTES] < key:
                low = middle + 1
            else:
                high = middle
        return low


def _key_of(id_: str) -> bytes | None:
    """The bytes of 24 hex digits in lower case; `None` of any other text."""
    if len(id_) != _HEX_DIGITS:
        return None
    try:
        key = bytes.fromhex(id_)
    except ValueError:
        return None
    return key if key.hex() == id_ else None


def _id_bytes(entry: bytes) -> bytes:
    return entry[:_ID_BYTES]
