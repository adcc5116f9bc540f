"""Planhat's models, one file each: the record, the options of its lists, its repository, and its facts."""

from planhat_async.models.company import Companies, Company
from planhat_async.models.company_lists import CompanyListingOptions, CompanyPageOptions
from planhat_async.models.note import Note, NoteListingOptions, NotePageOptions, Notes
from planhat_async.models.task import Task, TaskListingOptions, TaskPageOptions, Tasks, TaskUpdateOptions
from planhat_async.models.ticket import Ticket, TicketListingOptions, TicketPageOptions, Tickets

ALL = (Companies, Notes, Tasks, Tickets)
"""Every repository: the command line, exports, journals and samples derive from this list."""

__all__ = [
    "ALL",
    "Companies",
    "Company",
    "CompanyListingOptions",
    "CompanyPageOptions",
    "Note",
    "NoteListingOptions",
    "NotePageOptions",
    "Notes",
    "Task",
    "TaskListingOptions",
    "TaskPageOptions",
    "TaskUpdateOptions",
    "Tasks",
    "Ticket",
    "TicketListingOptions",
    "TicketPageOptions",
    "Tickets",
]
