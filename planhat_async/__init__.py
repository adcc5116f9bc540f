"""An asyncio client for Planhat's REST API: records of every model, one by one or by the million.

Each name is imported on first use, because pytest imports this package, for its plugin, at every start.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from planhat_async import models

if TYPE_CHECKING:
    from planhat_async._http.pace import RateLimits
    from planhat_async._http.pacer import Pacer
    from planhat_async._http.retries import RetryPolicy
    from planhat_async._http.transport import Timeouts
    from planhat_async.analytics import (
        Activity,
        ActivityRows,
        Analytics,
        Metric,
        MetricRows,
        SendChunkResult,
        SendError,
        SendOptions,
        SendOutcome,
        SendProblem,
        SendProblemGroup,
        SendResult,
        SendRun,
    )
    from planhat_async.batching.upsert_run import UpsertRun
    from planhat_async.errors import (
        AuthenticationError,
        BadRequestError,
        DecodeError,
        NoAnswerError,
        NotFoundError,
        NotSentError,
        PayloadTooLargeError,
        PermissionDeniedError,
        PlanhatError,
        RateLimitedError,
        RequestError,
        RequestTimeoutError,
        ServerError,
        StatusError,
        UnknownOutcomeError,
    )
    from planhat_async.models import *  # noqa: F403 - with its `__all__`
    from planhat_async.records import ChecklistItem, Model, Person, Record, StatusChange
    from planhat_async.records.keys import extid, srcid
    from planhat_async.repositories import (
        AmbiguousKeyError,
        KeyLookup,
        ListingOptions,
        PageOptions,
        UpdatedSince,
        UpsertOptions,
    )
    from planhat_async.results import ChunkResult, Outcome, Problem, ProblemGroup, Unreadable, UpsertError, UpsertResult
    from planhat_async.session import Session, SessionStats

__version__ = "0.2.0"

# Without it, Python prints the warnings of a program that has not configured logging to standard error.
logging.getLogger("planhat_async").addHandler(logging.NullHandler())

_NAMES = {
    "_http.pace": "RateLimits",
    "_http.pacer": "Pacer",
    "_http.retries": "RetryPolicy",
    "_http.transport": "Timeouts",
    "analytics": """
        Activity ActivityRows Analytics Metric MetricRows SendChunkResult SendError SendOptions SendOutcome
        SendProblem SendProblemGroup SendResult SendRun
    """,
    "batching.upsert_run": "UpsertRun",
    "errors": """
        AuthenticationError BadRequestError DecodeError NoAnswerError NotFoundError NotSentError
        PayloadTooLargeError PermissionDeniedError PlanhatError RateLimitedError RequestError
        RequestTimeoutError ServerError StatusError UnknownOutcomeError
    """,
    "records.keys": "extid srcid",
    "records": "ChecklistItem Model Person Record StatusChange",
    "repositories": "AmbiguousKeyError KeyLookup ListingOptions PageOptions UpdatedSince UpsertOptions",
    "results": "ChunkResult Outcome Problem ProblemGroup Unreadable UpsertError UpsertResult",
    "session": "Session SessionStats",
}
"""The public names, by module."""
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
_MODULES |= dict.fromkeys(models.__all__, "models")

__all__ = [
    "Activity",
    "ActivityRows",
    "AmbiguousKeyError",
    "Analytics",
    "AuthenticationError",
    "BadRequestError",
    "ChecklistItem",
    "ChunkResult",
    "DecodeError",
    "KeyLookup",
    "ListingOptions",
    "Metric",
    "MetricRows",
    "Model",
    "NoAnswerError",
    "NotFoundError",
    "NotSentError",
    "Outcome",
    "Pacer",
    "PageOptions",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "Person",
    "PlanhatError",
    "Problem",
    "ProblemGroup",
    "RateLimitedError",
    "RateLimits",
    "Record",
    "RequestError",
    "RequestTimeoutError",
    "RetryPolicy",
    "SendChunkResult",
    "SendError",
    "SendOptions",
    "SendOutcome",
    "SendProblem",
    "SendProblemGroup",
    "SendResult",
    "SendRun",
    "ServerError",
    "Session",
    "SessionStats",
    "StatusChange",
    "StatusError",
    "Timeouts",
    "UnknownOutcomeError",
    "Unreadable",
    "UpdatedSince",
    "UpsertError",
    "UpsertOptions",
    "UpsertResult",
    "UpsertRun",
    "extid",
    "srcid",
]
__all__ += models.__all__


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
