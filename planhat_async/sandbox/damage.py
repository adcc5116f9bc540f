"""The effect of a fault on a request, its rows and its answer; the transports apply the faults of connections."""

from __future__ import annotations

import random
from collections.abc import Sequence, Sized
from email.utils import formatdate
from itertools import accumulate
from typing import TypeVar

from attrs import evolve, frozen

from planhat_async.sandbox.messages import JSON, ApiRequest, ApiResponse, AppliedFault, RefusedError

T = TypeVar("T", bound=Sized)

HTML = "text/html"
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_REASONS = {
    408: "Request timeout",
    500: "Internal error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
    520: "Unknown error",
}
_BLAME = {
    "rows_206": (206, "companyId: Not valid type"),
    "rows_400": (400, "companyId is required"),
    "rows_403": (403, "No permission"),
}


def instead(fault: AppliedFault, headers: dict[str, str], now: float) -> ApiResponse | None:
    """The answer if the call is not carried out because of a fault, else `None`."""
    if fault.name == "html_page":
        return ApiResponse(502, _PAGE, headers, content_type=HTML)
    if fault.name == "error_200":
        return _error(200, "Internal error", headers)
    if fault.name.startswith("http_429"):
        return _error(429, "Too many requests", headers | _retry_after(fault, now))
    status = fault.name.removeprefix("http_")
    return _error(int(status), _REASONS[int(status)], headers) if status.isdecimal() else None


def altered(fault: AppliedFault, request: ApiRequest) -> ApiRequest:
    """The request as the rules see it."""
    if fault.name != "offset_ignored":
        return request
    return evolve(request, query=tuple(pair for pair in request.query if pair[0] != "offset"))


def damaged(fault: AppliedFault, answer: ApiResponse) -> ApiResponse:
    """The answer to a call that was carried out, as it is sent."""
    match fault:
        case AppliedFault("json_truncated"):
            return evolve(answer, body=answer.body[: len(answer.body) // 2])
        case AppliedFault("content_type_wrong"):
            return evolve(answer, content_type=HTML)
        case AppliedFault(name) if name.startswith("http_") and name.endswith("_after"):
            status = int(name.split("_")[1])
            return _error(status, _REASONS[status], answer.headers)
    return answer


def capped(fault: AppliedFault, rows: Sequence[T]) -> Sequence[T]:
    """The rows of a page, each as its JSON text, up to the fault's cap."""
    match fault:
        case AppliedFault("page_rows", amount):
            return rows[: int(amount)]
        case AppliedFault("page_bytes", amount):
            ends = accumulate(len(row) + 1 for row in rows)
            return rows[: max(1, sum(len("[]") + end <= amount for end in ends))]
    return rows


@frozen
class RowDamage:
    """The effect of a fault on some rows of a bulk upsert."""

    positions: frozenset[int] = frozenset()
    """The rows it affects."""
    status: int | None = None
    """Of the answer; `None` if the fault does not decide it."""
    refused: RefusedError | None = None
    """The error they get; `None` if they are dropped silently."""


def to_rows(fault: AppliedFault, n_rows: int) -> RowDamage:
    """The rows that a fault affects, drawn anew for each call, and how."""
    if not fault.name.startswith("rows_"):
        return RowDamage()
    n_damaged = min(int(fault.amount), n_rows)
    positions = frozenset(random.Random(fault.draw).sample(range(n_rows), n_damaged))  # noqa: S311  # seeded, no secret
    status, reason = _BLAME.get(fault.name, (None, None))
    refused = None if reason is None else RefusedError("companyId", reason)
    return RowDamage(positions, status, refused)


def _error(status: int, reason: str, headers: dict[str, str]) -> ApiResponse:
    return ApiResponse(status, b'{"error":"%s"}' % reason.encode(), headers, content_type=JSON)


def _retry_after(fault: AppliedFault, now: float) -> dict[str, str]:
    if fault.name == "http_429_retry_after":
        return {"Retry-After": str(round(fault.amount))}
    if fault.name == "http_429_skewed":
        clock = now + fault.amount
        return {"Date": formatdate(clock, usegmt=True), "Retry-After": formatdate(clock + 1, usegmt=True)}
    return {}
