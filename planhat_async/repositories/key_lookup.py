"""The ids of a model's records by another of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import aclosing
from typing import Any, Self

from planhat_async._convert import fields_of, spellings_of, unknown_field, wire_path
from planhat_async.batching.query import ID
from planhat_async.records import Record
from planhat_async.repositories.lists import Lists
from planhat_async.repositories.whole_lists import WholeLists


class AmbiguousKeyError(KeyError):
    """Several records have the value, so it names none of them."""

    def __str__(self) -> str:
        """The message, without the quotes that `KeyError` puts around it."""
        return str(self.args[0])


class KeyLookup(Mapping[str, str]):
    """The `_id` of each record by a text field, such as `external_id` or `email`.

    A mapping in memory: nothing is sent when a value is looked up. Values must be equal to the last character, also in
    case. `len`, `in`, `get` and iteration know the values that exactly one record has; a record without the value, or
    with a blank one, is left out. Use `await KeyLookup.load(...)` to make one.
    """

    def __init__(self, repository: Lists[Any], *, by: str, options: Mapping[str, Any]) -> None:
        self._repository = repository
        self._by = text_field(repository.model.record, by)
        self._wire = wire_path(repository.model.record, by)
        if "select" in options:
            raise TypeError("a lookup selects its own fields: leave out select")
        self._options: dict[str, Any] = {**repository.model.everything, **options}
        if not isinstance(repository, WholeLists):  # those have no `select`
            self._options["select"] = [self._by]
        self._ids: dict[str, str] = {}
        self._ambiguous: dict[str, tuple[str, ...]] = {}

    @classmethod
    async def load(cls, repository: Lists[Any], *, by: str, **options: Any) -> Self:
        """Read the model's list once, and keep each record's `_id` and the value of one field.

        Costs one call per page of the list, as `iter` does: 21 calls for 100,000 companies. Keeps some 250 bytes per
        record.

        Args:
            repository: The model, such as `Companies(session)` or `CustomModel(session, "/path")`.
            by: A text field of the model, in either spelling.
            **options: Options of the model's `iter`, except for `select`. By default archived records are included;
                `archived=False` leaves archived end users out.

        Raises:
            ValueError: The model has no such field, or it does not hold text.
            TypeError: The model's `iter` has no such option, or it is `select`.
            RequestError: A call failed, after all retries.
            DecodeError: A record cannot be decoded; `on_bad_record="skip"` leaves such records out.
        """
        lookup = cls(repository, by=by, options=options)
        await lookup.refresh()
        return lookup

    async def refresh(self) -> None:
        """Read the list again. Until the end of it, and if it fails, the lookup stays as it was."""
        ids: dict[str, str] = {}
        ambiguous: dict[str, tuple[str, ...]] = {}
        async with aclosing(self._repository.iter(**self._options)) as records:
            async for record in records:
                id_, value = self._id_and_value(record)
                if id_ is None or not isinstance(value, str) or not value.strip():
                    continue
                known = ambiguous.get(value) or (ids.setdefault(value, id_),)
                if id_ not in known:  # a list may repeat a record that moved
                    ambiguous[value] = (*known, id_)
        for value in ambiguous:
            del ids[value]
        self._ids, self._ambiguous = ids, ambiguous

    def _id_and_value(self, record: Any) -> tuple[str | None, Any]:
        if isinstance(record, dict):  # of a `CustomModel`
            return record.get(ID), record.get(self._wire)
        return record.id, getattr(record, self._by)

    @property
    def ambiguous(self) -> Mapping[str, tuple[str, ...]]:
        """The values that several records have, each with the `_id`s of these records.

        External ids are unique among companies; other models' are unique within a company only.
        """
        return self._ambiguous

    def __getitem__(self, value: str) -> str:
        """The `_id` of the one record with this value.

        Raises:
            AmbiguousKeyError: Several records have it. It is a `KeyError`.
            KeyError: No record has it.
        """
        found = self._ids.get(value)
        if found is not None:
            return found
        noun = self._repository.model.singular
        if value in self._ambiguous:
            raise AmbiguousKeyError(ambiguous_value(noun, self._by, value))
        raise KeyError(unknown_value(noun, self._by, value))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        name = type(self._repository).__name__
        return f"<KeyLookup of {name} by {self._by}: {len(self)} values, {len(self._ambiguous)} ambiguous>"


def text_field(record: type[Record], name: str) -> str:
    """The attribute of a field that holds text, from either spelling; an unknown field of a `CustomModel` may do so.

    Raises:
        ValueError: The model has no such field, or it does not hold text.
    """
    field = spellings_of(record).get(name)
    if field is None and record.HAS_OTHER_FIELDS and not name.startswith("custom."):
        return wire_path(record, name)
    if field is None:
        raise ValueError(unknown_field(record, name))
    if field.type is not str:
        texts = ", ".join(one.name for one in fields_of(record).values() if one.type is str)
        raise ValueError(f"{record.__name__}.{field.name} is not text; a lookup is by one of {texts}")
    return field.name


def unknown_value(noun: str, by: str, value: object) -> str:
    """The message about a value that no record has."""
    return f"no {noun} has {by} {value!r}"


def ambiguous_value(noun: str, by: str, value: object) -> str:
    """The message about a value that several records have."""
    return f"more than one {noun} has {by} {value!r}"
