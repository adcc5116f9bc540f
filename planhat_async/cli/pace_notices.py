"""Shows what the library says about the pace."""

from __future__ import annotations

import logging

from planhat_async.cli import console

_LOGGER = logging.getLogger("planhat_async.pace")


class PaceNotices(logging.Handler):
    """Prints each message as one line on standard error, with the option that changes it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        hint = ": --shared none to leave it" if record.levelno == logging.INFO else ""
        console.tell(f"{record.getMessage()}{hint}")


def show_pace_notices() -> None:
    """Show them from now on."""
    if not any(isinstance(handler, PaceNotices) for handler in _LOGGER.handlers):
        _LOGGER.addHandler(PaceNotices())
        _LOGGER.setLevel(logging.INFO)
