"""The models that the sandbox knows, each declared in a file of its own."""

from typing import TypeAlias

from planhat_async.sandbox.models.asset_rules import ASSETS
from planhat_async.sandbox.models.company_rules import COMPANIES, Company
from planhat_async.sandbox.models.conversation_rules import CONVERSATIONS
from planhat_async.sandbox.models.enduser_rules import ENDUSERS, EndUser
from planhat_async.sandbox.models.license_rules import LICENSES
from planhat_async.sandbox.models.note_rules import NOTES
from planhat_async.sandbox.models.opportunity_rules import OPPORTUNITIES
from planhat_async.sandbox.models.rules import Rules
from planhat_async.sandbox.models.task_rules import TASKS
from planhat_async.sandbox.models.ticket_rules import TICKETS
from planhat_async.sandbox.models.user_rules import USERS, User

ALL = (NOTES, TASKS, TICKETS, CONVERSATIONS, COMPANIES, USERS, ENDUSERS, LICENSES, ASSETS, OPPORTUNITIES)
"""Every model; add a new one here."""

Entry: TypeAlias = Company | User | EndUser
"""An element of `Sandbox(companies=…, users=…, endusers=…)`."""

__all__ = ["ALL", "Company", "EndUser", "Entry", "Rules", "User"]
