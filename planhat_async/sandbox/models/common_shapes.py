"""What the declarations of most models say in the same way."""

from __future__ import annotations

from planhat_async.sandbox.models.list_filters import OneOf

KeyPairs = tuple[tuple[str, str], ...]


def pairs(names: str) -> KeyPairs:
    """Keys that are stored under the name under which they are sent."""
    return tuple((name, name) for name in names.split())


MATCH = pairs("_id sourceId externalId")
"""The keys that a bulk upsert of most models matches in turn."""
OWN_KEY = ("externalId",)
"""The key that is unique in a company only."""


def company_filter(*, field: str = "companyId", is_many: bool = False) -> OneOf:
    """The parameter `companyId`; only some models document several ids in it."""
    return OneOf(parameter="companyId", field=field, model="companies", is_many=is_many)
