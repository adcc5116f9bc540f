"""What a command says on standard error: as lines of text, or as a JSON object per event."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.errors import DecodeError, PlanhatError, StatusError
from planhat_async.jobs.entries import may_quote_a_row, without_values

MAX_LINE = 2000


class LogFormat(StrEnum):
    """The forms of what a command says."""

    TEXT = "text"
    JSON = "json"


@attrs.define
class RunLog:
    """How the running command says what happens."""

    format: LogFormat = LogFormat.TEXT
    is_quiet: bool = False
    """Whether only problems and errors are said."""

    @property
    def is_json(self) -> bool:
        """Whether each event is a JSON object."""
        return self.format is LogFormat.JSON

    @property
    def shows_tables(self) -> bool:
        """Whether results are shown as tables on standard output."""
        return not (self.is_json or self.is_quiet)

    def shows_result(self, *, as_json: bool) -> bool:
        """Whether to say a result, and what ended the run, although `--json` may print it on standard output too."""
        return self.is_json or not as_json

    def includes(self, level: int) -> bool:
        """Whether something of this level of `logging` is said."""
        return level >= (logging.WARNING if self.is_quiet else logging.DEBUG)

    def write(self, event: str, *, level: int = logging.INFO, **fields: Any) -> None:
        """Write an event as a JSON object on one line, if the log is JSON; fields that are `None` are left out."""
        if self.is_json and self.includes(level) and sys.stderr is not None:  # it is missing after `2>&-`
            line = json_line(event, fields, level=level, now=datetime.now(UTC))
            with said_if_possible():
                sys.stderr.write(line)
                sys.stderr.flush()


log: RunLog = RunLog()
"""The log of the running command."""


@contextmanager
def said_if_possible() -> Iterator[None]:
    """Write to standard error within the block, if that is possible.

    The run goes on without its log: the reader of a pipe may be gone, or the disk full, while rows are in flight.
    """
    try:
        yield
    except BrokenPipeError:
        _discard_the_rest()
    except OSError:
        pass  # a full disk may have room again for the next line


def _discard_the_rest() -> None:
    """Discard what is said from now on; Python would end with a code of its own if it could not flush."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stderr.fileno())
        os.close(null)


@contextmanager
def logging_as(log_format: LogFormat, *, is_quiet: bool) -> Iterator[None]:
    """Say what happens in this form, within the block."""
    before = (log.format, log.is_quiet)
    log.format, log.is_quiet = log_format, is_quiet
    try:
        yield
    finally:
        log.format, log.is_quiet = before
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
        except OSError:
            _discard_the_rest()


def json_line(event: str, fields: Mapping[str, Any], *, level: int, now: datetime) -> str:
    """An event as one line of JSON, of ASCII characters only."""
    given = {name: value for name, value in fields.items() if value is not None}
    when = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": when, "level": logging.getLevelName(level).lower(), "event": event, **given}) + "\n"


def without_rows(message: object) -> str:
    """A message or an error on one line, without the values of rows that it may quote."""
    is_harmless = isinstance(message, OSError) or (isinstance(message, PlanhatError) and not may_quote_a_row(message))
    text = str(message)
    if isinstance(message, StatusError) and not is_harmless:
        # What follows is the answer, in Planhat's words, which quote rows without quotation marks too.
        text = f"{message.method} answered {message.status}"
    elif isinstance(message, DecodeError):
        text = text.partition(" (status ")[0]  # the same
    return printable(text if is_harmless else without_values(text), MAX_LINE)


def error_fields(error: object) -> dict[str, Any]:
    """What an error says of the request that failed."""
    fields = {"error": type(error).__name__} if isinstance(error, BaseException) else {}
    return fields | {
        name: value
        for name, attribute in (("status", "status"), ("attempt", "attempts"))
        if isinstance(value := getattr(error, attribute, None), int)
    }
