"""End users: the people who work at a customer."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from planhat_async.sandbox.models.rules import Rules
from planhat_async.sandbox.store import Record


@frozen
class EndUser:
    """A person who works at a customer."""

    MODEL: ClassVar[str] = "endusers"

    enduser_id: str
    """The `_id`, which `endusers` name."""
    name: str = ""
    """The name shown in `endusers`."""
    email: str = ""
    """The address that matches a ticket's `email`."""

    def record(self) -> Record:
        """As it is stored."""
        return {"_id": self.enduser_id, "name": self.name, **({"email": self.email} if self.email else {})}


ENDUSERS = Rules(name="endusers", indexes=("sourceId", "externalId", "email"), is_replaceable=True)
