"""A faulty network, which loses requests and answers on a real socket, controlled by a seed."""

from __future__ import annotations

import random
from collections import Counter
from enum import StrEnum

from attrs import define, field

from planhat_async import Timeouts
from planhat_async._http.transport import Transport
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import UnknownOutcomeError


class Fault(StrEnum):
    """The fault of one attempt."""

    DROP_BEFORE = "drop before"
    """The connection ends before the server has processed the request."""
    DROP_AFTER = "drop after"
    """The server has processed the request, and the answer is lost."""
    FAIL_AFTER = "500 after"
    """The server has processed the request, and a gateway answers 500."""
    REFUSE = "429"


@define
class FaultyTransport:
    """Sends bulk writes with faults, and all other requests normally.

    Attributes:
        n_faults: The number of times each fault was applied.
    """

    network: Transport
    seed: int
    share: float
    """The part of attempts that fail, from 0 to 1."""
    n_faults: Counter[Fault] = field(factory=Counter)
    _draw: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt, which may fail."""
        if request.method != "PUT" or self._draw.random() >= self.share:
            return await self.network.send(request, token=token, timeouts=timeouts)
        fault = [*Fault][self.n_faults.total() % len(Fault)]
        self.n_faults[fault] += 1
        if fault is Fault.REFUSE:
            return Response(status=429, headers={"retry-after": "0"})
        if fault is not Fault.DROP_BEFORE:
            await self.network.send(request, token=token, timeouts=timeouts)
        if fault is Fault.FAIL_AFTER:
            return Response(status=500, body=b"Internal Server Error")
        raise UnknownOutcomeError("no answer", method=request.method, path=request.path)

    async def close(self) -> None:
        """Close the connections."""
        await self.network.close()
