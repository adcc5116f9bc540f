"""Test what a mapping changes about the texts of a column."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async.jobs.mapping.nested_values import MISSING
from planhat_async.jobs.mapping.transforms import Transform


@pytest.mark.parametrize(
    ("given", "value", "found"),
    [
        ({"strip": True}, " a b ", "a b"),
        ({"lower": True}, "Ada@ACME.example", "ada@acme.example"),
        ({"regex": r"\((.+@.+)\)", "lower": True}, "Ada (Ada@x.example)", "ada@x.example"),
        ({"regex": "#(.*)", "strip": True}, " #  7 ", "7"),
        ({"regex": "a(b)?", "default": "x"}, "a", "x"),
        ({"regex": "(b)", "default": "x"}, "a", "x"),
        ({"default": 5}, "", 5),
        ({"default": "x"}, None, "x"),
        ({"default": "x"}, "  ", "x"),
        ({"default": "x"}, "a", "a"),
        ({"strip": True}, "  ", MISSING),
        ({"regex": "#(.*)"}, "#", MISSING),
        ({"regex": "#(.*)"}, "", MISSING),
        ({"strip": True, "lower": True, "regex": "(x)"}, 7, 7),
    ],
)
def test_texts_are_changed_in_a_fixed_order(given: dict[str, Any], value: Any, found: Any) -> None:
    """Blanks are removed, a part is taken, and that is lowered; values of other types are left."""
    assert Transform.parse(given).apply(value, "email") == found


def test_a_text_without_the_pattern_is_refused() -> None:
    """To send the whole of it would send something else."""
    with pytest.raises(ValueError, match=r"^email: 'Ada' does not have the regex '\\\\\(\(\.\+\)\\\\\)'$"):
        Transform.parse({"regex": r"\((.+)\)"}).apply("Ada", "email")


def test_a_long_text_is_not_searched() -> None:
    """A search takes time by the length of the text, and cannot be stopped."""
    with pytest.raises(ValueError, match="email: 10,001 characters are too many for a regex: 10,000 at most"):
        Transform.parse({"regex": "(b)"}).apply("a" * 10_001, "email")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strip": "yes"}, "strip is not true or false"),
        ({"lower": 1}, "lower is not true or false"),
        ({"regex": 1}, "regex is not text"),
        ({"split": ""}, "split is not text"),
        ({"default": " "}, "default is blank"),
        ({"regex": "("}, "regex is invalid: missing ), unterminated subpattern at position 0"),
        ({"regex": "a"}, "regex has 0 groups, not one: put what you want in (), the rest in (?:)"),
        ({"regex": "(a)(b)"}, "regex has 2 groups, not one: put what you want in (), the rest in (?:)"),
    ],
)
def test_a_wrong_table_is_refused(given: dict[str, Any], message: str) -> None:
    """The message begins with the key."""
    with pytest.raises(ValueError, match=next(iter(given))) as caught:
        Transform.parse(given)
    assert str(caught.value) == message


def test_a_transform_describes_itself() -> None:
    """A journal recognises it by what is given."""
    given = {"strip": True, "regex": "(a)", "lower": True, "split": ";", "default": False}
    assert Transform.parse(given).description() == given
    assert Transform().description() == {}
