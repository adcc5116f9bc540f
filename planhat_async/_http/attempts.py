"""Attempts at a request, until one is final: pace, send, judge, retry."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import attrs

from planhat_async._http.pacer import Pacer, RefusedTooLongError, Slot
from planhat_async._http.retries import AttemptResult, History, described
from planhat_async._http.stats import SessionStats
from planhat_async._http.tokens import TokenSource
from planhat_async._http.transport import Timeouts, Transport
from planhat_async._http.wire import Response, calls_left, refused, retry_after
from planhat_async.errors import NoAnswerError, NotSentError

_logger = logging.getLogger("planhat_async.session")


@attrs.frozen(kw_only=True)
class AttemptLoop:
    """Makes attempts at one request after another, or at many at once.

    Args:
        transport: Sends one attempt.
        tokens: Asked before each attempt.
        pacer: Grants each attempt a slot.
        timeouts: For one attempt.
        max_pause: Seconds after which an attempt is made even if `Retry-After` names more.
        stats: Counts attempts, retries, refusals, bytes and waiting.
        is_open: Whether requests may still be sent.
    """

    transport: Transport
    tokens: TokenSource
    pacer: Pacer
    timeouts: Timeouts
    max_pause: float
    stats: SessionStats
    is_open: Callable[[], bool]

    async def run(
        self, history: History, on_sent: Callable[[], object], on_not_processed: Callable[[], object]
    ) -> AttemptResult:
        """Make attempts as long as that is safe and worthwhile; returns the last result."""
        clock = asyncio.get_running_loop().time
        result: AttemptResult | None = None
        while True:
            async with AsyncExitStack() as held:
                try:
                    slot = await self._wait_for_slot(held, history, history.time_left(clock()))
                except RefusedTooLongError as refusal:
                    if result is None:
                        return refused(refusal.seconds)
                    history.slot_came_too_late()
                    return result
                result, pause = await self._attempt(history, slot, on_sent, on_not_processed)
            # A random number that spreads retries keeps no secret.
            wait = history.attempt_ended(result, now=clock(), pause=pause, jitter=random.random())  # noqa: S311
            if wait is None:
                return result
            self.stats.retries += 1
            next_attempt = history.attempts + 1
            _logger.info("%s: attempt %d in %.2f s after %s", history.what, next_attempt, wait, described(result))
            await asyncio.sleep(wait)

    async def _wait_for_slot(self, held: AsyncExitStack, history: History, patience: float) -> Slot:
        """Wait for the pace; before the first attempt only refusals use up patience, after it all waiting does."""
        try:
            async with asyncio.timeout(patience if history.attempts else None):
                entering = self.pacer.slot(is_bulk=history.request.is_bulk, patience=patience)
                slot = await held.enter_async_context(entering)
        except TimeoutError:
            raise RefusedTooLongError(0.0) from None
        self.stats.seconds_waited += slot.waited
        return slot

    async def _attempt(
        self, history: History, slot: Slot, on_sent: Callable[[], object], on_not_processed: Callable[[], object]
    ) -> tuple[AttemptResult, float]:
        """Make one attempt; returns its result, and the seconds that Planhat asks to wait."""
        request, clock = history.request, asyncio.get_running_loop().time
        token = await self.tokens.token()  # before anything counts as sent: it may fail, and take its time
        if not self.is_open():
            closed = f"{history.what}: the session was closed while this waited to be sent"
            raise history.annotated(NotSentError(closed, method=request.method, path=request.path), now=clock())
        self.stats.attempts += 1
        self.stats.bytes_sent += len(request.body or b"")
        _logger.debug("%s %s %s", request.method, request.path, request.params)
        history.attempt_started(clock(), refused_for=slot.refused_for)
        on_sent()
        try:
            response = await self.transport.send(request, token=token, timeouts=self.timeouts)
        except NoAnswerError as error:
            if not (history.may_be_done or error.may_have_been_processed):
                on_not_processed()
            return error, 0.0
        except asyncio.CancelledError as cancelled:
            if getattr(cancelled, "nothing_left", False):
                history.attempt_withdrawn()
                if not history.may_be_done:
                    on_not_processed()
            raise
        self.stats.bytes_received += response.n_bytes
        if response.status == 429 and not history.may_be_done:
            on_not_processed()
        return response, self._note_answer(history, slot, response)

    def _note_answer(self, history: History, slot: Slot, response: Response) -> float:
        """Pass on to the pacer what an answer says of the pace; returns the seconds to wait before another attempt."""
        named = retry_after(response, now=time.time())
        if response.status != 429:
            remaining, limit = calls_left(response)
            slot.mark_answered(remaining=remaining, limit=limit)
            return named or 0.0
        # After `max_pause` one attempt asks again.
        held = slot.mark_refused(retry_after=None if named is None else min(named, self.max_pause))
        self.stats.refusals += 1
        _logger.warning("%s: answered 429; nothing is sent for %.1f s", history.what, held)
        return max(held, named or 0.0)
