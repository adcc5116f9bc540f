"""Attempts at a request, until one is final: wait for the pace, send, judge, retry."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import attrs

from planhat_async._http.observed_call import LOGGER, ObservedCall, is_observed, status_of
from planhat_async._http.pacer import Pacer, RefusedTooLongError, Slot
from planhat_async._http.retries import AttemptResult, History, RetryBudget, RetryPolicy, unreadable
from planhat_async._http.session_stats import SessionStats
from planhat_async._http.tokens import TokenSource
from planhat_async._http.transport import Timeouts, Transport
from planhat_async._http.wire import HINTS, Request, Response, calls_left, error_from, retry_after
from planhat_async.errors import DecodeError, NoAnswerError, NotSentError

Notify = Callable[[], object]


@attrs.frozen(kw_only=True)
class AttemptLoop:
    """Makes attempts at requests, any number of requests at a time."""

    base_url: str
    transport: Transport
    tokens: TokenSource
    pacer: Pacer
    policy: RetryPolicy
    timeouts: Timeouts
    stats: SessionStats
    is_open: Callable[[], bool]
    hints: Mapping[int, str] = HINTS
    """What to check after an error status, for messages."""
    budget: RetryBudget = attrs.field(
        init=False, default=attrs.Factory(lambda self: RetryBudget(self.policy.budget), takes_self=True)
    )

    async def send(
        self,
        request: Request,
        accepts: Callable[[Response], bool] | None,
        on_sent: Notify,
        on_not_processed: Notify,
    ) -> Response:
        """See `Session.send`."""
        clock, hide = asyncio.get_running_loop().time, self.tokens.hidden_in
        history = History(policy=self.policy, budget=self.budget, request=request, started=clock(), hide=hide)
        if not is_observed():
            return await self._send(history, accepts, on_sent, on_not_processed)
        with ObservedCall(history, self.base_url) as call:
            response = await self._send(history, accepts, on_sent, on_not_processed)
            call.status = response.status
            return response

    async def _send(
        self,
        history: History,
        accepts: Callable[[Response], bool] | None,
        on_sent: Notify,
        on_not_processed: Notify,
    ) -> Response:
        """Make attempts until one is final; returns its answer, or raises the error for it."""
        request, clock, hide = history.request, asyncio.get_running_loop().time, self.tokens.hidden_in
        deadline = asyncio.timeout(self.timeouts.deadline)
        try:
            async with deadline:
                result = await self._run(history, on_sent, on_not_processed)
        except TimeoutError:
            if not deadline.expired():
                raise  # from the caller's token function
            result = history.deadline_passed()
        except DecodeError as error:
            raise unreadable(request, error) from None
        if isinstance(result, NoAnswerError):
            raise history.annotated(result, now=clock()) from None
        if accepts is not None or not result.is_success:
            # The caller will show text of this answer.
            result = attrs.evolve(result, body=hide(result.body))
        if result.is_success or (accepts is not None and accepts(result)):
            return attrs.evolve(result, follows_unknown=True) if history.may_be_done else result
        if history.is_done_already(result):
            return Response(status=200, headers=result.headers)
        refusal = error_from(request, result, base_url=self.base_url, now=time.time(), hints=self.hints)
        raise history.annotated(refusal, now=clock())

    async def _run(self, history: History, on_sent: Notify, on_not_processed: Notify) -> AttemptResult:
        """Make attempts as long as that is safe and worthwhile; returns the last result."""
        clock = asyncio.get_running_loop().time
        result: AttemptResult | None = None
        while True:
            async with AsyncExitStack() as held:
                try:
                    slot = await self._wait_for_slot(held, history, history.time_left(clock()))
                except RefusedTooLongError as refusal:
                    if result is None:
                        return Response(status=429, headers={"retry-after": f"{refusal.seconds:.0f}"})
                    history.note = "no other attempt could start before RetryPolicy.total ended"
                    return result
                result, pause = await self._attempt(history, slot, on_sent, on_not_processed)
            jitter = random.random()  # noqa: S311 - keeps no secret
            wait = history.attempt_ended(result, now=clock(), pause=pause, jitter=jitter)
            if wait is None:
                return result
            self.stats.retries += 1
            reason = result.status if isinstance(result, Response) else type(result).__name__
            _log_retry(history, wait, reason)
            await asyncio.sleep(wait)

    async def _wait_for_slot(self, held: AsyncExitStack, history: History, patience: float) -> Slot:
        """Wait for the pace. Before the first attempt only refusals use up patience, after it all waiting does."""
        history.waits_for_pace = True
        try:
            async with asyncio.timeout(patience if history.attempts else None):
                entering = self.pacer.slot(is_bulk=history.request.is_bulk, patience=patience)
                slot = await held.enter_async_context(entering)
        except TimeoutError:
            raise RefusedTooLongError(0.0) from None
        history.waits_for_pace = False
        self.stats.seconds_waited += slot.waited
        history.waited += slot.waited
        self.stats.seconds_waited_for_others += slot.waited_for_others
        self.stats.members = self.pacer.n_members
        return slot

    async def _attempt(
        self, history: History, slot: Slot, on_sent: Notify, on_not_processed: Notify
    ) -> tuple[AttemptResult, float]:
        """Make one attempt; returns its result and the seconds to wait before another one."""
        request, clock = history.request, asyncio.get_running_loop().time
        token = await self.tokens.token()  # before the request counts as sent: the function may fail, or take long
        if not self.is_open():
            closed = request.failure(NotSentError, "the session was closed while this waited to be sent")
            raise history.annotated(closed, now=clock())
        self.stats.attempts += 1
        self.stats.bytes_sent += len(request.body or b"")
        LOGGER.debug("%s %s", request, request.params)
        history.attempt_started(clock(), refused_for=slot.refused_for)
        on_sent()
        try:
            response = await self.transport.send(request, token=token, timeouts=self.timeouts)
        except NoAnswerError as error:
            if not (history.may_be_done or error.may_have_been_processed):
                on_not_processed()
            return error, 0.0
        except asyncio.CancelledError as cancelled:
            if getattr(cancelled, "nothing_sent", False):
                history.is_under_way = False
                if not history.may_be_done:
                    on_not_processed()
            raise
        self.stats.bytes_received += response.n_bytes
        if response.status == 429 and not history.may_be_done:
            on_not_processed()
        return response, self._note_answer(history, slot, response)

    def _note_answer(self, history: History, slot: Slot, response: Response) -> float:
        """Tell the pacer what an answer says about the pace; returns the seconds to wait before another attempt."""
        named = retry_after(response, now=time.time())
        if response.status != 429:
            remaining, limit = calls_left(response)
            slot.mark_answered(remaining=remaining, limit=limit)
            return named or 0.0
        # However long `Retry-After` is, one attempt probes after `RetryPolicy.total`.
        pause = slot.mark_refused(retry_after=None if named is None else min(named, self.policy.total))
        self.stats.refusals += 1
        fields = {"event": "pause", **history.named(), "status": 429, "seconds": round(pause, 3)}
        message = "%s: answered 429; nothing is sent for %.1f s"
        LOGGER.warning(message, history.request, pause, extra={"planhat": fields})
        return max(pause, named or 0.0)


def _log_retry(history: History, wait: float, reason: int | str) -> None:
    """Log that another attempt follows in `wait` seconds."""
    fields = {"event": "retry", **history.named(), **status_of(reason), "seconds": round(wait, 3)}
    message = "%s: attempt %d in %.2f s after %s"
    LOGGER.info(message, history.request, history.attempts + 1, wait, reason, extra={"planhat": fields})
