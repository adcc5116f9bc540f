"""The simulated machine: its processes, its disk, its clock, and the interruptions of a plan."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import apsw
import attrs

from benchmarks.simulation.disk import Disk
from benchmarks.simulation.evidence import Evidence
from benchmarks.simulation.plan import KILLS, Interruption, Plan
from benchmarks.simulation.processes import Process, SimulatedLoop
from benchmarks.simulation.sqlite_files import SimulatedSqlite
from planhat_async.jobs import journal_file, process_lock, rejects

_EPOCH = 1_700_000_000.0
_MAX_STEPS = 400_000
_RESERVED_PAGES = 8
"""Room in a journal: its chunks have five rows, not five thousand."""


class EndlessNightError(Exception):
    """A night does not end."""


class ProcessKilledError(BaseException):
    """Unwinds code that runs at the instant of its process's death; nothing of it has an effect."""


@attrs.define(eq=False)
class Command:
    """One run of a command, and how it is to be interrupted."""

    process: Process
    interruption: Interruption | None
    on_stop: Callable[[], None] = lambda: None
    """What the first Ctrl-C does."""
    task: asyncio.Task[Any] | None = None
    is_struck: bool = False
    """Whether the interruption has happened."""
    n_met: int = 0
    """Boundaries so far that count for the interruption."""
    n_changes: int | None = None
    """Changes of files since the boundary of the interruption; `None` before it."""


class Machine:
    """Runs a night's event loop, and carries out its interruptions."""

    def __init__(self, plan: Plan, folder: Path, evidence: Evidence) -> None:
        self.plan, self.folder, self.evidence = plan, folder, evidence
        self.draw = random.Random(f"machine {plan.seed}")
        self._disk_draw = random.Random(f"disk {plan.seed}")
        self.loop = SimulatedLoop(self._disk_seconds, self.cross)
        may_lose_power = any(one.kind == "power" for one in (*plan.interruptions, *plan.export_interruptions))
        self.disk = Disk(folder, self._change_file, keeps_durable=may_lose_power)
        self.sqlite = SimulatedSqlite(self.disk)
        self._commands: dict[Process, Command] = {}
        self.n_changes = 0
        """Changes of files so far."""
        self._is_power_out = False
        self.kept: frozenset[str] = frozenset()
        """Names of files that no power failure changes: the input."""

    def _disk_seconds(self) -> float:
        return 0.001 if self.plan.delays is not None else self._disk_draw.choice((0.0001, 0.001, 0.02))

    def begin(self, command: Command) -> None:
        """Interrupt a command as planned."""
        self._commands[command.process] = command

    def tell(self, process: Process | None, text: str) -> None:
        """Add a line to the trace."""
        text = text.replace(str(self.folder), "")
        self.evidence.trace.append(f"{self.loop.time():10.3f} {process.name if process else 'night'} {text}")

    def cross(self, process: Process, what: str) -> None:
        """Note that a process crosses a boundary; interrupt it, if that is planned here."""
        if process.is_dead:
            return
        if self.loop.n_steps > _MAX_STEPS:
            raise EndlessNightError
        self.tell(process, what)
        command = self._commands.get(process)
        due = None if command is None else command.interruption
        if command is None or due is None or command.is_struck or not what.startswith(due.what):
            return
        command.n_met += 1
        if command.n_met != due.event:
            return
        command.is_struck = True
        self.evidence.coverage.add((due.kind, what.split(maxsplit=1)[0], _place(what)))
        if due.kind in KILLS and due.change and what.startswith("begins "):
            command.n_changes = 0  # within the work that begins here
            return
        self._interrupt(command, due)

    def _interrupt(self, command: Command, due: Interruption) -> None:
        self.tell(command.process, f"** {due.kind} **")
        if due.kind in KILLS:
            self._kill(command, due.kind)
        elif due.kind == "stop":
            command.on_stop()
        else:
            self._cancel_after(command, due.steps)

    def _kill(self, command: Command, kind: str) -> None:
        self.loop.kill(command.process)
        if kind == "power":
            self._is_power_out = True
            for other in self._commands:
                self.loop.kill(other)
        self.loop.call_soon(self._bury, command.process, context=contextvars.Context())  # no process does this

    def _cancel_after(self, command: Command, n_steps: int) -> None:
        if n_steps:
            self.loop.call_soon(self._cancel_after, command, n_steps - 1)
        elif command.task is not None:
            command.task.cancel()

    def _change_file(self, process: Process, what: str, path: str) -> None:
        """Before each change of a file: die there, or fail, if that is planned."""
        self.n_changes += 1
        command = self._commands.get(process)
        if command is not None and command.n_changes is not None and command.interruption is not None:
            command.n_changes += 1
            if command.n_changes == command.interruption.change:
                name = os.path.basename(path)
                self.evidence.coverage.add((command.interruption.kind, "within", what, name.rpartition("-")[2]))
                self.tell(process, f"** {command.interruption.kind} ** before it can {what} {name}")
                self._kill(command, command.interruption.kind)
                if name == "output":
                    raise ProcessKilledError
                return
        for fault in self.plan.disk_faults:
            if fault.change == self.n_changes:
                name = os.path.basename(path)
                self.evidence.coverage.add(("disk", fault.kind, what, name.rpartition("-")[2]))
                self.tell(process, f"** disk {fault.kind} ** at {what} {name}")
                if fault.kind == "filled":
                    self.disk.is_full = True
                    continue
                if name == "output":
                    raise OSError(28 if fault.kind == "full" else 5, f"the disk: {fault.kind}")
                raise apsw.FullError if fault.kind == "full" else apsw.IOError

    def _bury(self, process: Process) -> None:
        """Release what a dead process held; after a power failure also lose what was not synced."""
        self.sqlite.release(process)
        if self._is_power_out:
            self._is_power_out = False
            for other in self._commands:
                self.sqlite.release(other)
            self.disk.fail_power(self.draw, kept=self.kept)
            for other in self._commands:
                other.ended.set()
        process.ended.set()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """The machine in place of the real clock, disk and dice."""
        state = random.getstate()

        def simulated_time() -> float:
            jump = self.plan.clock_jump
            now = self.loop.time()
            return _EPOCH + now + (jump[1] if jump is not None and now >= jump[0] else 0.0)

        logging.disable(logging.CRITICAL)
        random.seed(self.plan.seed)
        try:
            with contextlib.ExitStack() as patches:
                for module in (journal_file, process_lock, rejects):
                    patches.enter_context(mock.patch.object(module, "sqlite3", self.sqlite))
                patches.enter_context(mock.patch.object(journal_file, "_RESERVED_PAGES", _RESERVED_PAGES))
                patches.enter_context(mock.patch.object(time, "time", simulated_time))
                patches.enter_context(mock.patch.object(os, "fsync", self.disk.fsync))
                yield
        finally:
            logging.disable(logging.NOTSET)
            random.setstate(state)


def _place(what: str) -> str:
    words = what.split()
    return " ".join(words[1:4] if words[0] == "gets" else words[1:3])
