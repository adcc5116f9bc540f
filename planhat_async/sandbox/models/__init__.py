"""The models that the sandbox knows, each declared in a file of its own."""

from typing import TypeAlias

from planhat_async.sandbox.models.asset_rules import ASSETS
from planhat_async.sandbox.models.campaign_rules import CAMPAIGNS
from planhat_async.sandbox.models.churn_rules import CHURNS
from planhat_async.sandbox.models.company_rules import COMPANIES, Company
from planhat_async.sandbox.models.conversation_rules import CONVERSATIONS
from planhat_async.sandbox.models.custom_field_rules import CUSTOM_FIELDS
from planhat_async.sandbox.models.deal_rules import DEALS
from planhat_async.sandbox.models.enduser_rules import ENDUSERS, EndUser
from planhat_async.sandbox.models.invoice_rules import INVOICES
from planhat_async.sandbox.models.issue_rules import ISSUES
from planhat_async.sandbox.models.lean_company_rules import LEAN_COMPANIES
from planhat_async.sandbox.models.license_rules import LICENSES
from planhat_async.sandbox.models.line_item_rules import LINE_ITEMS
from planhat_async.sandbox.models.note_rules import NOTES
from planhat_async.sandbox.models.nps_rules import NPS
from planhat_async.sandbox.models.objective_rules import OBJECTIVES
from planhat_async.sandbox.models.opportunity_rules import OPPORTUNITIES
from planhat_async.sandbox.models.product_rules import PRODUCTS
from planhat_async.sandbox.models.project_rules import PROJECTS
from planhat_async.sandbox.models.rules import Rules
from planhat_async.sandbox.models.sale_rules import SALES
from planhat_async.sandbox.models.task_rules import TASKS
from planhat_async.sandbox.models.ticket_rules import TICKETS
from planhat_async.sandbox.models.time_entry_rules import TIME_ENTRIES
from planhat_async.sandbox.models.timesheet_rules import TIMESHEETS
from planhat_async.sandbox.models.user_rules import USERS, User
from planhat_async.sandbox.models.workflow_rules import WORKFLOWS
from planhat_async.sandbox.models.workspace_rules import WORKSPACES

ALL = (
    NOTES,
    TASKS,
    TICKETS,
    CONVERSATIONS,
    COMPANIES,
    USERS,
    ENDUSERS,
    LICENSES,
    ASSETS,
    OPPORTUNITIES,
    ISSUES,
    INVOICES,
    NPS,
    SALES,
    CHURNS,
    PROJECTS,
    OBJECTIVES,
    CAMPAIGNS,
    WORKSPACES,
    CUSTOM_FIELDS,
    LEAN_COMPANIES,
    TIME_ENTRIES,
    TIMESHEETS,
    PRODUCTS,
    DEALS,
    LINE_ITEMS,
    WORKFLOWS,
)
"""Every model; add a new one here."""

Entry: TypeAlias = Company | User | EndUser
"""An element of `Sandbox(companies=…, users=…, endusers=…)`."""

__all__ = ["ALL", "Company", "EndUser", "Entry", "Rules", "User"]
