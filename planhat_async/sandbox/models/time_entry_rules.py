"""Time entries: hours that a user worked. Their only key is the `_id`."""

from __future__ import annotations

from planhat_async.sandbox import times
from planhat_async.sandbox.models.common_shapes import company_filter
from planhat_async.sandbox.models.rules import CompanyReference, Rules, words
from planhat_async.sandbox.store import Record


def at_midnight(sent: Record) -> Record:
    """The `date`, cut to midnight in UTC."""
    moment = times.parsed(sent.get("date"))
    return {} if moment is None else {"date": times.written(moment.replace(hour=0, minute=0, second=0, microsecond=0))}


def totals(entry: Record) -> Record:
    """What the hours cost, and what is billed for them."""
    names = {"totalBilled": "billableRate", "totalCost": "costRate"}
    return {total: _product(entry.get("hours"), entry.get(rate)) for total, rate in names.items()}


def _product(hours: object, rate: object) -> float:
    return hours * rate if isinstance(hours, int | float) and isinstance(rate, int | float) else 0


TIME_ENTRIES = Rules(
    name="time_entries",
    path="timeentries",
    indexes=(),
    filters=(company_filter(),),
    get_keys=("_id",),
    update_keys=("_id",),
    duplicate_path="duplicate",
    writable=words(
        "companyId date hours isTimeOff description isBillable billingCode currency billableRate costRate "
        "assignedModel assignedId"
    ),
    times=words("date"),
    company=CompanyReference(key_kinds=("_id",), name_field=None),
    texts=("companyId",),
    unique=(),
    needs=(("date",), ("hours",)),
    derive=at_midnight,
    compute=totals,
    defaults={"timesheetStatus": "draft", "assignedModel": "User", "path": [], "__v": 0},
    dated=lambda moment: times.stamped(moment, "createdAt", "updatedAt"),
    touches="updatedAt",
    has_validation_errors=True,
)
