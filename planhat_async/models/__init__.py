"""Planhat's models, one file each: the record, the options of its lists, its repository, and its facts.

Each module is imported on first use of one of its names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planhat_async.models.asset import Asset, Assets
    from planhat_async.models.campaign import Campaign, Campaigns
    from planhat_async.models.churn import Churn, ChurnListingOptions, ChurnPageOptions, Churns, ChurnUpdateOptions
    from planhat_async.models.company import Companies, Company
    from planhat_async.models.company_lists import CompanyListingOptions, CompanyPageOptions, CompanyUpdateOptions
    from planhat_async.models.conversation import Conversation, Conversations
    from planhat_async.models.custom_field import CustomField, CustomFields
    from planhat_async.models.custom_model import CustomModel
    from planhat_async.models.deal import Deal, Deals
    from planhat_async.models.enduser import (
        EndUser,
        EndUserListingOptions,
        EndUserPageOptions,
        EndUsers,
        EndUserUpdateOptions,
    )
    from planhat_async.models.invoice import Invoice, Invoices
    from planhat_async.models.issue import Issue, Issues
    from planhat_async.models.lean_company import LeanCompanies, LeanCompany, LeanCompanyOptions
    from planhat_async.models.license import License, Licenses
    from planhat_async.models.line_item import LineItem, LineItems
    from planhat_async.models.note import Note, NoteListingOptions, NotePageOptions, Notes
    from planhat_async.models.nps import Nps, NpsAnswer, NpsListingOptions, NpsPageOptions
    from planhat_async.models.objective import Objective, Objectives
    from planhat_async.models.opportunity import Opportunities, Opportunity
    from planhat_async.models.product import Product, Products
    from planhat_async.models.project import Project, Projects
    from planhat_async.models.sale import Sale, Sales
    from planhat_async.models.task import Task, TaskListingOptions, TaskPageOptions, Tasks, TaskUpdateOptions
    from planhat_async.models.ticket import Ticket, TicketListingOptions, TicketPageOptions, Tickets
    from planhat_async.models.time_entry import TimeEntries, TimeEntry
    from planhat_async.models.timesheet import Timesheet, Timesheets
    from planhat_async.models.user import User, Users
    from planhat_async.models.workflow import Workflow, Workflows
    from planhat_async.models.workspace import Workspace, Workspaces
    from planhat_async.repositories import Repository

    ALL: tuple[type[Repository[Any]], ...]
    """Every repository: the command line, exports, journals and samples derive from this tuple."""

_MODELS = (
    ("asset", "Assets Asset"),
    ("campaign", "Campaigns Campaign"),
    ("churn", "Churns Churn ChurnPageOptions ChurnListingOptions ChurnUpdateOptions"),
    ("company", "Companies Company"),
    ("conversation", "Conversations Conversation"),
    ("custom_field", "CustomFields CustomField"),
    ("deal", "Deals Deal"),
    ("enduser", "EndUsers EndUser EndUserPageOptions EndUserListingOptions EndUserUpdateOptions"),
    ("invoice", "Invoices Invoice"),
    ("issue", "Issues Issue"),
    ("lean_company", "LeanCompanies LeanCompany LeanCompanyOptions"),
    ("license", "Licenses License"),
    ("line_item", "LineItems LineItem"),
    ("note", "Notes Note NotePageOptions NoteListingOptions"),
    ("nps", "Nps NpsAnswer NpsPageOptions NpsListingOptions"),
    ("objective", "Objectives Objective"),
    ("opportunity", "Opportunities Opportunity"),
    ("product", "Products Product"),
    ("project", "Projects Project"),
    ("sale", "Sales Sale"),
    ("task", "Tasks Task TaskPageOptions TaskListingOptions TaskUpdateOptions"),
    ("ticket", "Tickets Ticket TicketPageOptions TicketListingOptions"),
    ("time_entry", "TimeEntries TimeEntry"),
    ("timesheet", "Timesheets Timesheet"),
    ("user", "Users User"),
    ("workflow", "Workflows Workflow"),
    ("workspace", "Workspaces Workspace"),
)
"""A line for each model: its module, and that module's public names, the repository's first."""
_SHARED = (
    ("company_lists", "CompanyPageOptions CompanyListingOptions CompanyUpdateOptions"),
    ("custom_model", "CustomModel"),
)
_MODULES = {name: module for module, names in (*_MODELS, *_SHARED) for name in names.split()}

__all__ = [
    "Asset",
    "Assets",
    "Campaign",
    "Campaigns",
    "Churn",
    "ChurnListingOptions",
    "ChurnPageOptions",
    "ChurnUpdateOptions",
    "Churns",
    "Companies",
    "Company",
    "CompanyListingOptions",
    "CompanyPageOptions",
    "CompanyUpdateOptions",
    "Conversation",
    "Conversations",
    "CustomField",
    "CustomFields",
    "CustomModel",
    "Deal",
    "Deals",
    "EndUser",
    "EndUserListingOptions",
    "EndUserPageOptions",
    "EndUserUpdateOptions",
    "EndUsers",
    "Invoice",
    "Invoices",
    "Issue",
    "Issues",
    "LeanCompanies",
    "LeanCompany",
    "LeanCompanyOptions",
    "License",
    "Licenses",
    "LineItem",
    "LineItems",
    "Note",
    "NoteListingOptions",
    "NotePageOptions",
    "Notes",
    "Nps",
    "NpsAnswer",
    "NpsListingOptions",
    "NpsPageOptions",
    "Objective",
    "Objectives",
    "Opportunities",
    "Opportunity",
    "Product",
    "Products",
    "Project",
    "Projects",
    "Sale",
    "Sales",
    "Task",
    "TaskListingOptions",
    "TaskPageOptions",
    "TaskUpdateOptions",
    "Tasks",
    "Ticket",
    "TicketListingOptions",
    "TicketPageOptions",
    "Tickets",
    "TimeEntries",
    "TimeEntry",
    "Timesheet",
    "Timesheets",
    "User",
    "Users",
    "Workflow",
    "Workflows",
    "Workspace",
    "Workspaces",
]


def __getattr__(name: str) -> Any:
    if name == "ALL":
        value: Any = tuple(__getattr__(names.split()[0]) for _, names in _MODELS)
    elif name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
