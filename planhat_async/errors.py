"""The errors of this library, as one tree.

The branch says whose fault it is::

    PlanhatError
    ├── RequestError                one request failed
    │   ├── NoAnswerError             no usable answer came
    │   │   ├── NotSentError            no connection: Planhat processed nothing
    │   │   └── UnknownOutcomeError     the request was sent: Planhat may have processed it
    │   └── StatusError               an answer with an error status
    │       ├── BadRequestError         400
    │       ├── AuthenticationError     401: a wrong token, or the right one in the wrong region
    │       ├── PermissionDeniedError   403: a token may be refused on one model only
    │       ├── NotFoundError           404
    │       ├── RequestTimeoutError     408: a gateway stopped waiting; Planhat may have processed the request
    │       ├── PayloadTooLargeError    413
    │       ├── RateLimitedError        429, for longer than `RetryPolicy.total`
    │       └── ServerError             5xx: Planhat may have processed the request
    ├── DecodeError                 an answer that cannot be decoded, or is not what was asked for
    ├── UpsertError                 rows were not stored; holds the whole result (in `results.py`)
    └── SendError                   metrics or activities were not accepted (in `analytics/send_result.py`)

Misuse found before anything is sent raises a plain `ValueError` or `TypeError`. No message contains the token or the
tenant UUID. Every
error can be pickled.
"""

from __future__ import annotations

import copyreg
from typing import Any, Self

ARROW_IS_MISSING = "tables need one more package: pip install 'planhat-async[arrow]'"


class MissingExtraError(ImportError):
    """A format needs a package that is not installed; the message names the extra. Not an error of Planhat."""


class PlanhatError(Exception):
    """Any error between this client and Planhat."""

    may_have_been_processed = False
    """Whether Planhat may have processed the request although it failed here.

    Check a write that is not idempotent before you send it again.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the attributes: the default would call `__init__` with the message alone."""
        return (copyreg.__newobj__, (type(self), *self.args), self.__dict__)  # type: ignore[attr-defined]


class RequestError(PlanhatError):
    """One request failed."""

    sent: bytes | None = None
    """The body that was sent, if Planhat may have processed it."""

    def __init__(self, message: str, *, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.method = method
        """The request's HTTP method."""
        self.path = path
        """The request's path, without the query."""
        self.attempts: int = 1
        """The number of attempts."""
        self.seconds: float = 0.0
        """Seconds since the first attempt."""
        self._note = ""

    def after(self, *, attempts: int, seconds: float, note: str = "") -> Self:
        """Record the number of attempts and the seconds they took; returns the error."""
        self.attempts, self.seconds, self._note = attempts, seconds, note
        return self

    def __str__(self) -> str:
        attempts = f"{self.attempts} attempts in {self.seconds:.1f} s" if self.attempts > 1 else ""
        notes = "; ".join(filter(None, [attempts, self._note]))
        return f"{super().__str__()} ({notes})" if notes else super().__str__()


class NoAnswerError(RequestError):
    """No usable answer came."""

    last_status: int | None = None
    """The status of the last answer to an earlier attempt, if there was one."""
    last_body: str = ""
    """The beginning of that answer."""


class NotSentError(NoAnswerError):
    """No connection: the request never reached Planhat, so it is safe to send it again."""


class UnknownOutcomeError(NoAnswerError):
    """The request was sent and no complete answer came: a timeout, a reset, a connection that ended early."""

    may_have_been_processed = True


class StatusError(RequestError):
    """An answer with an error status."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        method: str = "",
        path: str = "",
        body: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, method=method, path=path)
        self.status = status
        """The HTTP status."""
        self.body = body
        """The first 2,000 characters of the answer's body, without the token; the message shows its beginning."""
        self.retry_after = retry_after
        """The seconds in `Retry-After`, if the answer has that header."""


class BadRequestError(StatusError):
    """400: Planhat rejects the request."""


class AuthenticationError(StatusError):
    """401: the token is wrong, or it belongs to another region than the base URL."""


class PermissionDeniedError(StatusError):
    """403: the token may not do this. A token may be refused on one model only."""


class NotFoundError(StatusError):
    """404: no such record, or no such path at this base URL."""


class RequestTimeoutError(StatusError):
    """408: a server or a gateway stopped waiting. Planhat may have processed the request."""

    may_have_been_processed = True


class PayloadTooLargeError(StatusError):
    """413: the body is larger than Planhat accepts."""


class RateLimitedError(StatusError):
    """429, for longer than `RetryPolicy.total`. Planhat processed nothing."""


class ServerError(StatusError):
    """5xx: an error of Planhat or of a gateway. Planhat may have processed the request."""

    may_have_been_processed = True


class DecodeError(PlanhatError):
    """An answer, or one record in it, that cannot be decoded or is not what was asked for.

    Also raised for a 2xx answer that is not a success: `{"error": …}`, or an object without `_id` in place of a
    record. The message shows the beginning of the answer.
    """

    sent: bytes | None = None
    """The body that was sent, if the request was a write: Planhat has answered, so it may have processed it."""
    body: str = ""
    """The first 2,000 characters of an answer that as a whole is not what was asked for."""

    def __init__(self, message: str, *, id: str | None = None, position: int | None = None) -> None:  # noqa: A002 - the wire's word
        super().__init__(message)
        self.id = id
        """The record's `_id`, if it could be decoded."""
        self.position = position
        """The record's position, counted from 0, among the records that a listing yields, or in a single page."""
