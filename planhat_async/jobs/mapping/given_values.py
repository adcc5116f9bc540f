"""What options and mapping files give for fields, by the fields' own names: decisions only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from planhat_async.jobs.mapping.cell_values import own_name
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Record

T = TypeVar("T")


def split_texts(texts: Iterable[str], form: str) -> Iterator[tuple[str, str, str]]:
    """Each `name=value` text after its option, its name and its value; the form begins with the option."""
    option = form.partition(" ")[0]
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise SourceError(f"{text!r} does not have the form {form}")
        yield f"{option} {text}", name, value


def located(where: str, given: Mapping[str, Any] | None) -> list[tuple[str, str, Any]]:
    """Each name and its value, with the place for messages."""
    return [(where, name, value) for name, value in (given or {}).items()]


def by_field(record: type[Record], given: Iterable[tuple[str, str, Any]], what: str) -> dict[str, Any]:
    """Values under the fields' own names, from places for messages, names and values."""
    found: dict[str, Any] = {}
    for where, name, value in given:
        try:
            field = own_name(record, name)
        except ValueError as error:
            raise SourceError(f"{where}: {error}") from None
        if field in found:
            raise SourceError(f"{field} is given twice: {what}")
        found[field] = value
    return found


def made_of_each(make: Callable[[Any], T], given: Mapping[str, Any], what: str) -> dict[str, T]:
    """What is made of each field's text; errors name the field."""
    made = {}
    for name, text in given.items():
        try:
            made[name] = make(text)
        except ValueError as error:
            raise SourceError(f"{what}: {name}: {error}") from None
    return made


def is_among(name: str, given: Mapping[str, Any]) -> bool:
    """Whether a field is given already; `custom` as a whole includes every `custom.NAME`."""
    return name in given or ("custom" in given and name.startswith("custom."))
