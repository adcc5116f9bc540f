"""What commands share: options, the session they make, and which exit code an error is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TypeVar

import typer

from planhat_async import console
from planhat_async._http.pace import RateLimits
from planhat_async.batching.upserting import ChunkOptions
from planhat_async.errors import PlanhatError
from planhat_async.jobs.exports import MissingExtraError
from planhat_async.repositories import Notes, Tasks, Tickets
from planhat_async.session import Session

T = TypeVar("T")

DEFAULTS = ChunkOptions()
DEFAULT_PER_MINUTE = RateLimits().per_minute

NOT_ALL_STORED, WRONG_USAGE, UNUSABLE, INTERRUPTED = 1, 2, 3, 130
OUTPUT_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended; Windows has no such signal

ENDING_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGBREAK") if name in signal.Signals.__members__
)
"""The signals that ask a program to end; SIGBREAK is Ctrl-Break on Windows."""


class Model(StrEnum):
    """What can be read and written."""

    NOTES = "notes"
    TASKS = "tasks"
    TICKETS = "tickets"


AnyRepository = type[Notes] | type[Tasks] | type[Tickets]

REPOSITORIES: dict[Model, AnyRepository] = {Model.NOTES: Notes, Model.TASKS: Tasks, Model.TICKETS: Tickets}

TokenFile = Annotated[Path | None, typer.Option(help="A file that holds the token, instead of PLANHAT_API_TOKEN.")]
BaseUrl = Annotated[str | None, typer.Option(help="Planhat's URL in your region, instead of PLANHAT_BASE_URL.")]
PerMinute = Annotated[int, typer.Option(min=1, help=f"Calls a minute; Planhat's own limit is {DEFAULT_PER_MINUTE}.")]
Concurrency = Annotated[int, typer.Option(min=1, max=50, help="Calls in flight at once.")]


def session_for(token_file: Path | None, base_url: str | None, per_minute: int) -> Session:
    """The session that these options ask for."""
    token = None
    if token_file is not None:
        token = token_file.read_bytes().decode("ascii", "replace").strip()
        if not token:
            raise ValueError(f"{token_file} holds no token")
    return Session(token, base_url=base_url, limits=RateLimits(per_minute=per_minute, reserve=0))


@contextmanager
def refusals() -> Iterator[None]:
    """One line instead of a traceback, and the exit code that says whose fault it was."""
    try:
        yield
    except PlanhatError as error:
        raise _ended(UNUSABLE, error, error) from None
    except BrokenPipeError:
        # The reader of our output has gone; nothing can be written there, not even at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(OUTPUT_CLOSED) from None
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        raise _ended(WRONG_USAGE, error, said) from None
    except (ValueError, MissingExtraError) as error:
        raise _ended(WRONG_USAGE, error, error) from None
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise _ended(INTERRUPTED, error, "interrupted") from None


def _ended(code: int, error: BaseException, said: object) -> typer.Exit:
    """Say what went wrong, and what was noted about it on the way."""
    console.complain(said)
    for note in getattr(error, "__notes__", ()):
        console.tell(note)
    return typer.Exit(code)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own; SIGTERM ends it as SIGINT does."""

    async def stoppable() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        with signals_handled(lambda _: task.cancel(), *(one for one in ENDING_SIGNALS if one != signal.SIGINT)):
            return await main

    return asyncio.run(stoppable())


@contextmanager
def signals_handled(handle: Callable[[int], object], *signals: signal.Signals) -> Iterator[None]:
    """Call `handle` in the running event loop with each signal that arrives, by default of `ENDING_SIGNALS`.

    Python hands signals to the main thread only: in any other thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def pass_on(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handle, number)

    # Not the event loop's `add_signal_handler`: Windows has none, and it forgets the handlers it replaces.
    with _woken_by_signals(loop):
        replaced = {one: signal.signal(one, pass_on) for one in signals or ENDING_SIGNALS}
        try:
            yield
        finally:
            for one, handler in replaced.items():
                signal.signal(one, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Wake the event loop at a signal that arrives just before it waits, as its `add_signal_handler` does."""
    with ExitStack() as left:
        reader, writer = (left.enter_context(one) for one in socket.socketpair())
        reader.setblocking(False)
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        left.callback(signal.set_wakeup_fd, before)
        if before == -1:
            loop.add_reader(reader, reader.recv, 4096)
            left.callback(loop.remove_reader, reader)
        else:  # uvloop, and asyncio's own loop on Windows, which has no `add_reader`, do this themselves
            signal.set_wakeup_fd(before)
        yield
