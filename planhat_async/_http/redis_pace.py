"""The rule of `shared_pace.py` for a window in Redis: the script, what it is given, and what it returns, as bytes.

Redis runs the script as one step. It keeps the state under one key, in MessagePack, as the script's head says.
"""

from __future__ import annotations

from importlib import resources
from math import inf

import attrs
import msgspec

from planhat_async._http import shared_pace
from planhat_async._http.pace import MAX_TRANSIT, MIN_TRANSIT, SAMPLES
from planhat_async._http.shared_messages import NO_MEMBERS, Message, Reply, Standing
from planhat_async._http.shared_pace import SharedPace

VERSION = 1
_CONSTANTS = {
    "VERSION": VERSION,
    "EXPIRES": 86_400,  # seconds; a member that was silent for so long has to join again
    "MIN_TRANSIT": MIN_TRANSIT,
    "MAX_TRANSIT": MAX_TRANSIT,
    "SAMPLES": SAMPLES,
    "LAG": shared_pace.LAG,
    "SETTLING": shared_pace.SETTLING,
    "LATE": shared_pace.LATE,
    "GONE": shared_pace.GONE,
    "KEPT": shared_pace.KEPT,
    "MAX_PLACES": shared_pace.MAX_PLACES,
    "MAX_MEMBERS": shared_pace.MAX_MEMBERS,
    "STRANGER": shared_pace.STRANGER,
}
_RULE = resources.files("planhat_async._http").joinpath("shared_pace.lua").read_text("utf-8")

SCRIPT = "\n".join([*(f"local {name} = {value}" for name, value in _CONSTANTS.items()), _RULE])
"""The script, with the constants of the rule in Python."""


@attrs.define(kw_only=True)
class _Record:
    """What the key holds."""

    version: int = 0
    at: float = -inf
    offset: float = 0.0
    shared: SharedPace | None = None


_encoder = msgspec.msgpack.Encoder()
_reply_decoder = msgspec.msgpack.Decoder(Reply)
_record_decoder = msgspec.msgpack.Decoder(_Record)


def encoded(message: Message) -> bytes:
    """A message as the script takes it."""
    return _encoder.encode(message)


def decoded(reply: bytes) -> Reply:
    """A reply of the script.

    Raises:
        msgspec.MsgspecError: It is not a reply.
    """
    return _reply_decoder.decode(reply)


def standing_in(record: bytes | None, *, now: float, seconds: float) -> Standing:
    """Who is on a window, by the value of its key and the server's time."""
    if not record:
        return NO_MEMBERS
    try:
        found = _record_decoder.decode(record)
    except msgspec.MsgspecError:
        return NO_MEMBERS
    if found.shared is None or found.version != VERSION:
        return NO_MEMBERS
    return found.shared.standing(max(now + found.offset, found.at), seconds)
