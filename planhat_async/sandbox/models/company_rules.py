"""Companies, which the records of other models name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from attrs import field, frozen

from planhat_async.sandbox import times
from planhat_async.sandbox.models.list_filters import OneOf
from planhat_async.sandbox.models.rules import Rules, words
from planhat_async.sandbox.store import Record


@frozen
class Company:
    """A company that records can name."""

    MODEL: ClassVar[str] = "companies"

    company_id: str
    """Its `_id`."""
    external_id: str | None = None
    """The key in `extid-…` and `companyExternalId`."""
    source_id: str | None = None
    """The key in `srcid-…`."""
    name: str = ""
    """The `companyName` of its records."""
    domains: Iterable[str] = field(default=(), converter=tuple[str, ...])
    """The names that match a ticket's `domains`."""

    def record(self) -> Record:
        """As it is stored."""
        keys = {"externalId": self.external_id, "sourceId": self.source_id}
        known = {name: key for name, key in keys.items() if key is not None}
        return {"_id": self.company_id, **known, "name": self.name, "domains": list(self.domains)}


COMPANIES = Rules(
    name="companies",
    path="companies",
    indexes=("sourceId", "externalId", "domains"),
    is_replaceable=True,
    company=None,
    default_limit=100,
    max_limit=5_000,
    filters=(OneOf(parameter="companyId", field="_id", model="companies"),),
    match=(("_id", "_id"), ("sourceId", "sourceId"), ("externalId", "externalId")),
    writable=words(
        "name externalId sourceId owner coOwner phase status domains h csmScore mr nrr30 mrrTotal nrrTotal mrTotal "
        "description address country city zip phonePrimary web tags followers custom"
    ),
    texts=("name", "externalId", "sourceId"),
    lists=("domains",),
    unique=(("sourceId", "sourceId"), ("externalId", "externalId")),
    needs=(("name",),),
    defaults={
        "status": "prospect",
        "domains": [],
        "followers": [],
        "tags": [],
        "products": [],
        "sales": [],
        "licenses": [],
        "alerts": [],
        "__v": 0,
    },
    dated=lambda moment: times.stamped(moment, "createDate", "lastUpdated", "updatedAt"),
    touches="updatedAt",
    undocumented=words("create delete"),
)
