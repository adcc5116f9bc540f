"""Users: the people who work with Planhat."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from planhat_async.sandbox.models.rules import Rules
from planhat_async.sandbox.store import Record


@frozen
class User:
    """A person who works with Planhat."""

    MODEL: ClassVar[str] = "users"

    user_id: str
    """The `_id`, which `ownerId` and `users` name."""
    name: str = ""
    """The name shown as `ownerName` and in `users`."""

    def record(self) -> Record:
        """As it is stored."""
        return {"_id": self.user_id, "nickName": self.name}


USERS = Rules(name="users", indexes=("externalId", "email"), is_replaceable=True, company=None)
