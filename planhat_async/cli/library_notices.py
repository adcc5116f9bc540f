"""Shows what the library logs while a command runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from planhat_async.cli import console
from planhat_async.cli.run_log import log, without_rows

_LIBRARY, _PACE = "planhat_async", "planhat_async.pace"


class LibraryNotices(logging.Handler):
    """Shows each record on standard error: as a line, or as a JSON object with the fields of its event."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        fields: dict[str, Any] | None = getattr(record, "planhat", None)
        if fields is not None and log.is_json:
            log.write(level=record.levelno, **fields)
        elif record.levelno >= logging.INFO:
            is_about_others = record.name == _PACE and record.levelno == logging.INFO
            hint = ": --shared none to leave it" if is_about_others else ""
            message = record.getMessage()
            message = without_rows(message) if log.is_json else message
            console.tell(f"{message}{hint}", level=record.levelno, event="notice")


@contextmanager
def notices_shown() -> Iterator[None]:
    """Show them within the block: warnings, who shares the pace, and for a log in JSON every call."""
    library, pace, handler = logging.getLogger(_LIBRARY), logging.getLogger(_PACE), LibraryNotices()
    before = library.level, pace.level
    library.setLevel(logging.DEBUG if log.is_json else logging.WARNING)
    pace.setLevel(logging.INFO)
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)
        library.setLevel(before[0])
        pace.setLevel(before[1])
