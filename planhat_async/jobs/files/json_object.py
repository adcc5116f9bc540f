"""A row from a JSON text, exactly, or why it cannot be one: decisions only."""

from __future__ import annotations

import decimal
import json
from decimal import Decimal
from typing import Any

from planhat_async._convert import decode_json
from planhat_async.errors import DecodeError
from planhat_async.jobs.files.json_fault import MAX_DIGITS, fault_in
from planhat_async.jobs.reason_column import REASON_COLUMN

TEXT_COLUMN = "line"
"""The key of a text that is copied because it could not be read."""
UNDECODED: Any = object()
"""In place of what is in a text that is not JSON."""
_BLANKS = b" \t\r\n"
_AS_ZEROS = bytes.maketrans(b"123456789.", b"0000000000")
_MANY_DIGITS = b"0" * 16
"""A number with fewer digits than this, or a point among them, is read as exactly the digits that are written."""
_EXACTLY = decimal.Context(prec=2000, rounding=decimal.ROUND_HALF_EVEN, traps=[])
_KINDS = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}


def json_object(text: bytes, value: Any = UNDECODED, *, line: int | None = None) -> dict[str, Any]:
    """The row in a text; see `exact_object`.

    Args:
        text: JSON in UTF-8.
        value: What is in it, if that is known.
        line: As in `fault_in`.

    Raises:
        ValueError: It is not JSON or not an object, has a key twice, or is a text that was copied to be corrected.
    """
    if value is UNDECODED and (value := decoded(text)) is UNDECODED:
        raise ValueError(fault_in(text.rstrip(b"\r\n"), line=line))
    if type(value) is not dict:
        raise ValueError(f"not a JSON object but {_KINDS.get(type(value), 'null')}")
    row = exact_object(text, value)
    if TEXT_COLUMN in row and row.keys() == {REASON_COLUMN, TEXT_COLUMN}:
        raise ValueError("it is a copy of a text that could not be read: put the corrected row in its place")
    return row


def decoded(text: bytes) -> Any:
    """What is in a text; `UNDECODED` if it is not JSON."""
    try:
        return decode_json(text, is_input=True)
    except DecodeError:
        return UNDECODED


def exact_object(text: bytes, value: dict[str, Any]) -> dict[str, Any]:
    """The object in a text, without loss, given what a decoder makes of it.

    A number that no float holds exactly is a `Decimal`.

    Raises:
        ValueError: An object has a key twice, of which the decoder keeps the last; or a number has too many digits.
    """
    # Keys and texts have two quotes each, and texts may hold more: equal counts leave no doubt.
    kinds = [*map(type, value.values())]
    if text.count(b'"') == 2 * (len(kinds) + kinds.count(str)) and list not in kinds and dict not in kinds:
        has_floats = float in kinds
    else:
        n_keys, has_floats = _counts(value)
        # Keys are followed by a colon each, and texts may hold more.
        if text.translate(None, _BLANKS).count(b'":') != n_keys:
            return _exactly(text)
    return _exactly(text) if has_floats and _MANY_DIGITS in text.translate(_AS_ZEROS) else value


def _counts(value: Any) -> tuple[int, bool]:
    """The number of keys of all objects within a value, and whether it holds a float."""
    n_keys, has_floats, containers = 0, False, [value]
    for one in containers:
        is_object = type(one) is dict
        n_keys += len(one) if is_object else 0
        for held in one.values() if is_object else one:
            kind = type(held)
            if kind is dict or kind is list:
                containers.append(held)
            elif kind is float:
                has_floats = True
    return n_keys, has_floats


def _exactly(text: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(
        text.decode(), object_pairs_hook=_with_each_key_once, parse_float=_exact_number, parse_int=_exact_whole
    )
    return value


def _with_each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is there twice in one object")
    return made


def _exact_whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _exact_number(written: str) -> float | Decimal:
    """The float that a number stands for, if it is the same in as many digits as are written; or else a `Decimal`."""
    if len(written) > MAX_DIGITS:
        raise ValueError(f"a number of {len(written):,} digits")
    try:
        number, exact = float(written), Decimal(written)
    except decimal.InvalidOperation:  # an exponent of twenty digits, which is no `ValueError`
        raise ValueError(f"the number {written[:40]}: its exponent is too large") from None
    is_same = Decimal(repr(number)) == exact or Decimal(number).quantize(exact, context=_EXACTLY) == exact
    return number if is_same else exact
