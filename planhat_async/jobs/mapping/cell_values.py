"""The value of a field that a text of a file stands for: decisions only."""

from __future__ import annotations

from typing import Any

from planhat_async._convert import spellings_of, unknown_field
from planhat_async.jobs.mapping.field_readers import FieldReaders
from planhat_async.records import Record
from planhat_async.records.documentation import documentation_of


class OtherEncodingError(ValueError):
    """A text holds bytes that are invalid in the encoding in which it was read."""


def value_of(record: type[Record], name: str, text: str) -> Any:
    """The value that a text stands for: true/false, numbers, lists split at commas, JSON for anything nested.

    Raises:
        ValueError: It is not a value of the field; the message names the field.
    """
    if name.startswith("custom."):
        return text
    return FieldReaders(record=record).reader(own_name(record, name)).read(text)


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
        raise ValueError(unknown_field(record, name, is_written=True))
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
