"""The small objects that records hold lists of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs


@attrs.define(kw_only=True)
class Person:
    """A user or an end user, as a record names one."""

    id: str | None = None
    """Planhat's key of the user or end user."""
    name: str | None = None
    """The name to show."""
    is_owner: bool | None = None
    """Whether this user owns the record; not given for end users."""
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Whatever else stood in the object."""


@attrs.define(kw_only=True)
class ChecklistItem:
    """A step of a task's checklist."""

    title: str | None = None
    """What is to be done."""
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Whatever else stood in the object."""


@attrs.define(kw_only=True)
class StatusChange:
    """A status that a ticket had, and since when."""

    status: str | None = None
    """The status."""
    time: datetime | None = None
    """When the ticket got it."""
    extra: dict[str, Any] = attrs.field(factory=dict)
    """Whatever else stood in the object."""
