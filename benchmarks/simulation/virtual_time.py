"""An event loop whose clock jumps to the next event, so that minutes of waiting take milliseconds."""

from __future__ import annotations

import asyncio
import selectors

_CREEP = 1e-6  # aiolimiter loops endlessly on a clock that does not advance


class _JumpingSelector(selectors.DefaultSelector):
    """Adds the time that it should have waited to its own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: a deadlock")
        self.now += max(timeout, _CREEP)
        return []  # there are no sockets


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector event loop on virtual time; no real sockets."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now
