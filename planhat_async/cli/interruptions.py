"""Ends a run at a signal: at the first one after what is in flight, at the second at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from planhat_async.cli import console
from planhat_async.cli.exit_codes import INTERRUPTED, NOT_ALL_STORED, UNUSABLE, WRONG_USAGE
from planhat_async.cli.signals import signals_handled
from planhat_async.errors import PlanhatError


class Interrupted(Exception):  # noqa: N818 - not an error
    """A signal asked the program to end."""


ENDED_EARLY = "interrupted; what was in flight has ended, the rows after it were not sent"
CUT_OFF = "interrupted; rows in flight are unknown, those after them were not sent"


def code_of(ended_by: BaseException | None, *, is_ok: bool) -> int:
    """The exit code of a run, given what ended it early."""
    if ended_by is None:
        return 0 if is_ok else NOT_ALL_STORED
    if isinstance(ended_by, PlanhatError):
        return UNUSABLE
    return INTERRUPTED if isinstance(ended_by, Interrupted) else WRONG_USAGE


class Stoppable(Protocol):
    """A run that can be ended early."""

    def stop(self) -> None:
        """Send nothing more; what is in flight ends."""
        ...


@contextmanager
def interruptible(run: Stoppable, in_flight: str = "the chunks in flight") -> Iterator[list[int]]:
    """Stop the run at the first signal, and cancel this task at the second; yields the signals received.

    `in_flight` names what a run that was stopped waits for.
    """
    task = asyncio.current_task()
    received: list[int] = []

    def interrupt(number: int) -> None:
        received.append(number)
        if len(received) > 1 and task is not None:
            task.cancel()
        else:
            run.stop()
            console.tell(f"finishing {in_flight}; interrupt again to stop at once")

    with signals_handled(interrupt):
        yield received
