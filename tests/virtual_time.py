"""An event loop whose clock jumps to the next event, so that minutes of waiting take milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import event_loops

T = TypeVar("T")

_CREEP = 1e-6  # aiolimiter loops endlessly on a clock that does not advance


class _JumpingSelector(selectors.DefaultSelector):
    """Adds the time that it should have waited to its own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if timeout is None and not ready:
            raise RuntimeError("nothing will ever happen: a deadlock")
        self.now += _CREEP if ready else max(timeout or 0.0, _CREEP)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector event loop on virtual time; no real sockets."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a clock that starts at 0."""
    with asyncio.Runner(loop_factory=partial(event_loops.made, VirtualLoop)) as runner:
        return runner.run(main)
