"""The filters of lists: one value in a declaration for each parameter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

Test: TypeAlias = Callable[[Any], bool]
Resolve: TypeAlias = Callable[[str, str], str]
"""The `_id` of a record, given the name of its model and any key of it; the key itself if there is no such record."""


@frozen(kw_only=True)
class Filter:
    """A parameter of a list."""

    parameter: str
    """Its name in the URL."""


@frozen(kw_only=True)
class PartitionFilter(Filter):
    """A flag that selects the partitions of the collection that are listed."""

    on: tuple[str, ...]
    """Those listed where its value is `true`."""
    off: tuple[str, ...]
    """Those listed otherwise."""


@frozen(kw_only=True)
class FieldFilter(Filter, ABC):
    """A condition on one field of a record."""

    field: str
    """The field of a record that is compared."""

    @abstractmethod
    def test(self, value: str, resolve: Resolve) -> Test:
        """Whether a field's value passes, for this value of the parameter."""


@frozen(kw_only=True)
class Equal(FieldFilter):
    """The same text."""

    def test(self, value: str, resolve: Resolve) -> Test:  # noqa: ARG002 - as the base has it
        """Compare as it is."""
        return lambda held: bool(held == value)


@frozen(kw_only=True)
class Containing(FieldFilter):
    """A text that is part of the field's, in any case."""

    def test(self, value: str, resolve: Resolve) -> Test:  # noqa: ARG002 - as the base has it
        """Compare without regard to case."""
        part = value.casefold()
        return lambda held: part in str(held or "").casefold()


@frozen(kw_only=True)
class OneOf(FieldFilter):
    """Keys of another record, separated by commas: the field holds the `_id` of one of them."""

    model: str
    """The name of the model whose records are meant."""

    def test(self, value: str, resolve: Resolve) -> Test:
        """Compare with the `_id` of each."""
        ids = {resolve(self.model, key.strip()) for key in value.split(",")}
        return lambda held: isinstance(held, str) and held in ids


@frozen(kw_only=True)
class AnyOf(FieldFilter):
    """Ids separated by commas: the field is a list of `{id, name}` that has one of them."""

    def test(self, value: str, resolve: Resolve) -> Test:  # noqa: ARG002 - as the base has it
        """Compare with the id of each person in the list."""
        ids = value.split(",")
        return lambda held: any(one in ids for one in ids_of(held))


def ids_of(people: object) -> list[Any]:
    """The ids in a list of `{id, name}`; entries of another kind are ignored."""
    if not isinstance(people, list):
        return []
    return [person["id"] for person in people if isinstance(person, dict) and "id" in person]
