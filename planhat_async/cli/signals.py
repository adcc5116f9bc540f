"""Runs a command's coroutine, and cancels or stops it at a signal."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, TypeVar

from planhat_async.cli.metrics_file import metrics_refreshed

T = TypeVar("T")

ENDING_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGBREAK") if name in signal.Signals.__members__
)
"""The signals that ask a program to end; SIGBREAK is Ctrl-Break on Windows."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop; SIGTERM cancels it as SIGINT does. Meanwhile the metrics are refreshed."""

    async def stoppable() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - `asyncio.run` makes one
        with signals_handled(lambda _: task.cancel(), *(one for one in ENDING_SIGNALS if one != signal.SIGINT)):
            async with metrics_refreshed():
                return await main

    return asyncio.run(stoppable())


@contextmanager
def signals_handled(handle: Callable[[int], object], *signals: signal.Signals) -> Iterator[None]:
    """Call `handle` in the running event loop with each of these signals, by default `ENDING_SIGNALS`.

    In a thread other than the main thread, which alone receives signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def pass_on(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handle, number)

    # The event loop's `add_signal_handler` is missing on Windows, and does not restore the handlers it replaces.
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
    with ExitStack() as exits:
        reader, writer = (exits.enter_context(one) for one in socket.socketpair())
        reader.setblocking(False)
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        exits.callback(signal.set_wakeup_fd, before)
        if before == -1:
            loop.add_reader(reader, reader.recv, 4096)
            exits.callback(loop.remove_reader, reader)
        else:  # uvloop does this itself, and so does asyncio's loop on Windows, which has no `add_reader`
            signal.set_wakeup_fd(before)
        yield
