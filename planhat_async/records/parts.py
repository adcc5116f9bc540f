"""The small objects that records hold lists of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.records.record import repr_of


@attrs.define(kw_only=True, repr=False)
class Part:
    """An object within a record."""

    extra: dict[str, Any] = attrs.field(factory=dict)
    """Everything else that the object held, by Planhat's names."""

    def __repr__(self) -> str:
        """Only what is set."""
        return repr_of(self)


@attrs.define(kw_only=True, repr=False)
class Person(Part):
    """A user or an end user, as a record names one."""

    id: str | None = attrs.field(default=None, metadata={"wire": "id"})
    """Planhat's key of the user or end user."""
    name: str | None = None
    """The name to show."""
    is_owner: bool | None = None
    """Whether this user owns the record; not given for end users."""


@attrs.define(kw_only=True, repr=False)
class ChecklistItem(Part):
    """A step of a task's checklist."""

    title: str | None = None
    """What is to be done."""


@attrs.define(kw_only=True, repr=False)
class StatusChange(Part):
    """A status that a ticket had, and since when."""

    status: str | None = None
    """The status."""
    time: datetime | None = None
    """When the ticket got it."""
