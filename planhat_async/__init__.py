"""An asyncio client for Planhat's REST API: notes, tasks and tickets, one by one or by the million."""

from planhat_async._http.pace import RateLimits
from planhat_async._http.pacing import Pacer
from planhat_async._http.retrying import RetryPolicy
from planhat_async._http.transport import Timeouts
from planhat_async.batching.upserting import UpsertRun
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
    UpsertError,
)
from planhat_async.keys import extid, srcid
from planhat_async.models import (
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
from planhat_async.results import ChunkResult, Outcome, Problem, ProblemGroup, Unreadable, UpsertResult
from planhat_async.session import Session, SessionStats

__version__ = "0.1.0"

__all__ = [
    "AuthenticationError",
    "BadRequestError",
    "ChecklistItem",
    "ChunkResult",
    "DecodeError",
    "ListingOptions",
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
