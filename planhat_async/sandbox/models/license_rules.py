"""Licenses: recurring revenue of a customer."""

from __future__ import annotations

from planhat_async.sandbox.models.common_shapes import MATCH, OWN_KEY, company_filter
from planhat_async.sandbox.models.rules import Rules, words

LICENSES = Rules(
    name="licenses",
    path="licenses",
    filters=(company_filter(),),
    match=MATCH,
    writable=words(
        "product _currency companyId externalId sourceId fromDate toDate fixedPeriod mrr arr renewalMrr renewalArr "
        "fcNewMrr fcNewArr fcNewMrrOptimistic fcNewArrOptimistic fcNewMrrPessimistic fcNewArrPessimistic value "
        "renewalStatus renewalPeriod autoRenews renewalUnit parent invoicesGenerated invoiceMuted "
        "invoiceCycleInterval custom"
    ),
    times=words("fromDate toDate"),
    unique_in_company=OWN_KEY,
    needs=(("companyId",),),
    bulk_needs=(("companyId",), ("_currency",), ("value", "mrr")),
    disputed_needs={"tables_are_right": (("_currency",), ("value", "mrr"), ("fromDate",))},
    defaults={
        "fixedPeriod": False,
        "renewalPeriod": 1,
        "renewalUnit": "month",
        "autoRenews": False,
        "noticePeriod": None,
        "noticeUnit": None,
        "invoicesGenerated": False,
        "invoiceMuted": False,
        "toDateIncluded": False,
        "issues": [],
        "__v": 0,
    },
    undocumented=words("create delete"),
)
