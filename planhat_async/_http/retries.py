"""Whether to try again, and when: decisions only.

Whether repeating is safe depends on the method, on whether everything in the request has a key, and on what
happened:

    =====================  ============  ============  ============  ============
    what happened          GET, DELETE   PUT, keyed    PUT, keyless  POST, others
    =====================  ============  ============  ============  ============
    no connection          again         again         again         again
    429                    again         again         again         again
    408, 500, 502-504      again         again         never         never
    520-530 of a gateway   again         again         never         never
    bytes left, no answer  again         again         never         never
    any other answer       never         never         never         never
    =====================  ============  ============  ============  ============

"Never" where it may be done already: a row without a key is created each time it arrives. A gateway in front of
Planhat says with 408, 502, 504 and 520-530 that it got no usable answer; Planhat may have processed the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs

from planhat_async._convert import excerpt
from planhat_async._http.wire import Request, Response
from planhat_async.errors import DecodeError, NoAnswerError, NotSentError, RequestError, UnknownOutcomeError
from planhat_async.records.arguments import number, valid, whole

R = TypeVar("R", bound=RequestError)

RETRIED_STATUSES = frozenset({408, 500, 502, 503, 504, *range(520, 531)})
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_REPEATABLE = _HARMLESS | {"DELETE"}
_EARNED = 0.5

AttemptResult = Response | NoAnswerError
"""What came back for one attempt."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often, and how patiently, a request is tried again. Only what is safe to repeat is.

    Waits grow exponentially from `wait_initial` to `wait_max`, each drawn evenly between 0 and that (full jitter).
    """

    attempts: int = attrs.field(default=5, validator=valid(whole(1)))
    """Attempts in all, the first one included. A 429 does not count: only `total` ends those."""
    wait_initial: float = attrs.field(default=0.5, validator=valid(number(0)))
    """Seconds that the first wait may take."""
    wait_max: float = attrs.field(default=30.0, validator=valid(number(0)))
    """Seconds that any wait may take."""
    total: float = attrs.field(default=300.0, validator=valid(number(0)))
    """Seconds from the first attempt on, after which no other starts, waits for a backoff, for a pause after a 429 and
    for the pace included. Before the first attempt it is how long a call waits while every call is
    refused with 429; waiting for the pace alone has no end there."""
    budget: float = attrs.field(default=50.0, validator=valid(number(0)))
    """Retries that a session may make beyond those its successes have earned, 429s aside.

    A success earns half a retry, so one failure in four is repeated for ever; where everything fails, it stops.
    """


@attrs.define
class RetryBudget:
    """What a session may still spend on retries."""

    capacity: float
    left: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.left = self.capacity

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def earn(self) -> None:
        """Add what a success earns."""
        self.left = min(self.capacity, self.left + _EARNED)


def is_safe(method: str, *, is_keyed: bool, happened: AttemptResult) -> bool:
    """Whether a repeat cannot do it twice; the table is at the head of this module.

    Args:
        method: The request's method.
        is_keyed: Whether everything in it has a key: a PUT of one record, or a bulk upsert without keyless rows.
        happened: The result of the attempt.
    """
    if isinstance(happened, NotSentError):
        return True
    is_repeatable = method in _REPEATABLE or (method == "PUT" and is_keyed)
    if isinstance(happened, Response):
        return happened.status == 429 or (happened.status in RETRIED_STATUSES and is_repeatable)
    return is_repeatable


def described(happened: AttemptResult) -> str:
    """The result of an attempt, for the log."""
    return str(happened.status) if isinstance(happened, Response) else type(happened).__name__


def unreadable(request: Request, error: DecodeError) -> DecodeError:
    """Mark the error of an unreadable answer if its request may have changed something; returns the error."""
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
    """Removes the token from a body that an error is to show."""
    attempts: int = 0
    refusals: int = 0
    """Number of attempts answered with 429."""
    may_be_done: bool = False
    """Whether an earlier attempt may have been carried out although no answer said so."""
    is_under_way: bool = False
    """Whether an attempt has started and not ended."""
    last_answer: Response | None = None
    note: str = ""
    """Why there was no other attempt, where the error does not tell."""

    @property
    def what(self) -> str:
        """The request, for the log."""
        return f"{self.request.method} {self.request.path}"

    def attempt_started(self, now: float, *, refused_for: float) -> None:
        """Note that an attempt is being sent.

        Args:
            now: The time.
            refused_for: Seconds that it waited through refusals. They use up patience, waiting for the pace does not.
        """
        if not self.attempts:
            self.started = now - refused_for
        self.is_under_way = True

    def attempt_withdrawn(self) -> None:
        """Note that the attempt was cancelled before a byte was sent."""
        self.is_under_way = False

    def slot_came_too_late(self) -> None:
        """Note that no other attempt may start in time."""
        self.note = "no other attempt could start before RetryPolicy.total ended"

    def attempt_ended(self, happened: AttemptResult, *, now: float, pause: float = 0.0, jitter: float) -> float | None:
        """Decide whether there is another attempt.

        Args:
            happened: The result of the attempt.
            now: The time on the clock of `started`.
            pause: Seconds that Planhat, or the pace after a 429, asks to wait.
            jitter: A number from 0 to 1.

        Returns:
            Seconds to wait before the next attempt, or `None` where there must be none.
        """
        self.is_under_way = False
        self.attempts += 1
        left = self.policy.total - (now - self.started)
        if isinstance(happened, Response):
            self.last_answer = happened
            if happened.status == 429:
                self.refusals += 1
                return 0.0 if pause <= left else None
            if happened.status < 500 and happened.status not in RETRIED_STATUSES:
                self.budget.earn()
        if not is_safe(self.request.method, is_keyed=self.request.is_keyed, happened=happened):
            return None
        counted = self.attempts - self.refusals
        wait = max(pause, self._backoff(happened, counted, jitter))
        if counted >= self.policy.attempts or wait > left:
            return None
        if not self.budget.spend():
            self.note = "the session's retry budget is used up: too many calls fail"
            return None
        self.may_be_done = self.may_be_done or not isinstance(happened, NotSentError)
        return wait

    def _backoff(self, happened: AttemptResult, counted: int, jitter: float) -> float:
        wait = jitter * min(self.policy.wait_max, self.policy.wait_initial * 2.0 ** min(counted - 1, 60))
        # What was given up may still be carried out: the same again must not overtake it.
        return max(wait, self.policy.wait_initial) if isinstance(happened, UnknownOutcomeError) else wait

    def is_done_already(self, response: Response) -> bool:
        """Whether a 404 means that an earlier attempt of this DELETE was carried out."""
        return response.status == 404 and self.request.method == "DELETE" and self.may_be_done

    def annotated(self, error: R, *, now: float) -> R:
        """The error, with the attempts that were made, and the last answer if this one is about a missing answer."""
        if isinstance(error, NoAnswerError) and self.last_answer is not None:
            error.last_status = self.last_answer.status
            error.last_body = excerpt(self.hide(self.last_answer.body))
        error.may_have_been_processed = error.may_have_been_processed or self.may_be_done
        if error.may_have_been_processed:
            error.sent = self.request.body
        attempts = self.attempts + self.is_under_way
        return error.after(attempts=attempts, seconds=now - self.started, note=self.note)

    def time_left(self, now: float) -> float:
        """Seconds in which another attempt may start; all of them before the first."""
        return self.policy.total - (now - self.started if self.attempts else 0.0)

    def deadline_passed(self) -> NoAnswerError:
        """The error once the caller's deadline has passed."""
        cls = UnknownOutcomeError if self.is_under_way or self.may_be_done else NotSentError
        said = "after it was sent" if cls is UnknownOutcomeError else "while it waited to be sent"
        return cls(f"{self.what}: the deadline passed {said}", method=self.request.method, path=self.request.path)
