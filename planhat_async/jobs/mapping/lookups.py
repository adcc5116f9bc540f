"""Columns whose values name records by a key of their own: decisions only.

A mapping puts such a value into a row as a `LookupValue`, which no upsert accepts. A job replaces it with the `_id` of
the record before the row is checked.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Self, TypeAlias

import attrs

from planhat_async import models
from planhat_async.records import Record
from planhat_async.repositories import KeyLookup, Lists, Repository
from planhat_async.repositories.key_lookup import ambiguous_value, text_field, unknown_value
from planhat_async.results import Unreadable

_AMBIGUOUS = ""
"""In place of an `_id`: several records have the value."""
_DIGEST_BYTES = 12


def listed_models() -> dict[str, type[Lists[Any]]]:
    """The repositories that can list their records, by the names of their models."""
    every: tuple[type[Repository[Any]], ...] = models.ALL
    return {one.model.name: one for one in every if issubclass(one, Lists)}


def _check_model(_: object, __: object, name: str) -> None:
    names = listed_models()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}"
        raise ValueError(f"there is no model {name!r} to look in; {hint}")


@attrs.frozen
class Lookup:
    """Where the record that a value names is looked for."""

    model: str = attrs.field(validator=_check_model)
    """The name of the model whose list is read, such as `companies`."""
    by: str = attrs.field(kw_only=True, validator=lambda self, _, by: text_field(self.record, by))
    """The text field that holds the value, in either spelling."""

    @property
    def repository(self) -> type[Lists[Any]]:
        """The repository of the model."""
        return listed_models()[self.model]

    @property
    def record(self) -> type[Record]:
        """The class of the model's records."""
        return self.repository.model.record

    def __str__(self) -> str:
        return f"{self.model} by {text_field(self.record, self.by)}"


class LookupValue:
    """The value of a row that names a record, until it is replaced with the record's `_id`.

    It is not an attrs class, because JSON encoders accept these.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text: str = text

    def __repr__(self) -> str:
        return f"LookupValue({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LookupValue) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


FindId: TypeAlias = Callable[[Lookup, str], str]
"""The `_id` of the record that a value names; raises `ValueError` with the reason if it does not name one record."""


@attrs.frozen
class IdTable:
    """The `_id`s of a model's records by the digests of a field's values, so that a journal need not hold the values.

    Two of a million values have the same digest once in 10^17 tables.
    """

    ids: Mapping[str, str]

    @classmethod
    def of(cls, lookup: KeyLookup) -> Self:
        """The table of all values. It takes a microsecond or two per value: use it outside the event loop."""
        ids = {digest_of_value(value): id_ for value, id_ in lookup.items()}
        return cls(ids | dict.fromkeys(map(digest_of_value, lookup.ambiguous), _AMBIGUOUS))

    def find(self, lookup: Lookup, value: str) -> str:
        """The `_id` of the one record with this value.

        Raises:
            ValueError: No record has it, or several have.
        """
        found = self.ids.get(digest_of_value(value))
        if found:
            return found
        noun, by = lookup.repository.model.singular, text_field(lookup.record, lookup.by)
        raise ValueError((unknown_value if found is None else ambiguous_value)(noun, by, value))


def digest_of_value(value: str) -> str:
    """A digest of a value, in the form of an `_id`."""
    return blake2b(value.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def placeholder(_: Lookup, value: str) -> str:
    """A text in place of an `_id` that is not looked up: as long as one, and different for each value."""
    return digest_of_value(value)


def value_to_look_up(name: str, value: Any) -> LookupValue | None:
    """The value of a row as one that is looked up; `None` if it is blank.

    Args:
        name: The field, for the message.
        value: Text, or a whole number, which Planhat returns as text.

    Raises:
        ValueError: It is of another type.
    """
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, str) or type(value) is int:
        return LookupValue(str(value))
    raise ValueError(f"{name}: {str(value)[:80]!r} is neither text nor a whole number")


def with_ids(row: Any, lookups: Mapping[str, Lookup], find: FindId) -> Any:
    """The row, changed in place: ids replace the values to look up. An invalid row if a value does not name a record.

    Args:
        row: A row as a mapping of columns makes it.
        lookups: The lookups by field.
        find: Finds an id.
    """
    if not isinstance(row, dict):
        return row
    for name, lookup in lookups.items():
        value = row.get(name)
        if isinstance(value, LookupValue):
            try:
                row[name] = find(lookup, value.text)
            except ValueError as error:
                return Unreadable(f"{name}: {error}")
    return row
