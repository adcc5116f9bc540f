"""Runs coroutines on virtual time, so that minutes of waiting take milliseconds."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import event_loops

from benchmarks.simulation.virtual_time import VirtualLoop

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a clock that starts at 0."""
    with asyncio.Runner(loop_factory=partial(event_loops.made, VirtualLoop)) as runner:
        return runner.run(main)
