"""Planhat's rules without a network: no clock and no socket."""

from __future__ import annotations

import base64
import hmac
import math
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from attrs import evolve, frozen

from planhat_async.sandbox import damage
from planhat_async.sandbox.analytics_host import AnalyticsHost
from planhat_async.sandbox.calls import Calls, Outcome
from planhat_async.sandbox.choices import DEFAULT, Choices
from planhat_async.sandbox.faults import Faults
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import NO_FAULT, ApiRequest, ApiResponse, AppliedFault, LoggedRequest
from planhat_async.sandbox.record_writer import RecordWriter
from planhat_async.sandbox.state import State

MAX_LOGGED = 100_000


@frozen
class Admission:
    """Whether a request is let in, and the fault that applies to it, decided when it arrives."""

    refusal: Outcome | None
    """The answer that refuses it, `None` if it is let in."""
    headers: dict[str, str]
    """Of any answer to it."""
    fault: AppliedFault = NO_FAULT
    """The fault that applies to it."""


class Api:
    """Planhat's answer to any request.

    Args:
        token: The only token accepted; None accepts any that is not empty.
        limits: The rate limits of each token.
        choices: The behaviour where Planhat's is unknown.
        state: The initial records; used, not copied.
        tenant_uuid: The only tenant UUID accepted; None accepts any.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        limits: Limits | None = None,
        choices: Choices = DEFAULT,
        state: State | None = None,
        tenant_uuid: str | None = None,
    ) -> None:
        self.faults: Faults = Faults()
        self.state: State = state or State()
        self.analytics: AnalyticsHost = AnalyticsHost(
            self.state, tenant_uuid, answers_count=choices.metrics_are_counted
        )
        self.log: deque[LoggedRequest] = deque(maxlen=MAX_LOGGED)
        self._token = token
        self._limits = limits or Limits()
        self._choices = choices
        self._calls = Calls(RecordWriter(self.state, choices))

    def handle(self, request: ApiRequest) -> ApiResponse:
        """The answer to a complete request."""
        return self.answer(request, self.admit(request))

    def admit(self, request: ApiRequest) -> Admission:
        """Decide by token and limits whether a request is let in; its body may not have arrived yet."""
        fault = self.faults.apply(request)
        if self.analytics.takes(request):
            return Admission(None, {}, fault)
        token = _token_of(request.headers)
        if not self._accepts(token):
            headers = self._limit_headers(self._limits.per_minute)
            return Admission(Outcome(401, {"error": "Unauthorized"}), headers, fault)
        wait = 0.0
        if not fault.name.startswith("http_429"):  # like a refusal by the limits, such a fault takes no place
            wait = self._limits.admit(token, now=request.now, n_parallel=request.n_parallel)
        headers = self._limit_headers(self._limits.n_free(token, request.now))
        if wait == 0.0:
            return Admission(None, headers, fault)
        if self._choices.retry_after:
            headers["Retry-After"] = str(math.ceil(wait))
        return Admission(Outcome(429, {"error": "Too many requests"}), headers, fault)

    def answer(self, request: ApiRequest, admission: Admission) -> ApiResponse:
        """Answer a request that was admitted or refused, and log it."""
        fault = admission.fault
        answer = damage.instead(fault, admission.headers, request.now)
        if answer is not None:
            self._log(request, fault, Outcome(answer.status, None), is_carried_out=False)
            return answer
        outcome = admission.refusal or self._respond(damage.altered(fault, evolve(request, fault=fault)))
        whole = ApiResponse(outcome.status, msgspec.json.encode(outcome.value), admission.headers)
        answer = damage.damaged(fault, whole)
        self._log(request, fault, evolve(outcome, status=answer.status), is_carried_out=admission.refusal is None)
        return answer

    def _respond(self, request: ApiRequest) -> Outcome:
        if self.analytics.takes(request) or self.analytics.lists(request):
            return self.analytics.respond(request)
        return self._calls.respond(request)

    def lose(self, request: ApiRequest, fault: AppliedFault) -> None:
        """Log a request that is not read because of a fault."""
        self._log(request, fault, Outcome(0, None), is_carried_out=False)

    def _log(self, request: ApiRequest, fault: AppliedFault, outcome: Outcome, *, is_carried_out: bool) -> None:
        self.log.append(
            LoggedRequest(
                method=request.method,
                path=self.analytics.as_logged(request),
                query=dict(request.query),
                n_rows=outcome.n_rows,
                status=outcome.status,
                at=request.now,
                fault=fault.name or None,
                is_carried_out=is_carried_out,
            )
        )

    def _accepts(self, token: str) -> bool:
        if self._token is None:
            return token != ""
        return hmac.compare_digest(_octets(token), _octets(self._token))

    def _limit_headers(self, n_free: int | None) -> dict[str, str]:
        if n_free is None or not self._choices.limit_headers:
            return {}
        return {"X-Rate-Limit-Limit": str(self._limits.per_minute), "X-Rate-Limit-Remaining": str(n_free)}


def _token_of(headers: Mapping[str, str]) -> str:
    """The token of `Bearer TOKEN`, or of `Basic` with the token as name and an empty password; otherwise empty."""
    value = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    scheme, _, credentials = value.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            with suppress(ValueError):
                pair = base64.b64decode(credentials.strip(), validate=True).decode("utf-8", "surrogateescape")
                name, _, password = pair.partition(":")
                return "" if password else name
    return ""


def _octets(token: str) -> bytes:
    return token.encode("utf-8", "surrogateescape")
