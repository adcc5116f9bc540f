"""Test that rows of JSON are read exactly, however they are written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.jobs.files.json_object import UNDECODED, _exactly, decoded, exact_object

BLANKS = st.sampled_from(["", "", " ", "\t", " \n "])
TEXTS = st.sampled_from(["a", "b", "", '":', '" :', "a, b: c", "1234567890123456789.5", "\\", "é"]).map(json.dumps)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=20).map(str),
    st.sampled_from(["0.12345678901234567890", "12345678901234567890", "0.1e1", "12345678901234567890E-3", "-0.0"]),
)
SCALARS = st.one_of(TEXTS, NUMBERS, st.sampled_from(["true", "false", "null"]))


def listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, max_size=4).map(lambda texts: f"[{', '.join(texts)}]")


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects as text, with any blanks, and perhaps with a key twice."""
    pairs = st.tuples(BLANKS, TEXTS, BLANKS, values, BLANKS).map(
        lambda parts: f"{parts[0]}{parts[1]}{parts[2]}:{parts[3]}{parts[4]}"
    )
    return st.lists(pairs, max_size=4).map(lambda found: f"{{{','.join(found)}}}")


VALUES = st.recursive(SCALARS, lambda inner: listed(inner) | objects(inner), max_leaves=6)


def exact_or_refusal(read: Any) -> Any:
    """Each value with its type, or the message of the error."""
    try:
        return repr(read())
    except ValueError as error:
        return str(error)


@pytest.mark.slow
@given(objects(VALUES))
def test_a_row_is_what_an_exact_reader_makes_of_it(text: str) -> None:
    """The quick check lets no key twice and no lost digit pass."""
    row = text.encode()
    value = decoded(row)
    assert value is not UNDECODED
    assert exact_or_refusal(lambda: exact_object(row, value)) == exact_or_refusal(lambda: _exactly(row))


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('{"a": [0.12345678901234567890]}', "{'a': [Decimal('0.12345678901234567890')]}"),
        ('{"a": {"b": 0.12345678901234567890}}', "{'a': {'b': Decimal('0.12345678901234567890')}}"),
        ('{"a": 1, "a" : 2}', "the key 'a' is there twice in one object"),
        ('{"a": "\\"", "b": [{"c": 1, "c": 2}]}', "the key 'c' is there twice in one object"),
        ('{"a": "x\\": 1", "b": 2.5}', "{'a': 'x\": 1', 'b': 2.5}"),
    ],
)
def test_nothing_is_lost_within_lists_and_objects(text: str, row: str) -> None:
    """Digits and keys are examined at any depth."""
    assert exact_or_refusal(lambda: exact_object(text.encode(), json.loads(text))) == row
