"""Objects in the lists of records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.records.record import ShortRepr


@attrs.define(kw_only=True, repr=False)
class Part(ShortRepr):
    """An object within a record."""

    extra: dict[str, Any] = attrs.field(factory=dict)
    """Other fields of the object, by Planhat's names."""


@attrs.define(kw_only=True, repr=False)
class Person(Part):
    """A user or an end user of a record."""

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
    """The text of the step."""


@attrs.define(kw_only=True, repr=False)
class StatusChange(Part):
    """A status of a ticket, and when it began."""

    status: str | None = None
    """The status."""
    time: datetime | None = None
    """When the ticket got it."""
