"""Test the plain text of HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.sandbox.markup import plain_text


@pytest.mark.parametrize(
    ("description", "snippet"),
    [
        ("<p>Call the client.</p>", "Call the client."),
        ("<p>Book a thing</p><p>Was it fun?</p>", "Book a thing\n\nWas it fun?"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<!-- hidden --><b class='x'>bold</b> &amp; <i>thin</i>", "bold & thin"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
        (None, ""),
        (["<p>"], ""),
    ],
)
def test_a_snippet_is_the_text_of_a_description(description: object, snippet: str) -> None:
    """Tags are removed, text and paragraph breaks stay; a value that is not text becomes empty."""
    assert plain_text(description) == snippet


def test_hostile_markup_takes_linear_time() -> None:
    """Endless opening brackets are read in one pass."""
    started = time.process_time()
    assert plain_text("<a" * 50_000) == "<a" * 50_000
    assert time.process_time() - started < 0.5


@given(st.text())
def test_text_without_brackets_or_entities_is_kept(text: str) -> None:
    """Only markup and surrounding white space are removed."""
    plain = text.replace("<", "").replace("&", "")
    assert plain_text(plain) == plain.strip()
