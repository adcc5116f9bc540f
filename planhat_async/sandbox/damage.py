"""What a fault makes of a request, of the rows in it, and of the answer; the doors see to what befalls connections."""

from __future__ import annotations

import random
from collections.abc import Sequence, Sized
from email.utils import formatdate
from typing import TypeVar

from attrs import evolve, frozen

from planhat_async.sandbox.messages import JSON, ApiRequest, ApiResponse, Strike
from planhat_async.sandbox.refusals import RefusedError

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


def instead(strike: Strike | None, headers: dict[str, str], now: float) -> ApiResponse | None:
    """The answer that comes although the call was not carried out, None if it is."""
    if strike is None:
        return None
    if strike.name == "html_page":
        return ApiResponse(502, _PAGE, headers, content_type=HTML)
    if strike.name == "error_200":
        return _error(200, "Internal error", headers)
    if strike.name.startswith("http_429"):
        return _error(429, "Too many requests", headers | _retry_after(strike, now))
    status = strike.name.removeprefix("http_")
    return _error(int(status), _REASONS[int(status)], headers) if status.isdecimal() else None


def altered(strike: Strike | None, request: ApiRequest) -> ApiRequest:
    """The request as the rules are to see it."""
    if strike is None or strike.name != "offset_ignored":
        return request
    return evolve(request, query=tuple(pair for pair in request.query if pair[0] != "offset"))


def damaged(strike: Strike | None, answer: ApiResponse) -> ApiResponse:
    """The answer to a call that was carried out, as it leaves."""
    match strike:
        case Strike("json_truncated"):
            return evolve(answer, body=answer.body[: len(answer.body) // 2])
        case Strike("content_type_wrong"):
            return evolve(answer, content_type=HTML)
        case Strike(name) if name.startswith("http_") and name.endswith("_after"):
            status = int(name.split("_")[1])
            return _error(status, _REASONS[status], answer.headers)
    return answer


def capped(strike: Strike | None, rows: Sequence[T]) -> Sequence[T]:
    """A page's rows, each as its JSON text, as far as the server gives them."""
    match strike:
        case Strike("page_rows", amount):
            return rows[: int(amount)]
        case Strike("page_bytes", amount):
            return rows[: _n_fitting(rows, int(amount))]
    return rows


@frozen
class RowDamage:
    """What befalls some rows of a bulk upsert.

    Attributes:
        positions: Of these rows.
        status: Of the answer; None if the fault does not settle it.
        refused: What they are blamed for; None if they are passed over in silence.
    """

    positions: frozenset[int] = frozenset()
    status: int | None = None
    refused: RefusedError | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether what befalls them decides on all other rows as well."""
        return self.status in {400, 403}


UNHURT = RowDamage()


def to_rows(strike: Strike | None, n_rows: int) -> RowDamage:
    """Which rows a fault befalls, drawn anew for each call, and how."""
    if strike is None or not strike.name.startswith("rows_"):
        return UNHURT
    n_struck = min(int(strike.amount), n_rows)
    positions = frozenset(random.Random(strike.draw).sample(range(n_rows), n_struck))  # noqa: S311  # seeded, no secret
    status, reason = _BLAME.get(strike.name, (None, None))
    refused = None if reason is None else RefusedError("companyId", reason)
    return RowDamage(positions, status, refused)


def _error(status: int, reason: str, headers: dict[str, str]) -> ApiResponse:
    return ApiResponse(status, b'{"error":"%s"}' % reason.encode(), headers, content_type=JSON)


def _retry_after(strike: Strike, now: float) -> dict[str, str]:
    if strike.name == "http_429_retry_after":
        return {"Retry-After": str(round(strike.amount))}
    if strike.name == "http_429_skewed":
        clock = now + strike.amount
        return {"Date": formatdate(clock, usegmt=True), "Retry-After": formatdate(clock + 1, usegmt=True)}
    return {}


def _n_fitting(rows: Sequence[Sized], max_bytes: int) -> int:
    n_bytes = len("[]")
    for number, row in enumerate(rows):
        n_bytes += len(row) + 1
        if n_bytes > max_bytes:
            return max(number, 1)
    return len(rows)
