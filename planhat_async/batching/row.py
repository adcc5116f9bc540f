"""An encoded row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from planhat_async._convert import Fingerprint

Key: TypeAlias = str
"""`name=value`, as one string: Python caches the hash of a string, and each key is looked up several times."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """An encoded row.

    Tens of thousands exist at a time. A struct is created four times faster than an attrs class with slots, and the
    garbage collector does not traverse it.
    """

    position: int
    keys: tuple[Key, ...]
    """Everything that Planhat may match it on; empty for a row that is created each time it is sent."""
    data: bytes
    fingerprint: Fingerprint | None = None
    """The values by which a keyless row is recognised, if the caller named them in `verify_by`."""
    is_partial: bool = False
    """Whether it has a key but not the fields that a creation needs: it can only update."""

    def __repr__(self) -> str:
        return f"Row(position={self.position}, keys={self.keys})"

    @property
    def key(self) -> str | None:
        """The key for messages."""
        return self.keys[0].partition("=")[2] if self.keys else None

    @property
    def is_doubtful(self) -> bool:
        """Whether an answer that does not count it as created leaves open whether it was stored."""
        return self.is_partial or not self.keys


Rows: TypeAlias = Sequence[Row]


def key_of(name: str, value: str) -> Key:
    """The key of this wire name and value."""
    return f"{name}={value}"
