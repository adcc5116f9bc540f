"""Workspaces: parts of a customer's account."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

WORKSPACES = Rules(
    name="workspaces",
    path="workspaces",
    filters=(company_filter(),),
    match=MATCH,
    writable=words("name ownerId companyId externalId sourceId custom"),
    unique_in_company=OWN_KEY,
    needs=(("name",), ("companyId",)),
    defaults={"__v": 0},
    undocumented=words("create update delete"),
)
