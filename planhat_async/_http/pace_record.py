"""What is known of a shared window as bytes, and back.

A head of fixed size, then the state in MessagePack. The head tells a record of another version, another boot of the
machine, and one that was cut off or damaged.
"""

from __future__ import annotations

import struct
import zlib

import msgspec

from planhat_async._http.shared_pace import SharedPace

VERSION = 1
MAX_BYTES = 1 << 18
"""More than the largest record."""
_HEAD = struct.Struct("<8sHI16sI")
"""The mark of such a record, its version, the length of the state, the boot, the checksum of the state."""
_MARK = b"\x93planhat"
_CLOCK_SLACK = 60.0
"""Seconds by which a place may arrive later than now; a later one is of another clock."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SharedPace)


class NewerVersionError(Exception):
    """A newer version has written the record, and may be using it."""


class DamagedError(Exception):
    """It is not a record."""


def encoded(state: SharedPace, *, boot: bytes) -> bytes:
    """The record of a state."""
    content = _encoder.encode(state)
    return _HEAD.pack(_MARK, VERSION, len(content), boot, zlib.crc32(content)) + content


def decoded(record: bytes, *, boot: bytes, now: float) -> SharedPace | None:
    """The state in a record; `None` if it is empty, of an older version, or of another boot or clock.

    Raises:
        NewerVersionError: The record must be left as it is.
        DamagedError: The record can be replaced.
    """
    if not record:
        return None
    if len(record) < _HEAD.size:
        raise DamagedError
    mark, version, length, of_boot, checksum = _HEAD.unpack_from(record)
    if mark != _MARK:
        raise DamagedError
    if version > VERSION:
        raise NewerVersionError
    if version < VERSION or of_boot != boot:
        return None
    content = record[_HEAD.size : _HEAD.size + length]
    if len(content) != length or zlib.crc32(content) != checksum:
        raise DamagedError
    try:
        state = _decoder.decode(content)
    except msgspec.MsgspecError:
        raise DamagedError from None
    is_of_this_clock = not state.places or state.places[-1].arrival <= now + _CLOCK_SLACK
    return state if is_of_this_clock else None
