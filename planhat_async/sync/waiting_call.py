"""One coroutine that a thread waits for, while it runs on the event loop of another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Requests: TypeAlias = SimpleQueue[Any]
"""What the waiting thread is to do: functions to call, and the call that has ended."""

_WAIT_SECONDS = 1.0
"""On Windows Ctrl-C does not interrupt a wait, so each wait is short."""


class WaitingCall(Generic[T]):
    """A coroutine, and the thread that waits for its end.

    The coroutine sees the context variables of the thread that makes the call, such as the span of a trace.

    Args:
        coroutine: The coroutine.
        requests: Where functions that the thread is to call meanwhile arrive.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], requests: Requests | None = None) -> None:
        self._coroutine = coroutine
        self._requests: Requests = SimpleQueue() if requests is None else requests
        self._context = copy_context()
        self.task: asyncio.Task[T] | None = None
        """The task of a call that was started."""

    def start(self, on_end: Callable[[WaitingCall[Any]], object]) -> None:
        """Start the coroutine; call this on the event loop."""
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(self._coroutine, context=self._context)
        self.task.add_done_callback(lambda _: on_end(self))
        self.task.add_done_callback(lambda _: self.end())

    def cancel(self) -> None:
        """Cancel the coroutine; call this on the event loop.

        A call that has not started never will: what would have given it to the loop was interrupted.
        """
        if self.task is None:
            self.end()
        else:
            self.task.cancel()

    def end(self) -> None:
        """End the wait, even if the coroutine has not ended, because its event loop has."""
        self._requests.put(self)

    def wait(self) -> None:
        """Wait for the end, and carry out requests meanwhile. Raises only what interrupts the wait."""
        while True:
            try:
                request = self._requests.get(timeout=_WAIT_SECONDS)
            except Empty:
                continue
            if request is self:
                return
            if not isinstance(request, WaitingCall):  # of an earlier call, whose wait was interrupted twice
                request()

    def result(self) -> T:
        """The result of a call that has ended.

        Raises:
            RuntimeError: The session was closed meanwhile, or its event loop ended.
            BaseException: What the coroutine raised.
        """
        if self.task is None or not self.task.done() or self.task.cancelled():
            raise RuntimeError("the session was closed during the call")
        return self.task.result()
