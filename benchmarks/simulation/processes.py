"""Simulated processes in one event loop: each can be killed at an instant, and none of its code runs after that.

A process is a set of tasks that share a context variable. A killed one is frozen: the event loop drops all of its
callbacks, so neither `finally` nor `except` runs, as after `kill -9`. Threads are simulated too: work for an executor
runs in the event loop's own thread, between two draws of virtual time, and in the order of its executor.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import sys
import warnings
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

import attrs

from benchmarks.simulation.virtual_time import VirtualLoop


@attrs.define(eq=False)
class Process:
    """A process of the simulated machine."""

    name: str
    is_dead: bool = False
    """Whether it was killed."""
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set once its main task has ended, or once it was killed and what it held is released."""


_MAX_FINALLYS = 6
"""Awaits in `finally` blocks of one coroutine: each needs another attempt to close it, and may begin tasks."""

PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
"""The process that the running code belongs to; `None` for the server and the simulator."""


class _Task(asyncio.Task[Any]):
    """A task with a hash that does not depend on its address, so that sets of tasks have the same order every time."""

    numbers = itertools.count()
    """Of the tasks of one loop."""
    number: int
    process: Process | None

    def __new__(cls, *_: Any, **__: Any) -> Self:
        made = super().__new__(cls)
        made.number = next(_Task.numbers)
        return made

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(VirtualLoop):
    """An event loop on virtual time, with processes and without threads.

    Args:
        disk_seconds: Draws how long work of a thread waits, and then lasts.
        on_boundary: Called before and after such work, with the process and the name of the work.
    """

    def __init__(self, disk_seconds: Callable[[], float], on_boundary: Callable[[Process, str], None]) -> None:
        super().__init__()
        self._disk_seconds = disk_seconds
        self._on_boundary = on_boundary
        self._free_from: dict[Any, float] = {}
        self._frozen: list[asyncio.Task[Any]] = []
        """Tasks of dead processes: if they were freed, their `finally` would run."""
        self.n_steps = 0
        """Callbacks scheduled so far."""
        _Task.numbers = itertools.count()
        self.set_task_factory(_make_task)

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Like asyncio's, but the callbacks of a dead process are dropped."""
        self.n_steps += 1
        if _is_dead(context):
            dropped = asyncio.Handle(callback, args, self, context)
            dropped.cancel()
            return dropped
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Like asyncio's, but the callbacks of a dead process are dropped."""
        if _is_dead(context):
            dropped = asyncio.TimerHandle(when, callback, args, self, context)
            dropped.cancel()
            return dropped
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run work at a later virtual time; that of one executor in order, that of the default one side by side."""
        future = self.create_future()
        begun = self.time() if executor is None else max(self.time(), self._free_from.get(executor, 0.0))
        begun += self._disk_seconds()
        ended = begun + self._disk_seconds()
        if executor is not None:
            self._free_from[executor] = ended
        self.call_at(begun, self._work, future, ended, func, args)
        return future

    def _work(self, future: asyncio.Future[Any], ended: float, func: Callable[..., Any], args: Any) -> None:
        process = PROCESS.get()
        if future.cancelled():  # like work that no thread has begun
            return
        if process is not None:
            self._on_boundary(process, f"begins {_name_of(func, args)}")
            if process.is_dead:
                return
        try:
            set_outcome, outcome = future.set_result, func(*args)
        except Exception as error:  # noqa: BLE001 - passed on, as an executor does
            set_outcome, outcome = future.set_exception, error
        if process is None or not process.is_dead:
            self.call_at(ended, self._end_work, future, set_outcome, outcome, _name_of(func, args))

    def _end_work(self, future: asyncio.Future[Any], set_outcome: Any, outcome: Any, name: str) -> None:
        process = PROCESS.get()
        if process is not None:
            self._on_boundary(process, f"has done {name}")
        if not future.done():
            set_outcome(outcome)

    def kill(self, process: Process) -> None:
        """Freeze a process: no callback of it runs any more."""
        process.is_dead = True
        self._frozen += self.tasks_of(process)
        for handle in (*self._ready, *self._scheduled):  # type: ignore[attr-defined]
            if handle._context.get(PROCESS) is process:  # noqa: SLF001
                handle.cancel()

    def tasks_of(self, process: Process) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended."""
        return [one for one in asyncio.all_tasks(self) if getattr(one, "process", None) is process]

    def dispose(self) -> None:
        """End the loop and all that is frozen in it, without a word."""
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._close_all()
        finally:
            sys.unraisablehook = hook

    def _close_all(self) -> None:
        asyncio._set_running_loop(self)  # noqa: SLF001 - a `finally` may begin a task
        try:
            for _ in range(_MAX_FINALLYS):
                for task in asyncio.all_tasks(self):
                    with suppress(BaseException):
                        task.get_coro().close()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
        self._frozen.clear()
        self.close()


def spawn(loop: SimulatedLoop, process: Process | None, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Run a coroutine as a process's task, or as the server's."""
    context = contextvars.copy_context()
    context.run(PROCESS.set, process)
    return loop.create_task(work, name=name, context=context)


def _make_task(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    task = _Task(coroutine, loop=loop, **options)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    context = options.get("context")
    task.process = PROCESS.get() if context is None else context.get(PROCESS)
    return task


def _is_dead(context: contextvars.Context | None) -> bool:
    process = PROCESS.get() if context is None else context.get(PROCESS)
    return process is not None and process.is_dead


def _name_of(func: Any, args: Any) -> str:
    while hasattr(func, "func"):
        func, args = func.func, (*func.args, *args)
    if getattr(func, "__name__", "") == "run" and args:  # `asyncio.to_thread`: a context runs it
        return _name_of(args[0], args[1:])
    return str(getattr(func, "__qualname__", type(func).__name__)).rsplit(".", 1)[-1].strip("_")
