"""Test sanitising foreign text for messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._convert.text import printable

ANYTHING = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Not valid type", "Not valid type"),
        ("größer als 5 €, 日本語 😀", "größer als 5 €, 日本語 😀"),
        ("non\u00a0breaking", "non\u00a0breaking"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("\x1b[2Jgone\x07", r"\x1b[2Jgone\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("half \ud83d", r"half \ud83d"),
        ("\x00\x7f", r"\x00\x7f"),
        ("", ""),
    ],
)
def test_control_sequences_are_escaped(text: str, shown: str) -> None:
    """Letters of any script are unchanged."""
    assert printable(text) == shown


def test_a_long_text_is_truncated() -> None:
    """The result has the maximum length and ends with an ellipsis."""
    assert printable("x" * 500) == "x" * 500
    assert printable("x" * 501) == "x" * 499 + "…"
    assert printable("abcdef", 4) == "abc…"
    assert printable("\n" * 9, 4) == r"\n\…"


@given(ANYTHING, st.integers(1, 50))
def test_any_text_becomes_one_line(text: str, limit: int) -> None:
    """The line can be encoded in UTF-8, is within the limit, and does not change if sanitised again."""
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert len(f"{shown}|".splitlines()) == 1
    assert all(character.isprintable() or character.isspace() for character in shown)
    shown.encode()
    assert printable(shown, limit) == shown
