"""Test that numbers keep all of their digits, or are refused."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.mapping.cell_numbers import float_in, number_in, whole_number_in


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("1200.50", 1200.5),
        ("5", 5),
        (" -5 ", -5),
        ("5.0", 5.0),
        ("1e3", 1000.0),
        ("12345678901234567890", 12345678901234567890),
        (7, 7),
        (0.1, 0.1),
        (Decimal("12.50"), 12.5),
        (Decimal("5.00"), 5),
    ],
)
def test_a_number_is_read(value: Any, found: float) -> None:
    """A whole number stays whole, however long."""
    read = number_in(value, "custom.ARR")
    assert (read, type(read)) == (found, type(found))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1.200,50", "x: '1.200,50' is not a number; see --decimal-comma"),
        ("1,200", "x: '1,200' is not a number; see --decimal-comma"),
        ("1_000", "x: '1_000' is not a number"),
        ("٣", "x: '٣' is not a number"),
        ("nan", "x: 'nan' is not a number"),
        ("1e999", "x: '1e999' is not a number"),
        ("1e99999999999999999999", "x: '1e99999999999999999999' is not a number"),
        ("0e-99999999999999999999", "x: '0e-99999999999999999999' is not a number"),
        ("5 EUR", "x: '5 EUR' is not a number"),
        ("0.12345678901234567890", ("x: '0.12345678901234567890' has more digits than a number keeps: it would become "
         "0.12345678901234568")),
        ("9" * 500, f"x: '{'9' * 80}' is not a number"),
        (True, "x: True is not a number"),
        (math.nan, "x: nan is not a number"),
        (Decimal("NaN"), "x: NaN is not a number"),
        (Decimal("1E+5000"), "x: 1E+5000 is not a number"),
        (Decimal("0.1000000000000000000001"), ("x: 0.1000000000000000000001 has more digits than a number keeps: it "
         "would become 0.1")),
        (b"5", "x: b'5' is not a number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(value: Any, message: str) -> None:
    """So is a number whose digits would be lost."""
    with pytest.raises(ValueError, match="x: ") as caught:
        number_in(value, "x")
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "found"), [("1200,5", 1200.5), ("7", 7), ("-,5", -0.5)])
def test_a_decimal_comma_is_read_where_it_is_chosen(text: str, found: float) -> None:
    """Numbers without a fraction are written as before."""
    assert number_in(text, "x", decimal_comma=True) == found


@pytest.mark.parametrize("text", ["1.200,50", "1.5", "1,2,3"])
def test_separators_of_thousands_are_refused(text: str) -> None:
    """With a decimal comma, 1.500 may mean either."""
    with pytest.raises(ValueError, match="is not a number"):
        number_in(text, "x", decimal_comma=True)


@pytest.mark.parametrize(
    ("value", "found"), [("35436.0", 35436), ("-7", -7), ("007", 7), (35436.0, 35436), (Decimal("5.0"), 5), (9, 9)]
)
def test_a_whole_number_may_have_a_fraction_of_zero(value: Any, found: int) -> None:
    """Columns of whole numbers become columns of floats as soon as one is missing."""
    read = whole_number_in(value, "id")
    assert (read, type(read)) == (found, int)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1.5", "id: '1.5' is not a whole number"),
        (1.5, "id: 1.5 is not a whole number"),
        (Decimal("1.5"), "id: 1.5 is not a whole number"),
        (1e17, "id: 1e+17 is not a whole number"),
        (True, "id: True is not a whole number"),
        ("1.23E+15", ("id: '1.23E+15' is not a whole number: it is written in scientific notation, which may have lost "
         "digits")),
    ],
)  # fmt: skip
def test_what_is_no_whole_number_is_refused(value: Any, message: str) -> None:
    """So is one whose digits a spreadsheet or a float has lost."""
    with pytest.raises(ValueError, match="id: ") as caught:
        whole_number_in(value, "id")
    assert str(caught.value) == message


@settings(derandomize=True, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers() | st.floats(allow_nan=False, width=64))
def test_a_number_is_exact_or_refused(number: Any) -> None:
    """Its text and its typed value are read as numbers with the same digits."""
    for value in (number, str(number)):
        for read in (number_in, float_in):
            try:
                found = read(value, "x")
            except ValueError as error:
                assert str(error).startswith("x: ")  # noqa: PT017 - either is right
            else:
                assert Decimal(repr(found)) == Decimal(str(number))
