"""Ends a run at a signal: at the first one after what is in flight, at the second at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from planhat_async.cli import console
from planhat_async.cli.exit_codes import INTERRUPTED, NOT_ALL_STORED, UNUSABLE, WRONG_USAGE
from planhat_async.cli.signals import signals_handled
from planhat_async.errors import AuthenticationError, PlanhatError


class Interrupted(Exception):  # noqa: N818 - not an error
    """A signal asked the program to end."""


DEFAULT_GRACE = 25.0
"""Seconds after SIGTERM: Kubernetes kills a container 30 seconds after it, and the journal is closed before."""
_grace: float | None = None

ENDED_EARLY = "interrupted; what was in flight has ended, the rows after it were not sent"
CUT_OFF = "interrupted; the calls in flight were cancelled, the rows after them were not sent"


def code_of(ended_by: BaseException | None, *, is_ok: bool) -> int:
    """The exit code of a run, given what ended it early."""
    if ended_by is None:
        return 0 if is_ok else NOT_ALL_STORED
    if isinstance(ended_by, PlanhatError):
        return UNUSABLE
    return INTERRUPTED if isinstance(ended_by, Interrupted) else WRONG_USAGE


def how_to_resume(ended_by: BaseException | None) -> str:
    """What resumes a job with a journal: a refused token has to be corrected first."""
    again = "run the same command again"
    return f"correct the token, then {again}" if isinstance(ended_by, AuthenticationError) else again


class Stoppable(Protocol):
    """A run that can be ended early."""

    def stop(self) -> None:
        """Send nothing more; what is in flight ends."""
        ...


@contextmanager
def interruptible(run: Stoppable, in_flight: str = "the chunks in flight") -> Iterator[list[int]]:
    """Stop the run at the first signal, and cancel this task at the second, or once the grace is over.

    Yields the signals received.

    `in_flight` names what a run that was stopped waits for.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    received: list[int] = []
    ends: list[asyncio.TimerHandle] = []

    def interrupt(number: int) -> None:
        received.append(number)
        for end in ends:
            end.cancel()
        if len(received) > 1 and task is not None:
            task.cancel()
        else:
            run.stop()
            seconds = _grace_after(number)
            if seconds is not None and task is not None:
                ends.append(loop.call_later(seconds, task.cancel))
            limit = "" if seconds is None else f", for {seconds:g} s at most"
            message = f"finishing {in_flight}{limit}; interrupt again to stop at once"
            console.tell(message, event="interrupted", signal=signal.Signals(number).name, grace=seconds)

    try:
        with signals_handled(interrupt):
            yield received
    finally:
        for end in ends:
            end.cancel()


def _grace_after(number: int) -> float | None:
    """How many seconds what is in flight may take after a signal; `None` for as long as it takes."""
    return DEFAULT_GRACE if _grace is None and number == signal.SIGTERM else _grace


@contextmanager
def grace_set(seconds: float | None) -> Iterator[None]:
    """Give what is in flight so many seconds after any signal, within the block; `None` for the default."""
    global _grace  # noqa: PLW0603 - a program runs one command
    before, _grace = _grace, seconds
    try:
        yield
    finally:
        _grace = before
