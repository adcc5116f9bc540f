"""The records: one class per model of Planhat's that this library reads and writes."""

from planhat_async.models.note import Note
from planhat_async.models.parts import ChecklistItem, Person, StatusChange
from planhat_async.models.record import Record
from planhat_async.models.task import Task
from planhat_async.models.ticket import Ticket

__all__ = ["ChecklistItem", "Note", "Person", "Record", "StatusChange", "Task", "Ticket"]
