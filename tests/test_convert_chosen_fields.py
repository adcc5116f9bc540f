"""Test the choice of a record's fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._convert.chosen_fields import chosen_json, chosen_values
from planhat_async.errors import DecodeError

_VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=3) | st.lists(st.text(max_size=2))
_NAMES = st.sampled_from(["_id", "title", "tags", "é"])
_RECORDS = st.dictionaries(_NAMES, _VALUES)
_CUSTOM = st.dictionaries(st.sampled_from(["ARR", "Net ARR", "a.b"]), _VALUES)
_FIELDS = st.lists(st.sampled_from(["_id", "title", "é", "gone", "custom.ARR", "custom.a.b"]), unique=True)


@given(_RECORDS, _CUSTOM, _FIELDS, st.booleans())
def test_chosen_fields_have_their_values_and_their_order(
    record: dict[str, Any], custom: dict[str, Any], fields: list[str], is_indented: bool
) -> None:
    """Whatever the layout of the row; a field that the record lacks stays away."""
    row = json.dumps({**record, "custom": custom}, indent=1 if is_indented else None).encode()
    flat = {**record, **{f"custom.{name}": value for name, value in custom.items()}}
    expected = {name: flat[name] for name in fields if name in flat}
    assert list(chosen_values(json.loads(row), fields).items()) == list(expected.items())
    line = chosen_json(row, fields)
    nested = {name: value for name, value in expected.items() if not name.startswith("custom.")}
    own = {name[7:]: value for name, value in expected.items() if name.startswith("custom.")}
    assert json.loads(line) == nested | ({"custom": own} if own else {})
    assert b"\n" not in line


def test_values_have_the_bytes_that_planhat_sent() -> None:
    """Digits of numbers and escapes are preserved, those of custom fields as well."""
    row = rb'{"n": 1.50,"t":"\u00e9", "custom": {"ARR":12345678901234567890123, "b": 1}, "c": 2}'
    assert chosen_json(row, ["t", "custom.ARR", "n"]) == (
        rb'{"t":"\u00e9","custom":{"ARR":12345678901234567890123},"n":1.50}'
    )


@pytest.mark.parametrize("custom", [b"null", b"7", b"[1]"])
def test_a_custom_that_is_no_object_has_no_fields(custom: bytes) -> None:
    """Planhat may send anything."""
    row = b'{"_id":"1","custom":' + custom + b"}"
    assert chosen_json(row, ["_id", "custom.ARR"]) == b'{"_id":"1"}'
    assert chosen_values(json.loads(row), ["_id", "custom.ARR"]) == {"_id": "1"}


def test_custom_as_a_whole_is_a_field() -> None:
    """It is not taken apart."""
    assert chosen_json(b'{"a":1,"custom":{"x":2}}', ["custom"]) == b'{"custom":{"x":2}}'


def test_a_row_that_is_no_record_is_refused() -> None:
    """The message shows its beginning."""
    with pytest.raises(DecodeError, match=r"something that is not a record: \[1\]"):
        chosen_json(b"[1]", ["_id"])
