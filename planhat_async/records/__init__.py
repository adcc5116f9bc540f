"""The base of all records, and the facts that describe a model."""

from planhat_async.records.filters import (
    ArchivedFilter,
    Branch,
    DayFilter,
    Filter,
    HiddenFilter,
    IdFilter,
    NumberFilter,
    Params,
    RowFilter,
    TextFilter,
    TextsFilter,
    TypeFilter,
)
from planhat_async.records.model import UNKNOWN_LIMITS, Model, PageLimits
from planhat_async.records.record import ChecklistItem, Part, Person, Record, StatusChange, read_only, writable

__all__ = [
    "UNKNOWN_LIMITS",
    "ArchivedFilter",
    "Branch",
    "ChecklistItem",
    "DayFilter",
    "Filter",
    "HiddenFilter",
    "IdFilter",
    "Model",
    "NumberFilter",
    "PageLimits",
    "Params",
    "Part",
    "Person",
    "Record",
    "RowFilter",
    "StatusChange",
    "TextFilter",
    "TextsFilter",
    "TypeFilter",
    "read_only",
    "writable",
]
