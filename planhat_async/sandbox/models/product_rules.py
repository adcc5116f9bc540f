"""Products: the catalogue of what is sold. It belongs to no company."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import OWN_KEY, pairs
from planhat_async.sandbox.models.revenue import yearly
from planhat_async.sandbox.models.rules import UNKNOWN_DEFAULT_LIMIT, UNKNOWN_MAX_LIMIT, Rules, words

PRODUCTS = Rules(
    name="products",
    path="products",
    company=None,
    default_limit=UNKNOWN_DEFAULT_LIMIT,
    max_limit=UNKNOWN_MAX_LIMIT,
    maybe_match=pairs("sourceId externalId"),
    writable=words(
        "name externalId sourceId type mrr value currency fixedPeriod autoRenews length renewalMrr renewalPeriod "
        "noticePeriod noticeUnit packages color custom"
    ),
    unique_in_company=OWN_KEY,
    needs=(("name",),),
    derive=yearly(arr="mrr", renewalArr="renewalMrr"),
    defaults={"type": "subscription", "__v": 0},
    dated=lambda moment: times.stamped(moment, "createdAt", "updatedAt"),
    touches="updatedAt",
    undocumented=words("create update delete"),
)
