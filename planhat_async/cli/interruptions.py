"""Ends a run at a signal: at the first one after what is in flight, at the second at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from planhat_async.cli import console
from planhat_async.cli.signals import signals_handled


class Interrupted(Exception):  # noqa: N818 - not an error
    """A signal asked the program to end."""


ENDED_EARLY = "interrupted; what was in flight has ended, the rows after it were not sent"
CUT_OFF = "interrupted; rows in flight are unknown, those after them were not sent"


class Stoppable(Protocol):
    """A run that can be ended early."""

    def stop(self) -> None:
        """Send nothing more; what is in flight ends."""
        ...


@contextmanager
def interruptible(run: Stoppable) -> Iterator[list[int]]:
    """Stop the run at the first signal, and cancel this task at the second; yields the signals received."""
    task = asyncio.current_task()
    received: list[int] = []

    def interrupt(number: int) -> None:
        received.append(number)
        if len(received) > 1 and task is not None:
            task.cancel()
        else:
            run.stop()
            console.tell("finishing the chunks in flight; interrupt again to stop at once")

    with signals_handled(interrupt):
        yield received
