"""E-mail addresses: any other text is refused, because Planhat would store it and match no person by it."""

from __future__ import annotations

import re
from typing import Any

from planhat_async._convert.python_values import excerpt_of, own_value, refusal

_MAX_LENGTH = 254
"""The longest address that mail servers accept (RFC 5321)."""
PLAIN_ADDRESS = re.compile(r"[0-9A-Za-z.+_-]{1,60}+@[0-9A-Za-z-]{1,63}+\.(?:[0-9A-Za-z-]{1,63}+\.)?+[A-Za-z]{2,63}+")
"""Most addresses, tested in half of the time; see `_ADDRESS` for all of them."""
_UNSEEN = r"\s\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_LOCAL = rf'[^{_UNSEEN}"(),:;<>@\[\\\]]+'
_LABEL = rf"[^{_UNSEEN}!-,./:-@\[-^`{{-~]+"
_ADDRESS = re.compile(rf'(?:{_LOCAL}|"[^{_UNSEEN}@"]+")@(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Za-z.:]+\])')
"""What has a meaning of its own in a header (`<`, `(`, `,`) is no part of an address, and neither is a blank. Letters
of any language are, and so are names that the standard does not allow and servers have: long ones, `a..b`."""
_WITHIN = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: str) -> bool:
    """Whether a text is an address and nothing else."""
    return len(text) <= _MAX_LENGTH and _ADDRESS.fullmatch(text) is not None


def check_address(value: Any) -> str:
    """An e-mail address without the blanks around it; an empty text, which empties the field, is returned too."""
    if type(value) is str and PLAIN_ADDRESS.fullmatch(value):
        return value
    value = own_value(value)
    if not isinstance(value, str):
        raise refusal("an e-mail address", value)
    address = value.strip()
    if address == value == "" or is_address(address):
        return address
    raise ValueError(_objection(value))


def _objection(text: str) -> str:
    if not text.strip():
        return "an e-mail address, not blanks"
    if len(text) > _MAX_LENGTH:
        return f"{excerpt_of(text)!r} is longer than an e-mail address can be ({_MAX_LENGTH} characters)"
    within = [found for found in dict.fromkeys(map(str, _WITHIN.findall(text))) if is_address(found)]
    if len(within) > 1:
        return f"{excerpt_of(text)!r} is more than one e-mail address"
    hint = f": did you mean {within[0]!r}?" if within else " such as ada@example.com"
    return f"{excerpt_of(text)!r} is not an e-mail address{hint}"
