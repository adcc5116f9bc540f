"""Assets: what a customer owns or uses."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

ASSETS = Rules(
    name="assets",
    path="assets",
    filters=(company_filter(),),
    match=MATCH,
    writable=words("companyId externalId sourceId name serialNumber value _currency installDate status ownerId custom"),
    times=words("installDate"),
    unique_in_company=OWN_KEY,
    needs=(("name",), ("companyId",)),
    defaults={"__v": 0},
    undocumented=words("create delete"),
)
