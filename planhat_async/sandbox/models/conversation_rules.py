"""Conversations: notes, tickets and all others, which have one path."""

from __future__ import annotations

from attrs import evolve

from planhat_async.sandbox.models.common_shapes import pairs
from planhat_async.sandbox.models.conversation_partitions import NOTE_PARTITION, OTHER_PARTITION, partition_of
from planhat_async.sandbox.models.note_rules import NOTES
from planhat_async.sandbox.models.rules import CompanyReference, words
from planhat_async.sandbox.models.ticket_rules import COMPANY_FIELDS, TICKETS, derived_as_conversation

_WRITABLE = words(
    "companyId subject description snippet date outDate type users endusers externalId sourceId activityTags starred "
    "pinned archived ownerId useSubject custom"
)
_AS_NOTE = evolve(NOTES, writable=_WRITABLE | NOTES.writable, times=words("date outDate"))
_AS_TICKET = evolve(
    TICKETS,
    writable=NOTES.writable | TICKETS.writable,
    times=NOTES.times,
    texts=NOTES.texts,
    needs=TICKETS.needs[1:],
    company=CompanyReference(fields=COMPANY_FIELDS),
    infer=(*NOTES.infer, *TICKETS.infer),
    derive=derived_as_conversation,
)

CONVERSATIONS = evolve(
    NOTES,
    name="conversations",
    partition_of=partition_of,
    partitions=(),
    key_partitions=(NOTE_PARTITION, OTHER_PARTITION),
    filled_in={},
    maybe_match=pairs("sourceId externalId"),
    writable=_WRITABLE,
    times=words("date outDate"),
    texts=("companyId", "sourceId", "externalId", "type"),
    needs=(("companyId",),),
    disputed_needs={"conversations_need_type": (("type",),)},
    refused={"type": words("email chat call")},
    defaults={**NOTES.defaults, "type": "note"},
    variants={"note": _AS_NOTE, "ticket": _AS_TICKET},
)
