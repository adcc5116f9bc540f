"""JSON, in and out, without building more of it than is needed."""

from __future__ import annotations

from typing import Any

import msgspec

from planhat_async.errors import DecodeError

RawRow = msgspec.Raw
"""One row of a list, still as the bytes that came."""


class _OnlyId(msgspec.Struct):
    id: str | None = msgspec.field(name="_id", default=None)


class RowFlags(msgspec.Struct):
    """What tells whether a row of a list is wanted."""

    type: str | None = None
    is_custom_type: bool | None = msgspec.field(name="isCustomType", default=None)
    is_archived: bool | None = msgspec.field(name="isArchived", default=None)


_encoder = msgspec.json.Encoder()
_row_splitter = msgspec.json.Decoder(list[msgspec.Raw])
_id_reader = msgspec.json.Decoder(_OnlyId)
_flags_reader = msgspec.json.Decoder(RowFlags)


def encode_json(value: Any) -> bytes:
    """The value as JSON in UTF-8.

    Raises:
        ValueError: It has no JSON form: a lone surrogate, a foreign object, nesting without end.
    """
    try:
        return _encoder.encode(value)
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not expressible in JSON: {error}") from None
    except UnicodeEncodeError:
        raise ValueError("not expressible in JSON: text with a lone surrogate") from None


def decode_json(body: bytes) -> Any:
    """The JSON value in `body`.

    Raises:
        DecodeError: It is not JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the answer is not JSON ({error}): {excerpt(body, 80)!r}") from None


def split_rows(body: bytes) -> list[RawRow]:
    """The rows of a list's page, each still as the bytes that came.

    Raises:
        DecodeError: The body is not a JSON array.
    """
    try:
        return _row_splitter.decode(body)
    except ValueError as error:
        raise DecodeError(f"the answer is not a list ({error}): {excerpt(body, 80)!r}") from None


def row_id(row: RawRow) -> str | None:
    """The `_id` in a row's bytes, if it has one."""
    try:
        return _id_reader.decode(row).id
    except ValueError:
        return None


def row_flags(row: RawRow) -> RowFlags:
    """What tells whether a row is wanted.

    Raises:
        DecodeError: The row is not an object, or its flags are not what they should be.
    """
    try:
        return _flags_reader.decode(row)
    except ValueError as error:
        raise DecodeError(f"a row cannot be read ({error}): {excerpt(bytes(row), 80)!r}", id=row_id(row)) from None


def excerpt(body: bytes, limit: int = 2000) -> str:
    """The beginning of a body as text, for a message."""
    return body[:limit].decode("utf-8", "replace")
