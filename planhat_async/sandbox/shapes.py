"""What Planhat makes of the fields it was sent."""

from __future__ import annotations

import html
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from planhat_async.sandbox import times
from planhat_async.sandbox.fields import NOTES, TASKS, TICKETS, Model
from planhat_async.sandbox.store import Record

USER_ID = "5d66266e187f60020bc8036f"
_STANDARD_TYPES = frozenset({"note", "ticket", "email", "chat", "call", "meeting"})

_PARAGRAPH = re.compile(r"</(?:p|div)>", re.IGNORECASE)
_LINE = re.compile(r"<br ?/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")


def plain_text(markup: object) -> str:
    """The text of a description without its HTML tags, paragraphs kept apart by an empty line."""
    if not isinstance(markup, str):
        return ""
    if "<" not in markup and "&" not in markup:
        return markup.strip()
    text = _LINE.sub("\n", _PARAGRAPH.sub("\n\n", markup))
    return html.unescape(_TAG.sub("", text)).strip()


@lru_cache(maxsize=8)
def defaults(model: Model, now: float) -> Record:
    """The fields of a record created at `now` (Unix seconds) that nobody sent; not to be changed.

    The rows of one bulk upsert share them: making them anew for each was a fifth of its time.
    """
    moment = times.at(now)
    written = times.written(moment)
    if model is TASKS:
        return {
            "mainType": "task",
            "noSpecificTime": False,
            "shared": False,
            "overdueNotified": False,
            "activityTags": [],
            "isArchived": False,
            "status": "In-progress",
            "endusers": [],
            "users": [],
            "checklist": [],
            "children": [],
            "comments": [],
            "createdAt": written,
            "updatedAt": written,
            "__v": 0,
        }
    return _conversation_defaults() | (_note_defaults(written) if model is NOTES else _ticket_defaults(moment))


def derived(model: Model, sent: Record) -> Record:
    """The fields that follow from those sent."""
    fields: Record = {}
    if "description" in sent:
        fields["snippet"] = plain_text(sent["description"])
    if model is NOTES:
        if "users" in sent:
            fields["userIds"] = ids_of(sent["users"])
        if "type" in sent:
            fields["isCustomType"] = sent["type"] not in _STANDARD_TYPES
    if model is TICKETS:
        fields |= _ticket_fields(sent)
    return fields


def touched(model: Model, now: float) -> Record:
    """The time of the change, where the model keeps one."""
    if model is NOTES:
        return {}
    return {"updatedAt" if model is TASKS else "updateDate": times.written(times.at(now))}


def create_answer(model: Model, record: Record, company_source_id: str | None) -> Record:
    """A record with the fields that only the answer to its creation has."""
    if model is TASKS:
        return record | {"userEmail": "user@example.com"}
    texts = [text for text in (record.get("subject"), record.get("snippet")) if isinstance(text, str) and text]
    extra = {
        "owner": USER_ID,
        "followers": [],
        "userId": USER_ID,
        "nickName": "Sandbox",
        "note": ": ".join(texts),
    }
    return record | extra | ({} if company_source_id is None else {"companySourceId": company_source_id})


def ids_of(people: object) -> list[Any]:
    """The ids in a list of `{id, name}`, passing over what is none."""
    if not isinstance(people, list):
        return []
    return [person["id"] for person in people if isinstance(person, dict) and "id" in person]


def _conversation_defaults() -> Record:
    return {
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


def _note_defaults(written: str) -> Record:
    return {
        "date": written,
        "createDate": written,
        "userIds": [],
        "hasMore": False,
        "isCustomType": False,
        "assigneeName": "",
        "hasAttachments": False,
        "isSeen": False,
        "__v": 0,
    }


def _ticket_defaults(moment: datetime) -> Record:
    return {"type": "ticket", "subType": "ticket", **_ticket_times(moment, moment)}


def _ticket_fields(sent: Record) -> Record:
    fields: Record = {}
    if "type" in sent:
        fields |= {"type": "ticket", "subType": sent["type"] or "ticket"}
    if "sourceId" in sent:
        fields["externalId"] = sent["sourceId"]
    if "title" in sent:
        fields["subject"] = sent["title"]
    moments = _history_times(sent.get("history"))
    return fields | (_ticket_times(moments[0], moments[-1]) if moments else {})


def _history_times(history: object) -> list[datetime]:
    entries = history if isinstance(history, list) else []
    moments = (times.read(entry.get("time")) for entry in entries if isinstance(entry, dict))
    return [moment for moment in moments if moment is not None]


def _ticket_times(first: datetime, last: datetime) -> Record:
    latest = times.written(last)
    return {
        "createDate": times.written(first),
        "updateDate": latest,
        "date": latest,
        "inDate": latest,
        "days": times.days(last),
        "timeBucket": times.buckets(last),
    }
