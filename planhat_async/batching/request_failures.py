"""The consequences of an error for the rows of its request and for the next request: decisions only."""

from __future__ import annotations

from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotSentError,
    PayloadTooLargeError,
    PlanhatError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StatusError,
)
from planhat_async.results import Outcome


def outcome_of(error: PlanhatError) -> Outcome:
    """The outcome of the rows whose request failed with this error."""
    if error.may_have_been_processed or isinstance(error, DecodeError):
        return Outcome.UNKNOWN
    if isinstance(error, NotSentError | RateLimitedError | AuthenticationError):
        return Outcome.UNSENT  # nothing is wrong with the rows
    return Outcome.REJECTED


def refuses_everything(error: PlanhatError) -> bool:
    """Whether the next request would fail in the same way."""
    if isinstance(error, ServerError | RequestTimeoutError | BadRequestError | PayloadTooLargeError):
        return False
    return isinstance(error, StatusError | NotSentError)
