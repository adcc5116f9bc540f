"""Tickets: conversations of the type `ticket`, which have a path of their own."""

from __future__ import annotations

from datetime import datetime

from planhat_async.sandbox import times
from planhat_async.sandbox.markup import snippet_of
from planhat_async.sandbox.models.conversation_partitions import CONVERSATION_DEFAULTS, TICKET_PARTITION
from planhat_async.sandbox.models.list_filters import Containing, Equal, OneOf
from planhat_async.sandbox.models.people import enduser_of_email
from planhat_async.sandbox.models.rules import CompanyReference, Rules, words
from planhat_async.sandbox.store import Record

COMPANY_FIELDS = (("companyId", "_id"), ("companyExternalId", "externalId"), ("domains", "domains"))


def derived(sent: Record) -> Record:
    """The fields sent, under the names that conversations use, and the times of the history."""
    fields = derived_as_conversation(sent)
    if "type" in sent:
        fields["subType"] = sent["type"] or "ticket"
    return fields


def derived_as_conversation(sent: Record) -> Record:
    """The same for a ticket sent as a conversation, where `type` does not name a kind of ticket."""
    fields = snippet_of(sent)
    if "type" in sent:
        fields["type"] = "ticket"
    if "sourceId" in sent:
        fields["externalId"] = sent["sourceId"]
    if "title" in sent:
        fields["subject"] = sent["title"]
    moments = _history_times(sent.get("history"))
    return fields | (_times(moments[0], moments[-1]) if moments else {})


def _history_times(history: object) -> list[datetime]:
    entries = history if isinstance(history, list) else []
    moments = (times.parsed(entry.get("time")) for entry in entries if isinstance(entry, dict))
    return [moment for moment in moments if moment is not None]


def _times(first: datetime, last: datetime) -> Record:
    latest = times.written(last)
    return {
        "createDate": times.written(first),
        "updateDate": latest,
        "date": latest,
        "inDate": latest,
        "days": times.days(last),
        "timeBucket": times.buckets(last),
    }


TICKETS = Rules(
    name="tickets",
    path="tickets",
    collection="conversations",
    partitions=(TICKET_PARTITION,),
    filled_in={"type": "ticket"},
    default_limit=500,
    max_limit=10_000,
    filters=(
        OneOf(parameter="companyId", field="companyId", model="companies"),
        Equal(parameter="status", field="status"),
        Equal(parameter="email", field="email"),
        Containing(parameter="search", field="snippet"),
    ),
    get_keys=(),
    update_keys=(),
    is_creatable=False,
    match=(("_id", "_id"), ("sourceId", "externalId")),
    writable=words(
        "source companyId sourceId email domains companyExternalId title description url tags type severity product "
        "timeSpent status history name agentEmail custom"
    ),
    texts=("companyId", "companyExternalId", "sourceId", "type"),
    lists=("domains",),
    unique=(("sourceId", "externalId"),),
    needs=(("sourceId",), ("companyId", "companyExternalId", "domains")),
    dropped_without=("email",),
    company=CompanyReference(fields=COMPANY_FIELDS, key_kinds=("_id",)),
    infer=(enduser_of_email,),
    derive=derived,
    sent_only=words("sourceId title description"),
    defaults=CONVERSATION_DEFAULTS | {"type": "ticket", "subType": "ticket"},
    dated=lambda moment: _times(moment, moment),
    touches="updateDate",
    is_itemised=False,
    counts_deletions=False,
    undocumented=frozenset(),
)
