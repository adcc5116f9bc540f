"""End users: the people who work at a customer."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import OWN_KEY, company_filter, pairs
from planhat_async.sandbox.models.list_filters import Equal, PartitionFilter
from planhat_async.sandbox.models.rules import CompanyReference, Rules, words
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


def full_name(enduser: Record) -> Record:
    """`name`, from the first name and the last name, unless there is neither."""
    names = [enduser.get("firstName"), enduser.get("lastName")]
    parts = [name for name in names if isinstance(name, str) and name]
    return {"name": " ".join(parts)} if parts else {}


ENDUSERS = Rules(
    name="endusers",
    path="endusers",
    indexes=("sourceId", "externalId", "email"),
    partition_of=lambda record: "archived" if record.get("archived") is True else "active",
    is_replaceable=True,
    filters=(
        company_filter(is_many=True),
        PartitionFilter(parameter="archived", on=("active", "archived"), off=("active",)),
        Equal(parameter="email", field="email"),
        Equal(parameter="euId", field="_id"),
    ),
    match=pairs("_id sourceId externalId email"),
    writable=words(
        "email firstName lastName companyId externalId sourceId position phone tags featured primary archived "
        "otherEmails npsUnsubscribed custom"
    ),
    company=CompanyReference(address_field="email"),
    unique_in_company=OWN_KEY,
    needs=(("email", "externalId", "sourceId"), ("companyId", "email")),
    compute=full_name,
    defaults={
        "tags": [],
        "featured": False,
        "archived": False,
        "sharedNotificationsPrefs": {"enabled": [], "disabled": [], "disabledEvents": []},
        "otherEmails": [],
        "npsUnsubscribed": False,
        "beatTrend": 0,
        "beats": 0,
        "beatsTotal": 0,
        "convs14": 0,
        "convsTotal": 0,
        "experience": 0,
        "relatedEndusers": [],
        "__v": 0,
    },
    dated=lambda moment: times.stamped(moment, "createDate", "updatedAt"),
    touches="updatedAt",
    undocumented=words("create delete"),
)
