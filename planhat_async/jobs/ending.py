"""What ended a run, as its journal keeps it: decisions only."""

from __future__ import annotations

import asyncio

from planhat_async._convert import printable
from planhat_async.errors import PlanhatError
from planhat_async.jobs.entries import may_quote_a_row, without_values
from planhat_async.jobs.journal_file import JournalError
from planhat_async.jobs.mapping import SourceError


def end_reason(error: BaseException, *, keeps_values: bool) -> str:
    """One line; what it may quote of a row is left out unless values are kept."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "interrupted"
    is_harmless = isinstance(error, JournalError | SourceError | OSError)
    is_harmless = is_harmless or (isinstance(error, PlanhatError) and not may_quote_a_row(error))
    # Anything else may be about a row, and quote it.
    return printable(str(error) if is_harmless or keeps_values else without_values(str(error)))
