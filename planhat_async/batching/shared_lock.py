"""A lock with a shared and an exclusive side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs


@attrs.define
class SharedLock:
    """Held by many tasks with `shared`, or by one with `exclusive`, which goes first.

    `asyncio.Condition` does not fit: a task must acquire the condition's lock before it can notify, and a cancellation
    meanwhile would lose the notification.
    """

    _n_shared: int = 0
    _n_exclusive: int = 0
    """Tasks that hold it alone or wait to do so."""
    _is_exclusive: bool = False
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold it together with others, once no task holds it alone or waits to do so."""
        await self._wait_until(lambda: not self._n_exclusive)
        self._n_shared += 1
        try:
            yield
        finally:
            self._n_shared -= 1
            self._notify()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold it alone, once no other task holds it."""
        self._n_exclusive += 1
        try:
            await self._wait_until(lambda: not self._n_shared and not self._is_exclusive)
            self._is_exclusive = True
            try:
                yield
            finally:
                self._is_exclusive = False
        finally:
            self._n_exclusive -= 1
            self._notify()

    async def _wait_until(self, is_free: Callable[[], bool]) -> None:
        while not is_free():
            await self._changed.wait()

    def _notify(self) -> None:
        """Wake the tasks that wait now; each checks again."""
        self._changed.set()
        self._changed.clear()
