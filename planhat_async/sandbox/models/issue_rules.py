"""Issues: bugs and requests, each of any number of companies."""

from __future__ import annotations

from typing import Any

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import company_filter, pairs
from planhat_async.sandbox.models.rules import CompanyReference, Find, Inference, Rules, words
from planhat_async.sandbox.store import Record


def named(ids: str, model: str, field: str) -> Inference:
    """`field`, a list of `{id, name}`: the registered records of a list of ids."""

    def infer(changes: Record, find: Find) -> Record:
        sent: Any = changes.get(ids)
        if not isinstance(sent, list):
            return {}
        found = (find(model, "_id", one) for one in sent)
        return {field: [{"id": one["_id"], "name": one.get("name", "")} for one in found if one is not None]}

    return infer


ISSUES = Rules(
    name="issues",
    path="issues",
    indexes=("sourceId",),
    filters=(company_filter(field="companyIds"),),
    get_keys=("_id", "srcid"),
    update_keys=("_id", "srcid"),
    match=pairs("_id sourceId"),
    writable=words(
        "title description companyIds enduserIds conversationIds sourceId source sourceUrl priority archived status "
        "followers custom"
    ),
    company=CompanyReference(fields=(("companyIds", "_id"),), name_field=None, is_list=True),
    lists=("companyIds", "enduserIds", "conversationIds"),
    needs=(("title",),),
    disputed_needs={"tables_are_right": (("companyIds",),)},
    infer=(named("companyIds", "companies", "companies"), named("enduserIds", "endusers", "endusers")),
    defaults={
        "companyMatchingValue": [],
        "companyIds": [],
        "companies": [],
        "enduserIds": [],
        "endusers": [],
        "conversationIds": [],
        "archived": False,
        "__v": 0,
    },
    dated=lambda moment: times.stamped(moment, "createdAt", "updatedAt"),
    touches="updatedAt",
)
