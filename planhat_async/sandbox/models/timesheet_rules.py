"""Timesheets: the time entries of a user in some days. Their only key is the `_id`."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.models.rules import Rules, words
from planhat_async.sandbox.store import Record


def ids_of_entries(sent: Record) -> Record:
    """`timeEntries` as answers have them: `{"_id": id}` becomes the id."""
    entries = sent.get("timeEntries")
    if not isinstance(entries, list):
        return {}
    return {"timeEntries": [one["_id"] if isinstance(one, dict) and "_id" in one else one for one in entries]}


TIMESHEETS = Rules(
    name="timesheets",
    path="timesheets",
    indexes=(),
    company=None,
    get_keys=("_id",),
    update_keys=("_id",),
    writable=words("approvedBy status timeEntries dateOfApproval dateFrom dateTo assignedModel assignedId"),
    times=words("dateOfApproval"),
    integers=("dateFrom", "dateTo"),
    lists=("timeEntries",),
    unique=(),
    disputed_needs={"tables_are_right": (("dateFrom",), ("dateTo",))},
    derive=ids_of_entries,
    defaults={"timeEntries": [], "status": "submitted", "assignedModel": "User", "__v": 0},
    dated=lambda moment: times.stamped(moment, "createdAt", "updatedAt"),
    touches="updatedAt",
    has_validation_errors=True,
)
