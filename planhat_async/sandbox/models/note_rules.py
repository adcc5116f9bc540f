"""Notes: conversations of the type `note`, or of a custom one."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.markup import snippet_of
from planhat_async.sandbox.models.conversation_partitions import CONVERSATION_DEFAULTS, NOTE_PARTITION, OTHER_PARTITION
from planhat_async.sandbox.models.list_filters import OneOf, ids_of
from planhat_async.sandbox.models.people import named_in
from planhat_async.sandbox.models.rules import CompanyReference, Find, Rules, words
from planhat_async.sandbox.models.ticket_rules import COMPANY_FIELDS
from planhat_async.sandbox.store import Record

USER_ID = "5d66266e187f60020bc8036f"
_STANDARD_TYPES = frozenset({"note", "ticket", "email", "chat", "call", "meeting"})
_WRITABLE = words(
    "companyId companyExternalId subject description date activityTags users type endusers custom externalId sourceId"
)
_INFER = (named_in("users", "users", "nickName"), named_in("endusers", "endusers", "name"))
_TEXTS = ("companyId", "companyExternalId", "sourceId", "externalId", "type")


def derived(sent: Record) -> Record:
    """The snippet, the ids of `users`, and whether the type is a custom one."""
    fields = snippet_of(sent)
    if "users" in sent:
        fields["userIds"] = ids_of(sent["users"])
    if "type" in sent:
        fields["isCustomType"] = sent["type"] not in _STANDARD_TYPES
    return fields


def created_answer(record: Record, find: Find) -> Record:
    """The record, who wrote it, its texts in one, and the source id of its company."""
    texts = [text for text in (record.get("subject"), record.get("snippet")) if isinstance(text, str) and text]
    extra: Record = {
        "owner": USER_ID,
        "followers": [],
        "userId": USER_ID,
        "nickName": "Sandbox",
        "note": ": ".join(texts),
    }
    company = find("companies", "_id", record.get("companyId"))
    source_id = None if company is None else company.get("sourceId")
    return record | extra | ({} if source_id is None else {"companySourceId": source_id})


NOTES = Rules(
    name="notes",
    path="conversations",
    collection="conversations",
    partitions=(NOTE_PARTITION,),
    key_partitions=(NOTE_PARTITION, OTHER_PARTITION),
    visible_partitions=(),
    filled_in={"type": "note"},
    default_limit=30,
    max_limit=2_000,
    filters=(OneOf(parameter="companyId", field="companyId", model="companies"),),
    writable=_WRITABLE,
    times=words("date"),
    texts=_TEXTS,
    needs=(("companyId", "companyExternalId"), ("type",)),
    company=CompanyReference(fields=COMPANY_FIELDS[:2]),
    infer=_INFER,
    derive=derived,
    defaults=CONVERSATION_DEFAULTS
    | {
        "userIds": [],
        "hasMore": False,
        "isCustomType": False,
        "assigneeName": "",
        "hasAttachments": False,
        "isSeen": False,
        "__v": 0,
    },
    dated=lambda moment: times.stamped(moment, "date", "createDate"),
    hidden_on_write=words("userIds hasMore isCustomType assigneeName hasAttachments isSeen"),
    created_answer=created_answer,
    counts_deletions=False,
    undocumented=frozenset(),
)
