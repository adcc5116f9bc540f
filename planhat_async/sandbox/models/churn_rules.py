"""Churn: revenue that a customer no longer brings; the path is singular."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import OWN_KEY, company_filter, pairs
from planhat_async.sandbox.models.list_filters import FlagChoice, NotAfter, NotBefore
from planhat_async.sandbox.models.rules import Rules, words

CHURNS = Rules(
    name="churns",
    path="churn",
    filters=(
        FlagChoice(parameter="downgrades", field="isChurn", values={"only": (False,), "excluded": (True, None)}),
        NotBefore(parameter="from", field="churnDate"),
        NotAfter(parameter="to", field="churnDate"),
        company_filter(),
    ),
    get_keys=("_id",),
    update_keys=("_id", "srcid"),
    maybe_match=pairs("sourceId externalId"),
    writable=words("companyId churnDate reasons value currency comment sourceId externalId isChurn churnReason custom"),
    unique_in_company=OWN_KEY,
    disputed_needs={"tables_are_right": (("companyId",), ("value",))},
    defaults={"__v": 0},
    dated=lambda moment: times.stamped(moment, "createDate"),
    undocumented=words("create update delete"),
)
