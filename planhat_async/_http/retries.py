"""Whether and when to send a request again: decisions only.

A retry is safe or not by the request's method, its keys, and the result of the attempt:

    =====================  ============  ============  ============  ============
    result                 GET, DELETE   PUT, keyed    PUT, keyless  POST, others
    =====================  ============  ============  ============  ============
    no connection          again         again         again         again
    429                    again         again         again         again
    408, 500, 502-504      again         again         never         never
    520-530 of a gateway   again         again         never         never
    sent, no answer        again         again         never         never
    any other answer       never         never         never         never
    =====================  ============  ============  ============  ============

"Never" where Planhat may have processed the request: a row without a key is created each time it arrives. 408, 502,
504 and 520-530 come from a gateway that got no usable answer; Planhat may have processed the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs

from planhat_async._convert import excerpt
from planhat_async._http.routes import route_of
from planhat_async._http.wire import Request, Response
from planhat_async.errors import DecodeError, NoAnswerError, NotSentError, RequestError, UnknownOutcomeError
from planhat_async.records.arguments import number, valid, whole

R = TypeVar("R", bound=RequestError)

RETRIED_STATUSES = frozenset({408, 500, 502, 503, 504, *range(520, 531)})
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_REPEATABLE = _HARMLESS | {"DELETE"}
_EARNED = 0.5
"""Retries that each success adds to the budget."""

AttemptResult = Response | NoAnswerError


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how long a request that is safe to repeat is sent again.

    The limit of each wait grows exponentially from `wait_initial` to `wait_max`; the wait is a random part of it (full
    jitter).
    """

    attempts: int = attrs.field(default=5, validator=valid(whole(1)))
    """Attempts, including the first. Those answered with 429 do not count: only `total` limits them."""
    wait_initial: float = attrs.field(default=0.5, validator=valid(number(0)))
    """Seconds that the first wait may take."""
    wait_max: float = attrs.field(default=30.0, validator=valid(number(0)))
    """Seconds that any wait may take."""
    total: float = attrs.field(default=300.0, validator=valid(number(0)))
    """Seconds after the first attempt within which another may start, including backoff, pauses after a 429 and the
    pace. Before the first attempt: seconds to wait while Planhat answers every call with 429. Waiting for the pace
    alone is not limited there."""
    budget: float = attrs.field(default=50.0, validator=valid(number(0)))
    """Retries that a session may make beyond those its successes have earned; 429s are not counted.

    A success earns half a retry. So one failure in four can be repeated indefinitely; if everything fails, retries end.
    """


@attrs.define
class RetryBudget:
    """How many retries a session may still make."""

    capacity: float
    left: float = attrs.field(init=False, default=attrs.Factory(lambda self: self.capacity, takes_self=True))

    def spend(self) -> bool:
        """Use one retry; returns whether there was one."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def earn(self) -> None:
        """Add the share of a success."""
        self.left = min(self.capacity, self.left + _EARNED)


def is_safe(request: Request, result: AttemptResult) -> bool:
    """Whether a retry cannot have an effect twice; see the table at the head of this module."""
    if isinstance(result, NotSentError):
        return True
    is_repeatable = request.method in _REPEATABLE or (request.method == "PUT" and request.is_keyed)
    if isinstance(result, Response):
        return result.status == 429 or (result.status in RETRIED_STATUSES and is_repeatable)
    return is_repeatable


def unreadable(request: Request, error: DecodeError) -> DecodeError:
    """Mark the error if the request may have changed something; returns the error."""
    if request.method not in _HARMLESS:
        error.may_have_been_processed = True
        error.sent = request.body
    return error


@attrs.define(kw_only=True)
class History:
    """The attempts at one request so far."""

    policy: RetryPolicy
    budget: RetryBudget
    request: Request
    started: float
    """When the first attempt started, on the clock of `attempt_started`; until then, when the request was made."""
    hide: Callable[[bytes], bytes] = bytes
    """Removes the token from a body that an error will quote."""
    attempts: int = 0
    refusals: int = 0
    """Number of attempts answered with 429."""
    may_be_done: bool = False
    """Whether Planhat may have processed an earlier attempt."""
    is_under_way: bool = False
    """Whether an attempt has been sent and not ended; reset if it was cancelled before a byte was sent."""
    waits_for_pace: bool = False
    waited: float = 0.0
    """Seconds that attempts waited for the pace."""
    last_answer: Response | None = None
    last_problem: str = ""
    """Why the last attempt failed."""
    note: str = ""
    """Why there was no other attempt, if the error does not say so."""

    @property
    def made(self) -> int:
        """Attempts so far, with one under way."""
        return self.attempts + self.is_under_way

    def named(self) -> dict[str, str | int]:
        """The request for a log, without its key and its query, and the number of attempts."""
        return {"method": self.request.method, "route": route_of(self.request.path), "attempt": self.made}

    def attempt_started(self, now: float, *, refused_for: float) -> None:
        """Note that an attempt is being sent, after `refused_for` seconds of refusals, which use up patience."""
        if not self.attempts:
            self.started = now - refused_for
        self.is_under_way = True

    def attempt_ended(self, result: AttemptResult, *, now: float, pause: float = 0.0, jitter: float) -> float | None:
        """Decide on another attempt; returns the seconds to wait for it, or `None` for no other attempt.

        `pause` is the least wait, in seconds, by Planhat or by the pace after a 429. `jitter` is from 0 to 1.
        """
        self.is_under_way = False
        self.attempts += 1
        left = self.policy.total - (now - self.started)
        if isinstance(result, Response):
            self.last_answer = result
            self.last_problem = f"was answered {result.status}"
            if result.status == 429:
                self.refusals += 1
                return 0.0 if pause <= left else None
            if result.status < 500 and result.status not in RETRIED_STATUSES:
                self.budget.earn()
        else:
            self.last_problem = f"failed: {str(result).removeprefix(f'{self.request}: ')}"
        if not is_safe(self.request, result):
            return None
        counted = self.attempts - self.refusals
        wait = max(pause, self._backoff(result, counted, jitter))
        if counted >= self.policy.attempts or wait > left:
            return None
        if not self.budget.spend():
            self.note = "the session's retry budget is used up: too many calls fail"
            return None
        self.may_be_done = self.may_be_done or not isinstance(result, NotSentError)
        return wait

    def _backoff(self, result: AttemptResult, counted: int, jitter: float) -> float:
        wait = jitter * min(self.policy.wait_max, self.policy.wait_initial * 2.0 ** min(counted - 1, 60))
        # Planhat may still process the attempt that was given up; the retry must not overtake it.
        return max(wait, self.policy.wait_initial) if isinstance(result, UnknownOutcomeError) else wait

    def is_done_already(self, response: Response) -> bool:
        """Whether a 404 means that an earlier attempt of this DELETE succeeded; a page of HTML says nothing of it."""
        is_missing = response.status == 404 and not response.body.lstrip().startswith(b"<")
        return is_missing and self.request.method == "DELETE" and self.may_be_done

    def annotated(self, error: R, *, now: float) -> R:
        """The error with the number of attempts and, if no usable answer came, the last answer."""
        if isinstance(error, NoAnswerError) and self.last_answer is not None:
            error.last_status = self.last_answer.status
            error.last_body = excerpt(self.hide(self.last_answer.body))
        error.may_have_been_processed = error.may_have_been_processed or self.may_be_done
        if error.may_have_been_processed:
            error.sent = self.request.body
        return error.after(attempts=self.made, seconds=now - self.started, note=self.note)

    def time_left(self, now: float) -> float:
        """Seconds in which another attempt may start; `RetryPolicy.total` before the first."""
        return self.policy.total - (now - self.started if self.attempts else 0.0)

    def deadline_passed(self) -> NoAnswerError:
        """The error for a call that exceeded `Timeouts.deadline`."""
        before = f"; the attempt before {self.last_problem}" if self.last_problem else ""
        if self.is_under_way or self.may_be_done:
            return self.request.failure(UnknownOutcomeError, f"the deadline passed after it was sent{before}")
        awaited = "for the rate limit" if self.waits_for_pace else "to be sent"
        return self.request.failure(NotSentError, f"the deadline passed while it waited {awaited}{before}")
