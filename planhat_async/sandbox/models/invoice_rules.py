"""Invoices: they name their company, and their own key, otherwise than other models do."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from planhat_async.sandbox import times
from planhat_async.sandbox.messages import RefusedError
from planhat_async.sandbox.models.common_shapes import company_filter, pairs
from planhat_async.sandbox.models.rules import CompanyReference, Rules, words
from planhat_async.sandbox.store import Record


def with_line_items(sent: Record) -> Record:
    """The line items as answers have them: with an `_id`, and without `relatedId`.

    Raises:
        RefusedError: A day of a line item is not a whole number.
    """
    items = sent.get("lineItems")
    if not isinstance(items, list):
        return {}
    return {
        "lineItems": [_stored(item, number) if isinstance(item, dict) else item for number, item in enumerate(items)]
    }


def _stored(item: dict[str, Any], number: int) -> dict[str, Any]:
    for name in ("dateFrom", "dateTo"):
        if not (item.get(name) is None or type(item[name]) is int):  # a bool is an int too
            raise RefusedError("lineItems", f"lineItems.{name}: Not valid type")
    kept = {name: value for name, value in item.items() if name != "relatedId"}
    # The same items again have the same ids, and change nothing.
    made = hashlib.blake2b(msgspec.json.encode([number, kept]), digest_size=12).hexdigest()
    return {"_id": made, **kept}


INVOICES = Rules(
    name="invoices",
    path="invoices",
    indexes=("sourceId", "extId"),
    filters=(company_filter(field="cId", is_many=True),),
    key_fields={"extid": "extId", "srcid": "sourceId"},
    match=pairs("_id sourceId extId"),
    writable=words(
        "cId extId sourceId currency product invoiceDate dueDate paidDate amountTotal status lineItems custom"
    ),
    company=CompanyReference(fields=(("cId", "_id"),), name_field="cName"),
    integers=("invoiceDate", "dueDate", "paidDate"),
    lists=("lineItems",),
    unique_in_company=("extId",),
    needs=(("cId",),),
    bulk_needs=(("cId",), ("currency",), ("invoiceDate",)),
    disputed_needs={"tables_are_right": (("currency",), ("invoiceDate",))},
    derive=with_line_items,
    defaults={"status": "pending", "emails": [], "comments": [], "__v": 0},
    dated=lambda moment: times.stamped(moment, "updatedAt"),
    touches="updatedAt",
    identity=("_id", "sourceId", "extId"),
)
