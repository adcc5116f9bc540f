"""The value of a field that a text of a file stands for: decisions only."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, get_origin

from planhat_async._convert import Field, decode_json, fields_of, spellings_of, unknown_field
from planhat_async.errors import DecodeError
from planhat_async.records import Record
from planhat_async.records.documentation import documentation_of

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_TRUE = {"true", "yes", "1"}
_FALSE = {"false", "no", "0"}


class OtherEncodingError(ValueError):
    """A text holds bytes that are none in the encoding in which it was read."""


def value_of(record: type[Record], name: str, text: str) -> Any:
    """The value that a text stands for: true/false, numbers, lists split at commas, JSON for anything nested.

    Raises:
        ValueError: It is not a value of the field; the message names the field.
    """
    if name.startswith("custom."):
        return text
    field = fields_of(record)[own_name(record, name)]
    try:
        return _parse(field, text)
    except (ValueError, DecodeError):
        names = {bool: "true or false", int: "a whole number", float: "a number", date: "a day"}
        expected = names.get(field.type, "a JSON object" if get_origin(field.type) is dict else "a JSON list")
        raise ValueError(f"{field.name}: {text[:80]!r} is not {expected}") from None


def _parse(field: Field, text: str) -> Any:
    if field.type is date and text.isascii() and text.isdigit() and len(text) < len("20260105"):
        return field.check(int(text))  # days since 1970-01-01, as an export has them
    if field.type in (str, datetime, date, Any):
        return text
    if field.type is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if field.type in (int, float):
        if not _NUMBER.fullmatch(text):
            raise ValueError(text)
        return field.check(field.type(text))
    if field.type == list[str] and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    value = decode_json(text.encode())
    if not isinstance(value, dict if get_origin(field.type) is dict else list):
        raise ValueError(text)  # noqa: TRY004 - the text is wrong, not its type
    return value


def own_name(record: type[Record], name: str) -> str:
    """A field's own name from either spelling; `custom.NAME` as it is.

    Raises:
        ValueError: The field is unknown, or Planhat fills it in: it would drop the value silently.
    """
    if name.startswith("custom."):
        if not name.removeprefix("custom.").strip():
            raise ValueError(f"{name!r} names no custom field")
        return name
    field = spellings_of(record).get(name)
    if field is None:
        raise ValueError(unknown_field(record, name))
    if not field.is_writable:
        meaning = documentation_of(record).get(field.name, "").rstrip(".")
        raise ValueError(f"{record.__name__}.{field.name} is filled in by Planhat: {meaning}")
    return field.name


def checked_text(text: str, where: str) -> str:
    """The text.

    Raises:
        ValueError: It has a NUL; the message begins with `where`.
        OtherEncodingError: It has bytes of another encoding.
    """
    if "\0" in text:
        raise ValueError(f"{where} holds a NUL character")
    if not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text):
        raise OtherEncodingError(f"{where} holds bytes of another encoding")
    return text
