"""An asyncio client for Planhat's REST API: companies, notes, tasks and tickets, one by one or by the million.

Each name is imported on first use, because pytest imports this package, for its plugin, at every start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    from planhat_async.keys import extid, srcid
    from planhat_async.models import (
        Companies,
        Company,
        CompanyListingOptions,
        CompanyPageOptions,
        Note,
        NoteListingOptions,
        NotePageOptions,
        Notes,
        Task,
        TaskListingOptions,
        TaskPageOptions,
        Tasks,
        TaskUpdateOptions,
        Ticket,
        TicketListingOptions,
        TicketPageOptions,
        Tickets,
    )
    from planhat_async.records import ChecklistItem, Model, Person, Record, StatusChange
    from planhat_async.repositories import ListingOptions, PageOptions, UpdatedSince, UpsertOptions
    from planhat_async.results import ChunkResult, Outcome, Problem, ProblemGroup, Unreadable, UpsertError, UpsertResult
    from planhat_async.session import Session, SessionStats

__version__ = "0.1.0"

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
    "keys": "extid srcid",
    "models": """
        Companies Company CompanyListingOptions CompanyPageOptions
        Note NoteListingOptions NotePageOptions Notes Task TaskListingOptions TaskPageOptions Tasks
        TaskUpdateOptions Ticket TicketListingOptions TicketPageOptions Tickets
    """,
    "records": "ChecklistItem Model Person Record StatusChange",
    "repositories": "ListingOptions PageOptions UpdatedSince UpsertOptions",
    "results": "ChunkResult Outcome Problem ProblemGroup Unreadable UpsertError UpsertResult",
    "session": "Session SessionStats",
}
"""The public names, by module."""
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "Activity",
    "ActivityRows",
    "Analytics",
    "AuthenticationError",
    "BadRequestError",
    "ChecklistItem",
    "ChunkResult",
    "Companies",
    "Company",
    "CompanyListingOptions",
    "CompanyPageOptions",
    "DecodeError",
    "ListingOptions",
    "Metric",
    "MetricRows",
    "Model",
    "NoAnswerError",
    "NotFoundError",
    "NotSentError",
    "Note",
    "NoteListingOptions",
    "NotePageOptions",
    "Notes",
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
    "Task",
    "TaskListingOptions",
    "TaskPageOptions",
    "TaskUpdateOptions",
    "Tasks",
    "Ticket",
    "TicketListingOptions",
    "TicketPageOptions",
    "Tickets",
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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
