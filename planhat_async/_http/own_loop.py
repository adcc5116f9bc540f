"""Binds an object to one event loop of one process."""

from __future__ import annotations

import asyncio
import os

import attrs


@attrs.define(eq=False)
class OwnLoop:
    """Remembers the event loop and the process that first used an object, and refuses any other.

    One event loop cannot wake the futures of another: a call from a second thread or a forked process would hang, or
    hang the calls of the first. It is refused before it changes anything.
    """

    _name: str
    """The object, for the message."""
    _loop: asyncio.AbstractEventLoop | None = None
    _pid: int = 0

    def enter(self, *, may_move: bool = False) -> bool:
        """Bind the object to the running event loop, if it is not bound yet; returns whether it was bound just now.

        Args:
            may_move: Whether the object may move here from an event loop that is closed.

        Raises:
            RuntimeError: The object belongs to another event loop or process.
        """
        loop, pid = asyncio.get_running_loop(), os.getpid()
        if self._loop is loop and self._pid == pid:
            return False
        if self._loop is not None:
            other = ""
            if self._pid != pid:
                other = "another process, from before a fork: make one in this process"
            elif not self._loop.is_closed():
                other = "another event loop (of another thread?): make one for each"
            elif not may_move:
                other = "an event loop that is closed: make one in this event loop"
            if other:
                raise RuntimeError(f"{self._name} belongs to {other}")
        self._loop, self._pid = loop, pid
        return True

    def leave(self) -> None:
        """Release the object, for use in any event loop."""
        self._loop = None
