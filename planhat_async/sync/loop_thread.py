"""An event loop in a thread of its own, for callers that have none or must not use theirs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, TypeVar

from planhat_async.sync.waiting_call import Requests, WaitingCall

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any number of threads, with a resource that is open meanwhile.

    It may be entered several times, also by several threads: the first `enter` starts the thread and opens the
    resource, the last `leave` closes both.

    Args:
        resource: Opened on the event loop; no other code may use it meanwhile.
    """

    def __init__(self, resource: AbstractAsyncContextManager[Any]) -> None:
        self._resource = resource
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._n_users = 0
        self.n_openings: int = 0
        """How many times the thread was started."""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._calls: set[WaitingCall[Any]] = set()
        self._closings: set[asyncio.Task[None]] = set()

    def enter(self) -> None:
        """Start the thread, unless it runs.

        Raises:
            RuntimeError: It was started in another process, from before a fork.
            BaseException: The error of the resource.
        """
        self._refuse_fork()
        with self._lock:
            if self._n_users == 0:
                self._start()
            self._n_users += 1

    def leave(self) -> None:
        """End the thread, if no other session uses it; calls in flight are cancelled. A forked process does nothing."""
        if self._is_forked():
            return
        with self._lock:
            self._n_users = max(0, self._n_users - 1)
            if self._n_users == 0 and self._thread is not None:
                self._stop(self._thread)

    def run(self, coroutine: Coroutine[Any, Any, T], requests: Requests | None = None) -> T:
        """The result of a coroutine.

        If the wait is interrupted, for example by Ctrl-C, the coroutine is cancelled, and this waits for its end before
        it raises; a second interruption is raised at once.

        Args:
            coroutine: The coroutine.
            requests: Functions that this thread is to call while it waits.

        Raises:
            RuntimeError: The thread does not run, belongs to another process, or would wait for itself.
            BaseException: What the coroutine, or one of the functions, raised.
        """
        call = WaitingCall(coroutine, requests)
        try:
            self._begin(call)
            call.wait()
        except BaseException:
            if call in self._calls and self.call_soon(call.cancel):
                call.wait()
            self._calls.discard(call)
            coroutine.close()  # of a call that was refused; all others have ended
            raise
        return call.result()

    def call_soon(self, function: Callable[[], object]) -> bool:
        """Call a function on the event loop, without waiting for it; returns whether the loop is there to call it."""
        loop = None if self._is_forked() else self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:  # closed just now
            return False
        return True

    def close(self, items: AsyncIterator[Any]) -> None:
        """Close an async iterator, and wait for that unless this is the thread of the event loop."""
        if threading.current_thread() is self._thread or self._loop is None or self._is_forked():
            self.close_soon(items)
        else:
            with suppress(RuntimeError):  # closed meanwhile, and all iterators with it
                self.run(_closed(items))

    def close_soon(self, items: AsyncIterator[Any]) -> None:
        """Close an async iterator, without waiting for it, and without a lock: finalisers run anywhere."""
        self.call_soon(lambda: self._close_later(items))

    def _close_later(self, items: AsyncIterator[Any]) -> None:
        closing = asyncio.get_running_loop().create_task(_closed(items))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)

    def _is_forked(self) -> bool:
        return self._pid is not None and self._pid != os.getpid()

    def _refuse_fork(self) -> None:
        if self._is_forked():
            raise RuntimeError("the session belongs to another process, from before a fork: make one in this process")

    def _begin(self, call: WaitingCall[Any]) -> None:
        self._refuse_fork()
        if threading.current_thread() is self._thread:
            raise RuntimeError("this would wait for itself: on the session's own event loop, use the async API")
        with self._lock:
            if self._loop is None:
                raise RuntimeError("the session is not open: use it in `with`")
            self._calls.add(call)
            self._loop.call_soon_threadsafe(call.start, self._calls.discard)

    def _start(self) -> None:
        opened: Future[None] = Future()
        # A daemon: a program that ends while a call waits must not wait for it.
        self._thread = thread = threading.Thread(target=self._live, args=[opened], name="planhat session", daemon=True)
        try:
            thread.start()  # it waits for the thread's beginning, so it may be interrupted too
            opened.result()
        except BaseException:
            if not opened.cancel() and opened.exception() is None:  # interrupted just when it was open
                self._stop(thread)
            self._thread = None
            raise
        self._pid = os.getpid()
        self.n_openings += 1

    def _stop(self, thread: threading.Thread) -> None:
        loop, end = self._loop, self._end
        self._loop = None  # from now on calls are refused
        if loop is not None and end is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(end.set)
        thread.join()
        self._thread = self._end = self._pid = None

    def _live(self, opened: Future[None]) -> None:
        try:
            asyncio.run(self._serve(opened))
        except BaseException as error:
            if opened.done() and not opened.cancelled() and not isinstance(error, SystemExit):
                raise  # the caller that waits for the task gets its error
            if not opened.done():
                opened.set_exception(error)
        finally:
            # A `SystemExit` in any task ends the loop by itself: no call may wait for it.
            self._loop = None
            for call in [*self._calls]:
                call.end()

    async def _serve(self, opened: Future[None]) -> None:
        async with self._resource:
            if not opened.set_running_or_notify_cancel():
                return  # the thread that opened it was interrupted
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            opened.set_result(None)
            await self._end.wait()
            await self._end_calls()

    async def _end_calls(self) -> None:
        """Cancel calls that are left, while the resource is open, and wait for their ends.

        All of them have started: they were given to the loop before its end was. Others were interrupted before.
        """
        calls = [*self._calls]
        for call in calls:
            call.cancel()
        waiting = [call.task for call in calls if call.task is not None]
        if waiting or self._closings:
            await asyncio.wait([*waiting, *self._closings])


async def _closed(items: AsyncIterator[Any]) -> None:
    aclose = getattr(items, "aclose", None)
    if aclose is not None:
        with suppress(RuntimeError):  # it runs: a wait for it was interrupted twice
            await aclose()
