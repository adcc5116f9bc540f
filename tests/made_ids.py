"""Ids in Planhat's format, for tests."""

from __future__ import annotations


def id_of(name: str | int) -> str:
    """Return an `_id` of 24 hex digits for a name or a number, always the same."""
    digits = f"{name:x}" if isinstance(name, int) else name.encode().hex()
    assert len(digits) <= 24, f"{name!r} is too long for an _id"
    return digits.rjust(24, "0")
