"""NPS answers: how likely an end user is to recommend."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import company_filter, pairs
from planhat_async.sandbox.models.list_filters import MaxAge
from planhat_async.sandbox.models.rules import CompanyReference, Find, Rules, words
from planhat_async.sandbox.store import Record


def enduser_of_email(changes: Record, find: Find) -> Record:
    """`euId` and, unless it was sent, `cId`, from the end user whose address `email` is."""
    enduser = find("endusers", "email", changes.get("email"))
    if enduser is None:
        return {}
    company = {} if "cId" in changes or "companyId" not in enduser else {"cId": enduser["companyId"]}
    return {"euId": enduser["_id"], **company}


NPS = Rules(
    name="nps",
    path="nps",
    indexes=("sourceId",),
    max_limit=10_000,
    filters=(
        company_filter(field="cId", is_many=True),
        MaxAge(parameter="npsExpiryDay", field="dateAnswered", default="360"),
        MaxAge(parameter="npsExpiryDay", field="npsDate", default="360"),
    ),
    get_keys=("_id", "srcid"),
    update_keys=("_id", "srcid"),
    match=pairs("_id sourceId"),
    writable=words("cId email campaignId score comment sourceId dateSent dateAnswered source custom"),
    times=words("dateSent dateAnswered"),
    company=CompanyReference(fields=(("cId", "_id"),), key_kinds=("_id",), name_field=None),
    needs=(("email",), ("score",)),
    infer=(enduser_of_email,),
    live_names={"score": "nps", "comment": "npsComment", "dateAnswered": "npsDate"},
    defaults={"__v": 0},
    undocumented=words("create update delete"),
)
