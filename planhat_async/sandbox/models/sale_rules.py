"""Sales: revenue that does not recur."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

SALES = Rules(
    name="sales",
    path="sales",
    filters=(company_filter(),),
    match=MATCH,
    writable=words("_currency product companyId externalId sourceId salesDate value custom"),
    times=words("salesDate"),
    unique_in_company=OWN_KEY,
    needs=(("companyId",),),
    bulk_needs=(("companyId",), ("_currency",), ("value",)),
    disputed_needs={"tables_are_right": (("_currency",), ("value",), ("salesDate",))},
    defaults={"__v": 0},
    undocumented=words("create update delete"),
)
