"""What a mapping of a table's columns does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias

from planhat_async.records import Record
from planhat_async.results import Unreadable

TableRow: TypeAlias = dict[str, Any] | Unreadable


class ColumnMapping(Protocol):
    """Which column goes to which field, such as `jobs.FieldMapping`."""

    @property
    def record(self) -> type[Record]:
        """The model."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Fields and their columns; every column is a field if it is empty."""
        ...

    @property
    def lookups(self) -> Mapping[str, Any]:
        """Fields whose values a job looks up."""
        ...

    def fitted(self, columns: Sequence[str], *, holds_objects: bool = False) -> Self:
        """The mapping of a table's columns."""
        ...

    def apply(self, values: Mapping[str, Any], /) -> dict[str, Any] | None:
        """The row in these values; `None` for a blank one."""
        ...
