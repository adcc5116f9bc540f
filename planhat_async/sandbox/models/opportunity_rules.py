"""Opportunities: revenue that a customer may bring."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import OWN_KEY, company_filter, pairs
from planhat_async.sandbox.models.rules import Rules, words

OPPORTUNITIES = Rules(
    name="opportunities",
    path="opportunities",
    filters=(company_filter(),),
    update_keys=("_id", "extid"),
    match=pairs("_id externalId"),
    writable=words(
        "salesStage companyId dealDate landingDate closeDate externalId sourceId _currency title ownerId mrr arr nrr "
        "contractLength status recurringValue custom"
    ),
    times=words("dealDate landingDate closeDate"),
    unique_in_company=OWN_KEY,
    needs=(("companyId",),),
    defaults={"contractLength": 12, "stageHistory": [], "__v": 0},
    dated=lambda moment: times.stamped(moment, "landingDate"),
    undocumented=words("create delete"),
)
