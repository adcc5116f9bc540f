"""Line items: the positions of a deal."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import OWN_KEY, pairs
from planhat_async.sandbox.models.revenue import yearly
from planhat_async.sandbox.models.rules import UNKNOWN_DEFAULT_LIMIT, UNKNOWN_MAX_LIMIT, Rules, words
from planhat_async.sandbox.store import Record

_yearly = yearly(arr="mrr")


def monthly_and_yearly(sent: Record) -> Record:
    """`arr` from `mrr`, or the other way round if only `arr` was sent."""
    arr = sent.get("arr")
    return {"mrr": arr / 12} if "mrr" not in sent and isinstance(arr, int | float) else _yearly(sent)


LINE_ITEMS = Rules(
    name="line_items",
    path="lineitems",
    company=None,
    default_limit=UNKNOWN_DEFAULT_LIMIT,
    max_limit=UNKNOWN_MAX_LIMIT,
    maybe_match=pairs("sourceId externalId"),
    writable=words("externalId sourceId dealId productId type fixedPeriod fromDate toDate length mrr arr value status"),
    times=words("fromDate toDate"),
    unique_in_company=OWN_KEY,
    derive=monthly_and_yearly,
    defaults={"status": "ongoing", "__v": 0},
    undocumented=words("create update delete"),
)
