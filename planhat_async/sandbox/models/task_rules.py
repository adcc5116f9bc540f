"""Tasks, and events: they have one path."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.markup import snippet_of
from planhat_async.sandbox.models.list_filters import AnyOf, OneOf, PartitionFilter
from planhat_async.sandbox.models.people import owner_named
from planhat_async.sandbox.models.rules import Rules, words

TASKS = Rules(
    name="tasks",
    path="tasks",
    partition_of=lambda record: "archived" if record.get("isArchived") is True else "open",
    default_limit=500,
    max_limit=10_000,
    filters=(
        OneOf(parameter="companyId", field="companyId", model="companies"),
        AnyOf(parameter="enduserIds", field="endusers"),
        PartitionFilter(parameter="isArchived", on=("archived",), off=("open",)),
    ),
    match=(("_id", "_id"), ("sourceId", "sourceId")),
    writable=words(
        "mainType companyId sourceId startTime endTime dateDone action description repeat repeatDays type ownerId "
        "ownerName doneBy noSpecificTime activityTags isArchived status checklist snippet custom"
    ),
    times=words("startTime endTime dateDone"),
    texts=("companyId", "sourceId", "type"),
    needs=(("companyId",),),
    needs_with=(("repeat", "custom", "repeatDays", int),),
    infer=(owner_named,),
    derive=snippet_of,
    defaults={
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
        "__v": 0,
    },
    dated=lambda moment: times.stamped(moment, "createdAt", "updatedAt"),
    touches="updatedAt",
    hidden_on_write=words("children comments"),
    created_answer=lambda record, _: record | {"userEmail": "user@example.com"},
    undocumented=frozenset(),
)
