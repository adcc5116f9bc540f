"""Planhat in memory for virtual time: the sandbox's rules without a socket, and a network with scripted faults."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

import msgspec
from attrs import define, field

from planhat_async import Timeouts
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import UnknownOutcomeError
from planhat_async.sandbox import Choices
from planhat_async.sandbox.api import Api
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest

_NOW = 1_700_000_000.0


class Fault(StrEnum):
    """The fault of one bulk write."""

    NONE = "none"
    DROP_BEFORE = "drop before"
    DROP_AFTER = "drop after"
    FAIL_AFTER = "500 after"
    REFUSE = "429"
    LATE = "late"
    """The request gets no answer and is processed some seconds later."""


@define
class MemoryPlanhat:
    """A transport with the sandbox's rules, which applies the next fault to each bulk write, then no more."""

    faults: Iterable[Fault] = ()
    seconds: Sequence[float] = (1.0,)
    """The seconds that bulk writes take, in a cycle."""
    choices: Choices = field(factory=Choices)
    late_by: float = 5.0
    api: Api = field(init=False)
    sent: list[list[dict[str, Any]]] = field(factory=list)
    """The bodies of bulk writes, repeats included."""
    in_flight: list[list[dict[str, Any]]] = field(factory=list)
    crowds: list[list[list[dict[str, Any]]]] = field(factory=list)
    """The number of requests in flight whenever a bulk write began."""
    n_reads: int = 0
    _faults: Iterator[Fault] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._faults = iter(self.faults)
        self.api = Api(limits=Limits(per_minute=None, per_second=None), choices=self.choices)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt."""
        assert token.header()
        assert timeouts.total
        if request.method != "PUT":
            self.n_reads += 1
            return self._carry_out(request)
        rows = msgspec.json.decode(request.body or b"[]")
        fault = next(self._faults, Fault.NONE)
        duration = self.seconds[len(self.sent) % len(self.seconds)]
        self.sent.append(rows)
        self.in_flight.append(rows)
        self.crowds.append(list(self.in_flight))
        try:
            await asyncio.sleep(duration)
        finally:
            self.in_flight.remove(rows)
        return self._answer(request, fault)

    def _answer(self, request: Request, fault: Fault) -> Response:
        if fault is Fault.REFUSE:
            return Response(status=429, headers={"retry-after": "0"})
        if fault is Fault.LATE:
            asyncio.get_running_loop().call_later(self.late_by, self._carry_out, request)
        elif fault is not Fault.DROP_BEFORE:
            response = self._carry_out(request)
            if fault is Fault.NONE:
                return response
        if fault is Fault.FAIL_AFTER:
            return Response(status=500)
        raise UnknownOutcomeError("no answer", method=request.method, path=request.path)

    def _carry_out(self, request: Request) -> Response:
        answer = self.api.handle(
            ApiRequest(
                method=request.method,
                segments=tuple(unquote(segment) for segment in request.path.removeprefix("/").split("/")),
                query=request.params,
                headers={"Authorization": "Bearer token"},
                body=request.body or b"",
                now=_NOW + asyncio.get_running_loop().time(),
            )
        )
        return Response(status=answer.status, body=answer.body)

    async def close(self) -> None:
        """Do nothing."""
