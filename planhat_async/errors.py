"""Everything this library raises about Planhat, drawn as one tree.

Whose fault it is shows in the branch::

    PlanhatError
    ├── RequestError                one request failed
    │   ├── NoAnswerError             no usable answer came
    │   │   ├── NotSentError            and Planhat provably processed nothing: no connection
    │   │   └── UnknownOutcomeError     and bytes had left: Planhat may have processed them
    │   └── StatusError               an answer that says no
    │       ├── BadRequestError         400
    │       ├── AuthenticationError     401: a wrong token, or the right one in the wrong region
    │       ├── PermissionDeniedError   403: a token may be refused on one model only
    │       ├── NotFoundError           404
    │       ├── RequestTimeoutError     408: a gateway stopped waiting; Planhat may have processed the request
    │       ├── PayloadTooLargeError    413
    │       ├── RateLimitedError        429: and patience is used up
    │       └── ServerError             5xx: Planhat may have processed the request all the same
    ├── DecodeError                 an answer that cannot be read, or is not what was asked for
    └── UpsertError                 rows that were not stored, with the whole account: in `results.py`

Misuse that is found before anything is sent is a plain `ValueError` or `TypeError`. No message holds the
token. All of them pickle.
"""

from __future__ import annotations

from typing import Any, Self


class PlanhatError(Exception):
    """Anything that went wrong between this client and Planhat.

    Attributes:
        may_have_been_processed: True where Planhat may have carried out the request although it failed here.
            A write that is not idempotent must then be checked before it is sent again.
    """

    may_have_been_processed = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by attributes: an exception's own way would call `__init__` with the message alone."""
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(cls: type[PlanhatError], args: tuple[Any, ...], state: dict[str, Any]) -> PlanhatError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class RequestError(PlanhatError):
    """One request failed.

    Attributes:
        method: Its HTTP method.
        path: Its path, without the query.
        attempts: How often it was tried.
        seconds: How long that took, from the first attempt on.
        sent: The body that was sent, if there was one and Planhat may have processed it.
    """

    sent: bytes | None = None

    def __init__(self, message: str, *, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.attempts: int = 1
        self.seconds: float = 0.0
        self._note = ""

    def after(self, *, attempts: int, seconds: float, note: str = "") -> Self:
        """Note how many attempts were made and in how many seconds; returns the error."""
        self.attempts, self.seconds, self._note = attempts, seconds, note
        return self

    def __str__(self) -> str:
        tried = [f"{self.attempts} attempts in {self.seconds:.1f} s"] if self.attempts > 1 else []
        notes = "; ".join([*tried, *filter(None, [self._note])])
        return f"{super().__str__()} ({notes})" if notes else super().__str__()


class NoAnswerError(RequestError):
    """No usable answer came.

    Attributes:
        last_status: The status of the last answer that an earlier attempt got, if one did.
        last_body: The beginning of that answer.
    """

    last_status: int | None = None
    last_body: str = ""


class NotSentError(NoAnswerError):
    """No connection: the request never reached Planhat, so sending it again is safe."""


class UnknownOutcomeError(NoAnswerError):
    """Bytes had left and no answer came: a timeout, a reset, an answer cut short."""

    may_have_been_processed = True


class StatusError(RequestError):
    """An answer with a status that says no.

    Attributes:
        status: The HTTP status.
        body: The answer's body as text, at most its first 2,000 characters, as it came but for the token; the message
            shows its beginning on one line.
        retry_after: Seconds to wait, where the answer named them.
    """

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
        self.body = body
        self.retry_after = retry_after


class BadRequestError(StatusError):
    """400: Planhat refuses the request as it stands."""


class AuthenticationError(StatusError):
    """401: the token is wrong, or it belongs to another region than the base URL."""


class PermissionDeniedError(StatusError):
    """403: the token may not do this. A token may be refused on one model only."""


class NotFoundError(StatusError):
    """404: no such record, or no such path at this base URL."""


class RequestTimeoutError(StatusError):
    """408: a server or a gateway stopped waiting. Planhat may have processed the request all the same."""

    may_have_been_processed = True


class PayloadTooLargeError(StatusError):
    """413: the body is larger than Planhat takes."""


class RateLimitedError(StatusError):
    """429, and patience is used up. Nothing was processed."""


class ServerError(StatusError):
    """5xx: Planhat's fault, or a gateway's. Planhat may have processed the request all the same."""

    may_have_been_processed = True


class DecodeError(PlanhatError):
    """An answer, or one record in it, that cannot be read or is not what was asked for.

    Also a 2xx answer that is not a success: `{"error": …}`, or an object without `_id` where a record belongs. The
    message shows the beginning of the answer.

    Attributes:
        id: The record's `_id`, where it could be read.
        position: The record's position among those that the listing hands out, counted from 0 where it began; in a
            single page its position in Planhat's list.
        sent: The body that was sent, where it was to change something: Planhat has answered, so it may have done so.
        body: The answer as text, at most its first 2,000 characters, where as a whole it is not what was asked for.
    """

    sent: bytes | None = None
    body: str = ""

    def __init__(self, message: str, *, id: str | None = None, position: int | None = None) -> None:  # noqa: A002 - the wire's word
        super().__init__(message)
        self.id = id
        self.position = position
