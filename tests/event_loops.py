"""The event loops of tests: asyncio's own, or the one chosen by the environment variable `TEST_EVENT_LOOP`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

VARIABLE = "TEST_EVENT_LOOP"


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - not on every platform

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _eager(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    # Like `asyncio.eager_task_factory`, which does not accept uvloop's arguments before Python 3.13.3.
    return asyncio.Task(coroutine, loop=loop, **options | {"eager_start": True})


def chosen() -> str:
    """Return the name in the environment: `asyncio`, `eager`, `uvloop` or `uvloop-eager`."""
    name = os.environ.get(VARIABLE) or "asyncio"
    if name not in {"asyncio", "eager", "uvloop", "uvloop-eager"}:
        raise ValueError(f"{VARIABLE}={name}: it must be asyncio, eager, uvloop or uvloop-eager")
    return name


def made(new: Callable[[], asyncio.AbstractEventLoop] | None = None) -> asyncio.AbstractEventLoop:
    """Return the chosen event loop; `new` creates another kind, which gets the chosen task factory only."""
    kind, _, eager = chosen().partition("-")
    loop = (new or (_uvloop if kind == "uvloop" else asyncio.new_event_loop))()
    loop.slow_callback_duration = 60.0  # In debug mode it warns, and tests that read the log fail on a loaded machine.
    if "eager" in (kind, eager):
        loop.set_task_factory(_eager)
    return loop


counts_steps = pytest.mark.skipif(
    "eager" in chosen(),
    reason="counts on tasks that are cancelled before their first step: an eager task takes that at once",
)
