"""Damage: bytes that are flipped, cut, repeated, moved or inserted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

_TOKENS: dict[str, Sequence[bytes]] = {
    "csv": [b'"', b'""', b'"\n', b'\n"', b",", b";", b"\t", b"|", b"\r", b"\r\n", b"\n\n", b"\\", b'\\"', b'"x', b' "'],
    "json": [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\\ud83d", b"NaN", b"1e999", b"{}", b"[]"],
    "parquet": [b"PAR1", b"\x15", b"\x19", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f"],
    "xlsx": [b"<", b">", b"</c>", b"<f/>", b'<c t="e">', b"PK\x03\x04", b"&#0;", b'r="ZZZ9999999"'],
}  # fmt: skip
_SPECIAL = [b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"\xed\xa0\x80", b"\x1a", b"\xe2\x80\xa8", b" "]

Damage: TypeAlias = Callable[[random.Random, bytes, bytes, Sequence[bytes]], bytes]


def damaged(random_: random.Random, data: bytes, other: bytes, format_: str) -> bytes:
    """A file with one to four kinds of damage.

    Args:
        random_: What chooses.
        data: The file.
        other: Another one, of which a part may be inserted.
        format_: The format of its rows.
    """
    tokens = [*_TOKENS.get("json" if format_.startswith("json") else format_, ()), *_SPECIAL]
    for _ in range(random_.choice((1, 1, 1, 2, 2, 4))):
        data = random_.choice(_DAMAGES)(random_, data, other, tokens)
    return data


def _place(random_: random.Random, data: bytes) -> int:
    return random_.randrange(len(data) + 1)


def _part(random_: random.Random, data: bytes) -> tuple[int, int]:
    """A part of the data, mostly a short one."""
    start = _place(random_, data)
    return start, min(len(data), start + random_.choice((1, 1, 2, 4, 16, 64, 256)))


def _flip(random_: random.Random, data: bytes, _: bytes, __: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = random_.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random_.randrange(8))]) + data[at + 1 :]


def _cut_off(random_: random.Random, data: bytes, _: bytes, __: Sequence[bytes]) -> bytes:
    return data[: _place(random_, data)]


def _cut_out(random_: random.Random, data: bytes, _: bytes, __: Sequence[bytes]) -> bytes:
    start, end = _part(random_, data)
    return data[:start] + data[end:]


def _repeat(random_: random.Random, data: bytes, _: bytes, __: Sequence[bytes]) -> bytes:
    start, end = _part(random_, data)
    return data[:end] + data[start:end] * random_.choice((1, 1, 2, 50)) + data[end:]


def _insert(random_: random.Random, data: bytes, _: bytes, tokens: Sequence[bytes]) -> bytes:
    at = _place(random_, data)
    return data[:at] + random_.choice(tokens) + data[at:]


def _replace(random_: random.Random, data: bytes, _: bytes, tokens: Sequence[bytes]) -> bytes:
    start, end = _part(random_, data)
    return data[:start] + random_.choice(tokens) + data[end:]


def _splice(random_: random.Random, data: bytes, other: bytes, _: Sequence[bytes]) -> bytes:
    return data[: _place(random_, data)] + other[_place(random_, other) :]


def _move(random_: random.Random, data: bytes, _: bytes, __: Sequence[bytes]) -> bytes:
    start, end = _part(random_, data)
    rest = data[:start] + data[end:]
    at = _place(random_, rest)
    return rest[:at] + data[start:end] + rest[at:]


def _append(_: random.Random, data: bytes, other: bytes, __: Sequence[bytes]) -> bytes:
    return data + other


_DAMAGES: Sequence[Damage] = (
    _flip, _flip, _cut_off, _cut_out, _repeat, _insert, _insert, _replace, _splice, _move, _append,
)  # fmt: skip
