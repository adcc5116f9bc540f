"""To which event loop, of which process, something belongs."""

from __future__ import annotations

import asyncio
import os


class OwnLoop:
    """Remembers the event loop and the process in which something was first used, and refuses any other.

    Futures and connections of one event loop cannot be woken by another: a call from a second thread, or from a child
    process, would hang, or hang the calls of the first. It is refused before it has touched anything.

    Args:
        name: What belongs there, for the message.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def enter(self, *, may_move: bool = False) -> bool:
        """Check that this is the event loop it belongs to; without one it belongs to this one from now on.

        Args:
            may_move: Whether it may go over to this event loop, if its own is closed.

        Returns:
            Whether it has come to this event loop just now.

        Raises:
            RuntimeError: It belongs to another event loop, or to another process.
        """
        loop, pid = asyncio.get_running_loop(), os.getpid()
        if self._loop is loop and self._pid == pid:
            return False
        if self._loop is not None:
            if self._pid != pid:
                raise RuntimeError(
                    f"{self._name} belongs to another process, from before a fork: make one in this process"
                )
            if not self._loop.is_closed():
                raise RuntimeError(
                    f"{self._name} belongs to another event loop (of another thread?): make one for each"
                )
            if not may_move:
                raise RuntimeError(f"{self._name} belongs to an event loop that is closed: make one in this event loop")
        self._loop, self._pid = loop, pid
        return True

    def leave(self) -> None:
        """Belong to no event loop any more."""
        self._loop = None
