"""An asyncio client for Planhat's REST API: notes, tasks and tickets, one by one or by the million."""

from planhat_async._http.pace import RateLimits
from planhat_async._http.pacer import Pacer
from planhat_async._http.retries import RetryPolicy
from planhat_async._http.transport import Timeouts
from planhat_async.batching.upsert_run import UpsertRun
from planhat_async.bulk_upserts import UpsertOptions
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
from planhat_async.listing_options import (
    NoteListingOptions,
    NotePageOptions,
    TaskListingOptions,
    TaskPageOptions,
    TaskUpdateOptions,
    TicketListingOptions,
    TicketPageOptions,
)
from planhat_async.models import ChecklistItem, Note, Person, Record, StatusChange, Task, Ticket
from planhat_async.repositories import Notes, Tasks, Tickets
from planhat_async.results import ChunkResult, Outcome, Problem, ProblemGroup, Unreadable, UpsertResult
from planhat_async.session import Session, SessionStats
from planhat_async.updates import Updates

__version__ = "0.1.0"

__all__ = [
    "AuthenticationError",
    "BadRequestError",
    "ChecklistItem",
    "ChunkResult",
    "DecodeError",
    "NoAnswerError",
    "NotFoundError",
    "NotSentError",
    "Note",
    "NoteListingOptions",
    "NotePageOptions",
    "Notes",
    "Outcome",
    "Pacer",
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
    "Updates",
    "UpsertError",
    "UpsertOptions",
    "UpsertResult",
    "UpsertRun",
    "extid",
    "srcid",
]
