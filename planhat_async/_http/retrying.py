"""Whether to try again, and when: decisions only.

What happened to an attempt decides whether repeating it is safe:

    =====================  =====================  =====================
    what happened          request is repeatable  request is not
    =====================  =====================  =====================
    no connection          again                  again
    429                    again                  again
    500, 502, 503, 504     again                  never: it may be done
    bytes left, no answer  again                  never: it may be done
    any other answer       never                  never
    =====================  =====================  =====================

Repeatable are GET, DELETE, PUT of one record, and a bulk upsert in which every row has a key.
"""

from __future__ import annotations

import attrs

from planhat_async._http.wire import Request, Response
from planhat_async.errors import NoAnswerError, NotSentError

RETRIED_STATUSES = frozenset({500, 502, 503, 504})

Happening = Response | NoAnswerError
"""What became of one attempt."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often, and how patiently, a request is tried again. Only what is safe to repeat is.

    Waits grow exponentially from `wait_initial` to `wait_max`, each drawn evenly between 0 and that (full jitter).
    """

    attempts: int = attrs.field(default=5, validator=attrs.validators.ge(1))
    """Attempts in all, the first one included. A 429 does not count: only `total` ends those."""
    wait_initial: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    """Seconds that the first wait may take."""
    wait_max: float = attrs.field(default=30.0, validator=attrs.validators.ge(0))
    """Seconds that any wait may take."""
    total: float = attrs.field(default=300.0, validator=attrs.validators.ge(0))
    """Seconds from the first attempt on, after which nothing is tried again."""


def is_safe(request: Request, happened: Happening) -> bool:
    """Whether repeating the request cannot do it twice; the table is at the head of this module."""
    if isinstance(happened, NotSentError):
        return True
    if isinstance(happened, Response):
        return happened.status == 429 or (happened.status in RETRIED_STATUSES and request.is_repeatable)
    return request.is_repeatable


@attrs.define(kw_only=True)
class History:
    """What has become of one request so far."""

    policy: RetryPolicy
    request: Request
    started: float
    """When the first attempt was asked for, on the clock that `judge` is told."""
    attempts: int = 0
    refusals: int = 0
    """How many of the attempts were answered with 429."""
    may_be_done: bool = False
    """Whether an earlier attempt may have been carried out although no answer said so."""

    def judge(self, happened: Happening, *, now: float, pause: float = 0.0, jitter: float) -> float | None:
        """Take an attempt's end into account.

        Args:
            happened: What became of the attempt.
            now: The time on the clock of `started`.
            pause: Seconds for which nothing may be sent, after a 429.
            jitter: A number from 0 to 1.

        Returns:
            Seconds to wait before the next attempt, or `None` where there must be none.
        """
        self.attempts += 1
        left = self.policy.total - (now - self.started)
        if isinstance(happened, Response) and happened.status == 429:
            self.refusals += 1
            return 0.0 if pause <= left else None
        counted = self.attempts - self.refusals
        if not is_safe(self.request, happened) or counted >= self.policy.attempts:
            return None
        self.may_be_done = self.may_be_done or not isinstance(happened, NotSentError)
        wait = jitter * min(self.policy.wait_max, self.policy.wait_initial * 2.0 ** min(counted - 1, 60))
        return wait if wait <= left else None

    def is_done_already(self, response: Response) -> bool:
        """Whether a 404 means that an earlier attempt of this DELETE was carried out."""
        return response.status == 404 and self.request.method == "DELETE" and self.may_be_done
