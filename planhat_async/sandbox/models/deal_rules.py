"""Deals: contracts with a customer, and those that may come."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import OWN_KEY, pairs
from planhat_async.sandbox.models.revenue import yearly
from planhat_async.sandbox.models.rules import UNKNOWN_MAX_LIMIT, CompanyReference, Rules, words

DEALS = Rules(
    name="deals",
    path="deals",
    max_limit=UNKNOWN_MAX_LIMIT,
    maybe_match=pairs("sourceId externalId"),
    writable=words("name companyId externalId sourceId stage ownerId followers mrr total fees currency closeDate"),
    times=words("closeDate"),
    company=CompanyReference(key_kinds=("_id",)),
    unique_in_company=OWN_KEY,
    needs=(("companyId",),),
    derive=yearly(arr="mrr"),
    defaults={"__v": 0},
    undocumented=words("create update delete"),
)
