"""Cells of CSV that a spreadsheet would run as a formula: decisions only.

Texts in records come from strangers. A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@`, also if it is
quoted, and some ignore blanks, quotes or control characters before that, or understand full-width characters (OWASP,
"CSV Injection"). An apostrophe in front makes it a text.
"""

from __future__ import annotations

import re

_FORMULA = re.compile("[\\s\"'\0]*[=+\\-@\uff1d\uff0b\uff0d\uff20\u2212]|[\t\r\n\0]")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run a cell with this text."""
    return not text[:1].isalnum() and _FORMULA.match(text) is not None  # most texts begin with a letter or digit


def escaped(text: str) -> str:
    """The text with an apostrophe before it."""
    return f"'{text}"
