"""Companies, which the records of other models name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from attrs import field, frozen

from planhat_async.sandbox.models.rules import Rules
from planhat_async.sandbox.store import Record


@frozen
class Company:
    """A company that records can name."""

    MODEL: ClassVar[str] = "companies"

    company_id: str
    """Its `_id`."""
    external_id: str | None = None
    """What `extid-…` and `companyExternalId` name it by."""
    source_id: str | None = None
    """What `srcid-…` names it by."""
    name: str = ""
    """Comes back as `companyName`."""
    domains: Iterable[str] = field(default=(), converter=tuple[str, ...])
    """What a ticket's `domains` name it by."""

    def record(self) -> Record:
        """As it is stored."""
        keys = {"externalId": self.external_id, "sourceId": self.source_id}
        known = {name: key for name, key in keys.items() if key is not None}
        return {"_id": self.company_id, **known, "name": self.name, "domains": list(self.domains)}


COMPANIES = Rules(
    name="companies",
    indexes=("sourceId", "externalId", "domains"),
    is_replaceable=True,
    company=None,
)
