"""The collection that conversations, notes and tickets share."""

from __future__ import annotations

from typing import Any

from planhat_async.sandbox.store import Record

NOTE_PARTITION, TICKET_PARTITION, OTHER_PARTITION = "notes", "tickets", "others"


def partition_of(record: Record) -> str:
    """The partition of a conversation."""
    if record.get("type") == "ticket":
        return TICKET_PARTITION
    return NOTE_PARTITION if record.get("type") == "note" or record.get("isCustomType") is True else OTHER_PARTITION


CONVERSATION_DEFAULTS: dict[str, Any] = {
    "starred": False,
    "pinned": False,
    "autoTags": [],
    "activityTags": [],
    "emailTemplateIds": [],
    "isOpen": False,
    "tags": [],
    "waitsToBeFiltered": True,
    "timeBucket": [],
    "archived": False,
    "users": [],
    "endusers": [],
    "sender": [],
    "history": [],
}
"""The fields of any new conversation that were not sent."""
