"""Projects: work for a customer."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

PROJECTS = Rules(
    name="projects",
    path="projects",
    filters=(company_filter(),),
    match=MATCH,
    writable=words("name companyId externalId sourceId currency startDate endDate mrr arr nrr custom"),
    times=words("startDate endDate"),
    unique_in_company=OWN_KEY,
    needs=(("name",), ("companyId",)),
    defaults={"__v": 0},
    undocumented=words("create delete"),
)
