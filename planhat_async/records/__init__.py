"""The base of all records, and the facts that describe a model."""

from planhat_async.records.filters import (
    ArchivedFilter,
    Branch,
    DayFilter,
    Filter,
    IdFilter,
    Params,
    RowFilter,
    TextFilter,
    TypeFilter,
)
from planhat_async.records.model import Model, PageLimits
from planhat_async.records.record import ChecklistItem, Part, Person, Record, StatusChange, read_only, writable

__all__ = [
    "ArchivedFilter",
    "Branch",
    "ChecklistItem",
    "DayFilter",
    "Filter",
    "IdFilter",
    "Model",
    "PageLimits",
    "Params",
    "Part",
    "Person",
    "Record",
    "RowFilter",
    "StatusChange",
    "TextFilter",
    "TypeFilter",
    "read_only",
    "writable",
]
