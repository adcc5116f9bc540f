"""Test which cells a spreadsheet would run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.jobs.files.formula_cells import escaped, is_formula

CHARACTERS = "=+-@\uff1d\uff0b\uff0d\uff20\u2212"


@pytest.mark.parametrize(
    "text",
    [
        *(f"{character}SUM(A1:A9)" for character in CHARACTERS),
        " =1+1",
        '"=1+1"',
        "'=1+1",
        "\ufeff\t=1".removeprefix("\ufeff"),
        "\tcmd",
        "\rcmd",
        "\ncmd",
        "\0=1",
        "\xa0=1",
        "+49 170 1234567",
        "-5",
    ],
)
def test_a_text_that_a_spreadsheet_may_run_is_a_formula(text: str) -> None:
    """Blanks, quotes and control characters may come first, and the characters may be full-width."""
    assert is_formula(text)


@pytest.mark.parametrize("text", ["", " ", "a=b", "ada@acme.example", "2-1", '{"a":"=1"}', '["=1"]', "'", "über=1"])
def test_other_texts_are_not(text: str) -> None:
    """The character stands behind something else."""
    assert not is_formula(text)


@given(st.text(st.sampled_from("=+-@'\" \t\r\nab;,"), max_size=6) | st.text(max_size=6))
def test_an_escaped_text_begins_with_an_apostrophe(text: str) -> None:
    """The rest is unchanged."""
    assert (escaped(text)[:1], escaped(text)[1:]) == ("'", text)
