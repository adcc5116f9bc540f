"""Untrusted text made safe for messages, logs and terminals."""

from __future__ import annotations

import re
import unicodedata

_UNPRINTABLE = re.compile(r"[^ -~]")
_BLANK_CATEGORIES = {"Zs", "Zl", "Zp", "Cc", "Cf"}
_BLANK_LETTERS = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}
"""Letters without ink: the fillers of Hangul and the blank of Braille."""


def printable(text: str, limit: int = 500) -> str:
    r"""The text on one line without control sequences, at most `limit` characters; idempotent.

    Control characters (C1 included), line and paragraph separators, characters that change the direction of
    writing or have no width, and lone surrogates become escapes such as `\x1b`, `\n` and `\u202e`. Longer text ends
    in `…`.
    """
    # Each character becomes one or more, so those beyond the limit need not be escaped.
    shown = _UNPRINTABLE.sub(_escaped, text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: blanks of any width, control characters, characters without width."""
    return all(unicodedata.category(one) in _BLANK_CATEGORIES or one in _BLANK_LETTERS for one in text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
