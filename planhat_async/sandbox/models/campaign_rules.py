"""Campaigns: what a customer's end users are sent."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

CAMPAIGNS = Rules(
    name="campaigns",
    path="campaigns",
    filters=(company_filter(),),
    match=MATCH,
    writable=words("name campaignPurpose companyId externalId sourceId custom"),
    unique_in_company=OWN_KEY,
    needs=(("name",), ("companyId",)),
    defaults={"__v": 0},
)
