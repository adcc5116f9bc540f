"""Users: the people who work with Planhat."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import pairs
from planhat_async.sandbox.models.rules import Rules, words
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


USERS = Rules(
    name="users",
    path="users",
    indexes=("externalId", "email"),
    is_replaceable=True,
    company=None,
    default_limit=10_000,
    max_limit=10_000,
    listed_fields=(
        "createdAt",
        "email",
        "externalId",
        "firstName",
        "image",
        "inactive",
        "isExposedAsSenderOption",
        "isHidden",
        "lastName",
        "managers",
        "nickName",
        "removed",
        "teams",
        "tzOffset",
        "updatedAt",
    ),
    get_keys=("_id", "extid"),
    update_keys=("_id", "extid"),
    match=pairs("_id externalId email"),
    writable=words(
        "email nickName firstName lastName roles externalId inactive isHidden notificationsEnabled createdAt tzOffset "
        "managers teams isExposedAsSenderOption custom"
    ),
    times=words("createdAt"),
    unique=(),
    unique_in_company=("externalId",),
    needs=(("nickName",), ("email",), ("firstName",), ("lastName",)),
    defaults={
        "image": {"path": ""},
        "isHidden": False,
        "removed": False,
        "inactive": True,
        "notificationsEnabled": True,
        "compressedView": False,
        "companyFilter": "",
        "taskFilter": "",
        "radarOneLine": False,
        "roles": [],
        "apiTokens": [],
        "isExposedAsSenderOption": False,
        "defaultMeetingLength": 60,
        "type": "user",
        "__v": 0,
    },
    dated=lambda moment: times.stamped(moment, "createDate", "createdAt", "updatedAt"),
    touches="updatedAt",
    identity=("_id", "externalId", "email"),
)
