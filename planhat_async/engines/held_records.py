"""Which records a copy of a list holds, and how they were when they were copied: decisions only."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Container, Iterable
from hashlib import blake2b
from typing import Self

import attrs

from planhat_async._convert import decode_json, encode_plain, row_id
from planhat_async.errors import DecodeError

_DIGEST_BYTES = 8


@attrs.define
class HeldRecords:
    """The records of a copy, each by its `_id` and a digest of its JSON.

    A record takes about 200 bytes of memory, and about 25 in the text of `pack`.
    """

    _digests: dict[str, int] = attrs.field(factory=dict)

    @classmethod
    def unpack(cls, text: str) -> Self:
        """The records in a text that `pack` returned; none in an empty text."""
        return cls(decode_json(zlib.decompress(b64decode(text))) if text else {})

    def pack(self) -> str:
        """The records as a text."""
        return b64encode(zlib.compress(encode_plain(self._digests))).decode() if self._digests else ""

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def newest(self) -> str | None:
        """The greatest `_id`."""
        return max(self._digests, default=None)

    def put(self, id_: str, row: bytes) -> bool:
        """Note that the copy gets this record; returns whether the record is new to it, or another version."""
        digest = int.from_bytes(blake2b(row, digest_size=_DIGEST_BYTES).digest())
        is_other = self._digests.get(id_) != digest
        self._digests[id_] = digest
        return is_other

    def missing_from(self, ids: Container[str]) -> list[str]:
        """The `_id`s of records of the copy that are not among these."""
        return [id_ for id_ in self._digests if id_ not in ids]

    def remove(self, ids: Iterable[str]) -> None:
        """Note that the copy loses these records."""
        for id_ in ids:
            del self._digests[id_]


def id_in(row: bytes) -> str:
    """The `_id` of a record.

    Raises:
        DecodeError: It has none.
    """
    id_ = row_id(row)
    if id_ is None:
        raise DecodeError("a record of the list has no _id")
    return id_
