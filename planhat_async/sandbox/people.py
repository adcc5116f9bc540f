"""The users and end users a sandbox knows: whoever names one by id is told the name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from planhat_async.sandbox.store import Record


@frozen
class User:
    """Somebody who works with Planhat.

    Attributes:
        user_id: Planhat's own `_id`, which `ownerId` and `users` name.
        name: Comes back as `ownerName`, and in `users`.
    """

    user_id: str
    name: str = ""


@frozen
class EndUser:
    """Somebody who works at a customer.

    Attributes:
        enduser_id: Planhat's own `_id`, which `endusers` name.
        name: Comes back in `endusers`.
        email: What a ticket's `email` names it by.
    """

    enduser_id: str
    name: str = ""
    email: str = ""


class People:
    """The registered users and end users. One that nobody knows is stored as it came."""

    def __init__(self, users: Iterable[User] = (), endusers: Iterable[EndUser] = ()) -> None:
        self._users: dict[str, User] = {}
        self._endusers: dict[str, EndUser] = {}
        self._by_email: dict[str, EndUser] = {}
        for user in users:
            self.add_user(user)
        for enduser in endusers:
            self.add_enduser(enduser)

    @property
    def users(self) -> list[User]:
        """All users, first registered first."""
        return list(self._users.values())

    @property
    def endusers(self) -> list[EndUser]:
        """All end users, first registered first."""
        return list(self._endusers.values())

    def add_user(self, user: User) -> None:
        """Register a user; one of the same `_id` is replaced."""
        self._users[user.user_id] = user

    def add_enduser(self, enduser: EndUser) -> None:
        """Register an end user; one of the same `_id` is replaced."""
        self._endusers[enduser.enduser_id] = enduser
        if enduser.email:
            self._by_email[enduser.email] = enduser

    def named(self, changes: Record) -> Record:
        """What follows for a record from the people that its changes name."""
        found: Record = {}
        for field, known in (("users", self._users), ("endusers", self._endusers)):
            if known and isinstance(changes.get(field), list):
                found[field] = [_with_name(person, known) for person in changes[field]]
        owner = _known(changes.get("ownerId"), self._users)
        if owner is not None and "ownerName" not in changes:
            found["ownerName"] = owner.name
        enduser = _known(changes.get("email"), self._by_email)
        if enduser is not None:
            found["endusers"] = [{"id": enduser.enduser_id, "name": enduser.name}]
        return found


def _known(key: object, people: dict[str, Any]) -> Any:
    return people.get(key) if isinstance(key, str) else None


def _with_name(person: object, known: dict[str, Any]) -> object:
    found = _known(person.get("id"), known) if isinstance(person, dict) else None
    return person if found is None or not isinstance(person, dict) else {**person, "name": found.name}
