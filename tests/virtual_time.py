"""An event loop whose clock jumps to the next thing to do, so that minutes of pacing take milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import event_loops

T = TypeVar("T")

_CREEP = 1e-6  # aiolimiter spins on a clock that stands still


class _JumpingSelector(selectors.DefaultSelector):
    """Adds the time it should have waited to its own clock."""

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
    """Run a coroutine from time 0 on."""
    with asyncio.Runner(loop_factory=partial(event_loops.made, VirtualLoop)) as runner:
        return runner.run(main)
