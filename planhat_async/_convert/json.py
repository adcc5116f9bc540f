"""JSON encoding and decoding, without building more objects than needed."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from operator import is_
from typing import Any

import msgspec

from planhat_async._convert.values import kind_of, write_time
from planhat_async.errors import DecodeError

_logger = logging.getLogger("planhat_async.json")

_PLAIN_TYPES = frozenset({str, int, bool, type(None)})
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class _OnlyId(msgspec.Struct):
    id: str | None = msgspec.field(name="_id", default=None)


_decode = msgspec.json.Decoder().decode
_encoder = msgspec.json.Encoder()
_split_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_id_reader = msgspec.json.Decoder(_OnlyId)


def encode_json(value: Any) -> bytes:
    """The value as JSON in UTF-8, aware times as Planhat writes them.

    Raises:
        ValueError: The value is not expressible in JSON: NaN, a naive time, a lone surrogate, an object such as a
            record, endless nesting. The encoder itself would write NaN as null, and a record in snake_case.
    """
    return encode_plain(plain(value))


def split_object(body: bytes) -> dict[str, bytes] | None:
    """The values of an object as bytes, by their names, at a fraction of the cost of decoding them.

    Returns:
        The values; `None` if the body is JSON but not an object.

    Raises:
        DecodeError: It is not JSON.
    """
    try:
        return {name: bytes(value) for name, value in _split_object(body).items()}
    except (ValueError, RecursionError):
        answer = decode_json(body)
    return {name: encode_plain(value) for name, value in answer.items()} if isinstance(answer, dict) else None


def encode_plain(value: Any) -> bytes:
    """A result of `plain` as JSON in UTF-8."""
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise ValueError("not expressible in JSON: nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("not expressible in JSON: text with a lone surrogate") from None


def is_plain(value: Any) -> bool:
    """Whether a value is an object of texts, whole numbers, booleans and nulls: the usual case, quick to check."""
    return type(value) is dict and set(map(type, value.values())) <= _PLAIN_TYPES and set(map(type, value)) <= {str}


def plain(value: Any) -> Any:
    """The value with everything in it expressible in JSON; the same object if nothing had to be changed.

    Raises:
        ValueError: It is not expressible in JSON; see `encode_json`.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise ValueError("not expressible in JSON: nested too deep") from None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        items = {key: item if type(item) in _PLAIN_TYPES else _plain(item) for key, item in value.items()}
        return value if type(value) is dict and all(map(is_, items.values(), value.values())) else items
    if isinstance(value, list | tuple):
        made = [item if type(item) in _PLAIN_TYPES else _plain(item) for item in value]
        return value if type(value) is list and all(map(is_, made, value)) else made
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return write_time(value)
    shown = value if isinstance(value, float | datetime) else kind_of(value)
    raise ValueError(f"not expressible in JSON: {shown}")


def decode_json(body: bytes, *, is_input: bool = False) -> Any:
    """The JSON value in an answer, `repaired` if necessary, or in a caller's input.

    Raises:
        DecodeError: It is not JSON.
    """
    try:
        return _decode(body)
    except (ValueError, RecursionError) as error:
        whole = body if is_input else repaired(body)
        if whole is not body:
            return decode_json(whole)
        raise DecodeError(f"the answer is not JSON ({error}): {excerpt(body, 20)!r}") from None


def repaired(body: bytes) -> bytes:
    """The body with U+FFFD for each lone surrogate; the same object if it has none.

    JavaScript writes lone surrogates where it cuts a text inside an emoji; one of them would make the whole page
    unreadable.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    whole = _ESCAPES.sub(lambda found: rb"\ufffd" if found.group(1) else found.group(0), body)
    if whole == body:
        return body
    _logger.warning("an answer held lone surrogates, which were replaced by U+FFFD")
    return whole


def row_id(row: bytes) -> str | None:
    """The `_id` in a row's bytes; `None` if it has none or cannot be read."""
    try:
        return _id_reader.decode(row).id
    except (ValueError, RecursionError):
        return None


def row_view(row: bytes, fields: tuple[tuple[str, str], ...]) -> Any:
    """An object with some fields of a row as unchecked attributes, `None` if the row lacks one.

    `fields` are pairs of the attribute's name and Planhat's. Raises DecodeError if the row is not an object.
    """
    try:
        return _view_reader(fields).decode(row)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"a row cannot be read ({error}): {excerpt(row, 20)!r}", id=row_id(row)) from None


@lru_cache(maxsize=64)
def _view_reader(fields: tuple[tuple[str, str], ...]) -> msgspec.json.Decoder[Any]:
    attributes = [(name, Any, msgspec.field(name=wire, default=None)) for name, wire in fields]
    return msgspec.json.Decoder(msgspec.defstruct("RowView", attributes))


def without_fields(row: bytes, names: Collection[str]) -> bytes:
    """A row without some of its fields; raises DecodeError if it is not an object."""
    try:
        held = decode_json(row)
    except DecodeError as error:
        raise DecodeError(f"a row cannot be read ({error})", id=row_id(row)) from None
    if not isinstance(held, dict):
        raise DecodeError(f"a row is not an object: {excerpt(row, 20)!r}")
    return _encoder.encode({name: value for name, value in held.items() if name not in names})


_CREDENTIALS = '"apiTokens"'
"""The name of a field of users whose values are credentials."""


def excerpt(body: bytes, limit: int = 2000) -> str:
    """The beginning of a body as text, for a message; it ends before any API tokens of users."""
    text = body[:limit].decode("utf-8", "replace")
    before, name, _ = text.partition(_CREDENTIALS)
    return f"{before}{name}: …" if name else text
