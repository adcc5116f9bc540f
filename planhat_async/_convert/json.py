"""JSON encoding and decoding, without building more objects than needed."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from operator import is_
from typing import Any

import msgspec

from planhat_async._convert.python_values import kind_of, missing_word, own_value
from planhat_async._convert.timestamps import write_time
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
    """The value as JSON in UTF-8, aware times as Planhat writes them, days as `YYYY-MM-DD`.

    Values of numpy and its like, decimals, UUIDs and members of an `Enum` are sent as what they hold: see `own_value`.

    Raises:
        ValueError: The value is not expressible in JSON: NaN, a naive time, a lone surrogate, an object such as a
            record, endless nesting. The encoder itself would write NaN as null, and a record in snake_case. The
            message says where in the value.
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
    except ValueError:
        raise ValueError("not expressible in JSON: a number with too many digits") from None


def is_plain(value: Any) -> bool:
    """Whether a value is an object of texts, whole numbers, booleans and nulls: the usual case, quick to check."""
    return type(value) is dict and set(map(type, value.values())) <= _PLAIN_TYPES and set(map(type, value)) <= {str}


def plain(value: Any) -> Any:
    """The value with everything in it expressible in JSON; the same object if nothing had to be changed.

    Raises:
        ValueError: It is not expressible in JSON; see `encode_json`.
    """
    try:
        return _plain_or_placed(value)
    except RecursionError:
        raise ValueError("not expressible in JSON: nested too deep") from None


def _plain_or_placed(value: Any) -> Any:
    try:
        return _plain(value)
    except _InexpressibleError as error:
        place = _path_to(error.culprit, value)
        raise ValueError(f"not expressible in JSON: {error}{f' (at {place})' if place else ''}") from None


class _InexpressibleError(ValueError):
    """A value within another has no form in JSON."""

    def __init__(self, reason: str, culprit: Any) -> None:
        super().__init__(reason)
        self.culprit = culprit


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN_TYPES or (type(value) is float and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return _plain_object(value)
    if isinstance(value, list | tuple):
        made = [item if type(item) in _PLAIN_TYPES else _plain(item) for item in value]
        return value if type(value) is list and all(map(is_, made, value)) else made
    try:
        own = own_value(value)
        if isinstance(own, date):
            return write_time(own) if isinstance(own, datetime) else own.isoformat()
    except ValueError as error:
        raise _InexpressibleError(str(error), value) from None
    if own is value or missing_word(own) or (type(own) is float and not math.isfinite(own)):
        raise _InexpressibleError(_in_words(own), value)
    return _plain(own)


def _plain_object(value: Mapping[Any, Any]) -> dict[str, Any]:
    items = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _InexpressibleError(f"a name that is not text, {kind_of(key)}", value)
        name = key if type(key) is str else str.__str__(key)
        items[name] = item if type(item) in _PLAIN_TYPES else _plain(item)
    if type(value) is dict and all(map(is_, items, value)) and all(map(is_, items.values(), value.values())):
        return value
    return items


def _in_words(value: Any) -> str:
    if (word := missing_word(value)) is not None:
        return f"{word}, which is not a value: leave it out"
    return str(value) if isinstance(value, float) else kind_of(value)


def _path_to(culprit: Any, value: Any) -> str:
    """Where a value is within another, such as `tags[3].name`; empty if it is that value, or cannot be found."""
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        items = ((f".{name}", item) for name, item in value.items())
    elif isinstance(value, list | tuple):
        items = ((f"[{index}]", item) for index, item in enumerate(value))
    for step, item in items:
        if item is culprit:
            return step.removeprefix(".")
        if within := _path_to(culprit, item):
            return f"{step}{'' if within.startswith('[') else '.'}{within}".removeprefix(".")
    return ""


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
