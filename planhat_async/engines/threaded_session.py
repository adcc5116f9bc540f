"""A session for callers that have no event loop, or are called in one that they must not block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from planhat_async.session import Session

T = TypeVar("T")


class ThreadedSession:
    """A session that is open, on an event loop in a thread of its own, while it is in use.

    It may be entered several times, also by several threads: the first one opens the session and the last one closes
    it. So all who share it share its pace.

    Args:
        session: The session; no other code may use it meanwhile.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._n_users = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def __enter__(self) -> Self:
        with self._lock:
            if self._n_users == 0:
                self._start()
            self._n_users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_users -= 1
            if self._n_users == 0:
                self._stop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine; it is cancelled if this call is interrupted."""
        if self._loop is None:
            coroutine.close()
            raise RuntimeError("the session is not open: use it in `with`")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def iterate(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """The items of an async generator, which is closed at the end."""
        try:
            while True:
                found = self.run(_next(items))
                if not found:
                    return
                yield found[0]
        finally:
            self.run(_close(items))

    def _start(self) -> None:
        opened: Future[None] = Future()
        # A daemon: a program that ends while a call waits must not wait for it.
        self._thread = threading.Thread(target=self._live, args=[opened], name="planhat session", daemon=True)
        self._thread.start()
        opened.result()

    def _stop(self) -> None:
        assert self._loop is not None  # noqa: S101 - it has started
        assert self._end is not None  # noqa: S101 - likewise
        assert self._thread is not None  # noqa: S101 - likewise
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop = self._end = self._thread = None

    def _live(self, opened: Future[None]) -> None:
        try:
            asyncio.run(self._serve(opened))
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    async def _serve(self, opened: Future[None]) -> None:
        async with self.session:
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            opened.set_result(None)
            await self._end.wait()


async def _next(items: AsyncGenerator[T, None]) -> tuple[T] | tuple[()]:
    try:
        return (await anext(items),)
    except StopAsyncIteration:
        return ()


async def _close(items: AsyncGenerator[Any, None]) -> None:
    await items.aclose()
