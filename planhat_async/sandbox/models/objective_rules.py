"""Objectives: what a customer wants to reach."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

OBJECTIVES = Rules(
    name="objectives",
    path="objectives",
    filters=(company_filter(),),
    match=MATCH,
    writable=words("name health companyId externalId sourceId custom"),
    unique_in_company=OWN_KEY,
    needs=(("name",), ("companyId",)),
    defaults={"__v": 0},
)
