"""The analytics host of the sandbox, on the same port: what it receives, and the list of metrics.

The tenant UUID in the path is the credential. Nothing here is under the rate limits, except for the list of metrics,
which belongs to the main host.
"""

from __future__ import annotations

import base64
import math
import re
from contextlib import suppress
from typing import Any

import msgspec
from attrs import define, evolve, field

from planhat_async.sandbox import damage, times
from planhat_async.sandbox.calls import MAX_BODY_BYTES, Outcome
from planhat_async.sandbox.messages import ApiRequest
from planhat_async.sandbox.state import State
from planhat_async.sandbox.store import Record

PLACEHOLDER_UUID = "00000000-0000-4000-8000-000000000000"  # accepted because every UUID is
_HIDDEN = "{tenantUUID}"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DIMENSION = re.compile(r"[A-Za-z0-9_-]+")
_COLLECTIONS = {"Company": "companies", "EndUser": "endusers", "Asset": "", "Project": ""}
_DEFAULT_LIMIT, _MOST = 2000, 10_000


@define
class AnalyticsHost:
    """Carries out the calls of the analytics host."""

    state: State
    tenant_uuid: str | None = field(default=None)
    """The only tenant UUID accepted; `None` accepts any."""
    answers_count: bool = True
    """Whether the answer to metrics counts them."""
    metrics: list[Record] = field(factory=list)
    """Metrics as they are listed, in the order of their `_id`s."""
    failed_metrics: list[Record] = field(factory=list)
    """Metrics whose external id no record has, as they were sent."""
    activities: list[Record] = field(factory=list)
    """Activities, as they were sent."""
    segments: list[Record] = field(factory=list)
    """What `/dock/segment` was sent."""

    @tenant_uuid.validator
    def _check_uuid(self, _: object, value: str | None) -> None:
        if value is not None and not _UUID.fullmatch(value):
            raise ValueError("tenant_uuid must be a UUID: 32 hexadecimal digits in groups of 8-4-4-4-12")

    def takes(self, request: ApiRequest) -> bool:
        """Whether a request is for the analytics host."""
        return request.method == "POST" and _call_of(request) != ""

    def lists(self, request: ApiRequest) -> bool:
        """Whether a request is for the list of metrics, which needs a token and counts for the limits."""
        return request.method == "GET" and request.segments == ("dimensiondata",)

    def as_logged(self, request: ApiRequest) -> str:
        """The request's path, without the tenant UUID."""
        if request.segments[:1] not in {("dimensiondata",), ("analytics",)}:
            return request.path
        segments = tuple(_HIDDEN if _UUID.fullmatch(one) else one for one in request.segments)
        return evolve(request, segments=segments).path.replace("%7BtenantUUID%7D", _HIDDEN)

    def respond(self, request: ApiRequest) -> Outcome:
        """Carry out a request."""
        if self.lists(request):
            return self._list(request)
        if len(request.body) > MAX_BODY_BYTES:
            return Outcome(413, {"error": f"The body is larger than {MAX_BODY_BYTES} bytes"})
        call = _call_of(request)
        uuid = _user_of(request) if call == "segment" else request.segments[-1]
        if not self._accepts(uuid):
            return Outcome(401, {"error": "Unauthorized"})
        try:
            body = msgspec.json.decode(request.body)
        except (ValueError, RecursionError):
            return Outcome(400, "The body is not valid JSON")
        items = body if isinstance(body, list) else [body]
        if call == "metrics":
            return self._store_metrics(items, request.now)
        stored = self.segments if call == "segment" else self.activities
        stored += (item for item in items if isinstance(item, dict))
        return Outcome(200, "OK", len(items))

    def _accepts(self, uuid: str) -> bool:
        if self.tenant_uuid is None:
            return _UUID.fullmatch(uuid) is not None
        return uuid.lower() == self.tenant_uuid.lower()

    def _store_metrics(self, items: list[Any], now: float) -> Outcome:
        errors = []
        for item in items:
            reason = _objection_to(item)
            if reason is not None:
                errors.append({"item": item, "error": reason})
            else:
                self._store_metric(item, now)
        answer = {"processed": len(items) - len(errors), "errors": errors} if self.answers_count else "OK"
        return Outcome(200, answer, len(items))

    def _store_metric(self, item: Record, now: float) -> None:
        model = item.get("model", "Company")
        name = _COLLECTIONS[model]
        record = self.state.match(self.state.model(name), "externalId", item["externalId"]) if name else None
        if record is None and name and len(self.state.collection(self.state.model(name))):
            self.failed_metrics.append(item)
            return
        moment = times.parsed(item.get("date")) or times.at(now)
        held = record or {}
        parent = held.get("_id")
        metric = {
            "_id": self.state.new_id(now),
            "dimensionId": item["dimensionId"],
            "time": times.written(moment),
            "value": item["value"],
            "model": model,
            "parentId": parent,
            "companyId": parent if model == "Company" else held.get("companyId"),
            "companyName": held.get("name") if model == "Company" else held.get("companyName"),
        }
        self.metrics.append({key: value for key, value in metric.items() if value is not None})

    def _list(self, request: ApiRequest) -> Outcome:
        query = dict(request.query)
        numbers = {name: query[name] for name in ("from", "to", "limit", "offset") if name in query}
        for name, text in numbers.items():
            if not re.fullmatch(r"-?[0-9]{1,12}", text):
                return Outcome(400, {"error": f"{name} must be a whole number"})
        limit = min(int(numbers.get("limit", _DEFAULT_LIMIT)), _MOST)
        offset = 0 if request.fault.name == "offset_ignored" else int(numbers.get("offset", 0))
        first, last = int(numbers.get("from", -(10**12))), int(numbers.get("to", 10**12))
        found = [metric for metric in self.metrics if _matches(metric, query, first, last)]
        if query.get("sort") == "-_id":
            found.reverse()
        rows = [msgspec.json.encode(metric) for metric in found[max(0, offset) :][: max(0, limit)]]
        return Outcome(200, [msgspec.Raw(text) for text in damage.capped(request.fault, rows)])


def _call_of(request: ApiRequest) -> str:
    """The call of the analytics host that a path names; empty for another path."""
    match request.segments:
        case ("dimensiondata", _):
            return "metrics"
        case ("analytics", "bulk", _) | ("analytics", _):
            return "activities"
        case ("dock", "segment"):
            return "segment"
    return ""


def _user_of(request: ApiRequest) -> str:
    """The user name of basic authentication; empty without it, or with a password."""
    value = next((value for name, value in request.headers.items() if name.lower() == "authorization"), "")
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            name, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
            return "" if password else name
    return ""


def _objection_to(item: Any) -> str | None:
    """Why a metric is refused at once, or `None`."""
    if not isinstance(item, dict):
        return "a metric must be an object"
    for name in ("dimensionId", "externalId"):
        if not isinstance(item.get(name), str) or not item[name]:
            return f"{name} must be specified"
    if not _DIMENSION.fullmatch(item["dimensionId"]):
        return "dimensionId must not contain spaces or special characters"
    value = item.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "value must be a number"
    return None if item.get("model", "Company") in _COLLECTIONS else f"model must be one of {', '.join(_COLLECTIONS)}"


def _matches(metric: Record, query: dict[str, str], first: int, last: int) -> bool:
    is_wanted = all(
        metric.get(name) == query[parameter] for parameter, name in _FILTERS.items() if query.get(parameter)
    )
    if not is_wanted or not query.keys() & {"from", "to"}:
        return is_wanted
    moment = times.parsed(metric["time"])
    return moment is not None and first <= times.days(moment) <= last


_FILTERS = {"cId": "companyId", "dimid": "dimensionId"}
