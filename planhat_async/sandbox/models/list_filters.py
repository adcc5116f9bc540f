"""The filters of lists: one value in a declaration for each parameter."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import frozen

from planhat_async.sandbox import times
from planhat_async.sandbox.messages import RefusedError

Test: TypeAlias = Callable[[Any], bool]
Resolve: TypeAlias = Callable[[str, str], str]
"""The `_id` of a record, given the name of its model and any key of it; the key itself if there is no such record."""

_COUNT = re.compile(r"[0-9]{1,18}")
_DAY = 86_400.0


@frozen
class Surroundings:
    """What a filter may look at besides the record."""

    resolve: Resolve
    now: float
    """The time of the request, Unix seconds."""


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
    default: str = ""
    """The value of a parameter that the query leaves out; empty for no condition."""

    @abstractmethod
    def test(self, value: str, around: Surroundings) -> Test:
        """Whether a field's value passes, for this value of the parameter."""


@frozen(kw_only=True)
class Equal(FieldFilter):
    """The same text."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare as it is."""
        return lambda held: bool(held == value)


@frozen(kw_only=True)
class Containing(FieldFilter):
    """A text that is part of the field's, in any case."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare without regard to case."""
        part = value.casefold()
        return lambda held: part in str(held or "").casefold()


@frozen(kw_only=True)
class OneOf(FieldFilter):
    """Keys of another record, separated by commas: the field holds the `_id` of one of them, or a list with one."""

    model: str
    """The name of the model whose records are meant."""
    is_many: bool = True
    """Whether several keys are documented; otherwise the whole value is one key."""

    def test(self, value: str, around: Surroundings) -> Test:
        """Compare with the `_id` of each."""
        ids = {around.resolve(self.model, key.strip()) for key in (value.split(",") if self.is_many else [value])}

        def test(held: Any) -> bool:
            if isinstance(held, list):
                return any(isinstance(one, str) and one in ids for one in held)
            return isinstance(held, str) and held in ids

        return test


@frozen(kw_only=True)
class AmongTexts(FieldFilter):
    """Texts separated by commas: the field is one of them."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare with each as it is."""
        texts = value.split(",")
        return lambda held: held in texts


@frozen(kw_only=True)
class NotBefore(FieldFilter):
    """A calendar date: the field is that date or a later one; a record without a date is left out."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare dates as `YYYY-MM-DD`."""
        return lambda held: isinstance(held, str) and held[:10] >= value


@frozen(kw_only=True)
class NotAfter(FieldFilter):
    """A calendar date: the field is that date or an earlier one; a record without a date is left out."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare dates as `YYYY-MM-DD`."""
        return lambda held: isinstance(held, str) and held[:10] <= value


@frozen(kw_only=True)
class FlagChoice(FieldFilter):
    """A word that asks for records whose flag has a certain value; an unknown word asks for all."""

    values: Mapping[str, tuple[Any, ...]]
    """The values of the field that each word asks for; `None` for a record without the field."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare with the values of the word."""
        allowed = self.values.get(value)
        return lambda held: allowed is None or held in allowed


@frozen(kw_only=True)
class MaxAge(FieldFilter):
    """A number of days: the time in the field is no longer ago; a record without a time is listed."""

    def test(self, value: str, around: Surroundings) -> Test:
        """Compare with the time of the request.

        Raises:
            RefusedError: The value is not a whole number.
        """
        if not _COUNT.fullmatch(value):
            raise RefusedError(self.parameter, f"{self.parameter} must be a whole number")
        oldest = around.now - int(value) * _DAY

        def test(held: Any) -> bool:
            moment = times.parsed(held)
            return moment is None or moment.timestamp() >= oldest

        return test


@frozen(kw_only=True)
class AnyOf(FieldFilter):
    """Ids separated by commas: the field is a list of `{id, name}` that has one of them."""

    def test(self, value: str, around: Surroundings) -> Test:  # noqa: ARG002 - as the base has it
        """Compare with the id of each person in the list."""
        ids = value.split(",")
        return lambda held: any(one in ids for one in ids_of(held))


def ids_of(people: object) -> list[Any]:
    """The ids in a list of `{id, name}`; entries of another kind are ignored."""
    if not isinstance(people, list):
        return []
    return [person["id"] for person in people if isinstance(person, dict) and "id" in person]
