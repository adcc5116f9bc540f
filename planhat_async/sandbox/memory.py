"""The sandbox in memory: the same rules and faults without a socket, on the event loop's own clock.

With a virtual clock, minutes of limits, slow answers and timeouts take milliseconds.
"""

from __future__ import annotations

import asyncio
import math
from typing import Unpack

from attrs import evolve

from planhat_async.sandbox.messages import ApiRequest, ApiResponse, AppliedFault
from planhat_async.sandbox.planhat import N_PIECES, UNREAD, Options, Planhat

_EPOCH = 1_700_000_000.0


class MemorySandbox(Planhat):
    """Planhat in memory: like `Sandbox`, but requests are passed to it directly.

    Args:
        token: The only token it accepts; None accepts every token that is not empty.
        latency: Seconds a request takes to arrive, and its answer to come back, together.
        options: What any `Planhat` takes: `per_minute=200`, `per_second=150`, `max_parallel`, `window`, `seed`,
            `companies`, `users`, `endusers`, `choices`, `faults`, `tenant_uuid`.

    Raises:
        ValueError: A limit or a fault is invalid.
    """

    def __init__(self, token: str | None = None, *, latency: float = 0.0, **options: Unpack[Options]) -> None:
        super().__init__(token, **options)
        self._latency = latency
        self._away_until: float | None = None
        """When it listens again, by its own clock; `None` before the first call."""

    async def exchange(self, request: ApiRequest, *, patience: float) -> ApiResponse:
        """Answer a request, or raise as a connection would.

        A request that was sent arrives: cancellation and timeouts end the waiting, not the request.

        Args:
            request: Its `now` and `n_parallel` are filled in when it arrives.
            patience: Seconds the caller waits for the next piece of an answer.

        Raises:
            ConnectionRefusedError: The sandbox does not listen; nothing was sent.
            ConnectionResetError: The connection ended before the answer did.
            TimeoutError: No piece of an answer came in that time.
        """
        if self._away_until is None:
            self._away_until = 0.0
            self._go_away_if_next_is_refused()
        if self.now() < self._away_until:
            raise ConnectionRefusedError("the sandbox does not listen")
        answered = self._keep(self._serve(request, patience))
        answered.add_done_callback(_note_failure)
        try:
            answer, fault = await asyncio.shield(answered)
        except asyncio.CancelledError:
            answered.add_done_callback(self._end_unheard)
            raise
        try:
            await _wait_for_pieces(fault, patience)
        finally:
            self._n_parallel -= 1
        await asyncio.sleep(self._latency / 2)
        return answer

    async def close(self) -> None:
        """Cancel the requests under way."""
        await self._drop_pending()

    async def _serve(self, request: ApiRequest, patience: float) -> tuple[ApiResponse, AppliedFault]:
        """Carry a request out; returns its answer, which is in flight then, and the fault with which it arrives."""
        await _require_patience(self._latency, patience)
        await asyncio.sleep(self._latency / 2)
        self._n_parallel += 1
        try:
            return self._answered(evolve(request, now=self.now(), n_parallel=self._n_parallel))
        except BaseException:
            self._n_parallel -= 1
            raise

    def _end_unheard(self, answered: asyncio.Task[tuple[ApiResponse, AppliedFault]]) -> None:
        """End a call whose client has gone away, once it is carried out."""
        if not answered.cancelled() and answered.exception() is None:
            self._n_parallel -= 1

    def _answered(self, request: ApiRequest) -> tuple[ApiResponse, AppliedFault]:
        admission = self._api.admit(request)
        self._go_away_if_next_is_refused()
        fault = admission.fault
        if fault.name in UNREAD:
            self._api.lose(request, fault)
            raise ConnectionResetError("the connection was reset before the body was read")
        if fault.name == "late":
            self._keep(self._answer_later(fault.amount, request, admission))
            raise ConnectionResetError("the connection was reset")
        answer = self._api.answer(request, admission)
        if fault.name in {"reset_after", "reset_during"}:
            raise ConnectionResetError("the connection was reset instead of an answer, or in the middle of it")
        return answer, fault

    def _prepare_for_the_first(self) -> None:
        self._away_until = None  # there may be no event loop yet, so no clock

    def _go_away_if_next_is_refused(self) -> None:
        seconds = self._api.faults.refusal()
        if seconds is not None:
            self._away_until = self.now() + seconds

    def now(self) -> float:
        """Its clock: seconds since the epoch."""
        return _EPOCH + asyncio.get_running_loop().time()


async def _wait_for_pieces(fault: AppliedFault, patience: float) -> None:
    """Wait until an answer has arrived whole."""
    match fault:
        case AppliedFault("stall"):
            await _require_patience(math.inf, patience)
        case AppliedFault("slow", seconds):
            await _require_patience(seconds / N_PIECES, patience)
            await asyncio.sleep(seconds)


async def _require_patience(seconds: float, patience: float) -> None:
    """Time out after `patience` seconds if the next piece of an answer takes longer."""
    if seconds > patience:
        await asyncio.sleep(patience)
        raise TimeoutError


def _note_failure(answered: asyncio.Task[tuple[ApiResponse, AppliedFault]]) -> None:
    # A cancelled caller never retrieves the exception, and asyncio would complain about that.
    if not answered.cancelled():
        answered.exception()
