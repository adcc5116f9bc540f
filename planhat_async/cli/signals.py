"""Runs a command's coroutine, which a signal ends in good order."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

ENDING_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGBREAK") if name in signal.Signals.__members__
)
"""The signals that ask a program to end; SIGBREAK is Ctrl-Break on Windows."""


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
