"""A night from its beginning to its end: commands that are interrupted and run again, until the job is done."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.simulation.commands import Commands, other
from benchmarks.simulation.coverage import note
from benchmarks.simulation.evidence import Evidence, Run
from benchmarks.simulation.journal_check import contradictions
from benchmarks.simulation.machine import Command, EndlessNightError, Machine, ProcessKilledError
from benchmarks.simulation.network import SimulatedNetwork, keep_ledger
from benchmarks.simulation.plan import COMPANY, Interruption, Plan
from benchmarks.simulation.processes import Process, spawn
from planhat_async.jobs.upsert_job import UpsertJob
from planhat_async.sandbox.faults import Fault
from planhat_async.sandbox.memory import MemorySandbox
from planhat_async.sandbox.messages import ApiRequest

_MAX_RUNS = 12
_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - only a faster place for a new folder


def evidence_of(plan: Plan) -> Evidence:
    """Run a night, and return what happened."""
    folder = Path(tempfile.mkdtemp(prefix="night-", dir=_MEMORY))
    try:
        night = _Night(plan, folder).run()
    finally:
        shutil.rmtree(folder)
    note(night)
    return night


class _Night:
    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.evidence = Evidence(plan)
        self.machine = Machine(plan, folder, self.evidence)

    def run(self) -> Evidence:
        loop = self.machine.loop
        try:
            with self.machine.installed():
                try:
                    loop.run_until_complete(spawn(loop, None, self._main(), "night"))
                except (EndlessNightError, RuntimeError) as error:
                    self.evidence.leaks.append(f"the night does not end: {type(error).__name__} {error}")
                self.evidence.hours = loop.time() / 3600
                self.evidence.n_changes = self.machine.n_changes
                loop.dispose()
        finally:
            self.machine.sqlite.close()
        return self.evidence

    async def _main(self) -> None:
        self._write_input()
        plan, machine = self.plan, self.machine
        faults = [
            Fault(one.name, calls={one.call}, amount=one.amount, when=_is_upsert if one.is_of_upserts else None)
            for one in plan.faults
        ]
        limits = {"per_minute": plan.per_minute, "per_second": 150}
        self.planhat = MemorySandbox(seed=plan.seed, choices=plan.choices, faults=faults, **limits)  # type: ignore[arg-type]
        self.planhat.add_company(COMPANY, name="acme", domains=["b.example"])
        keep_ledger(self.planhat, self.evidence, machine.loop.time)
        draw = random.Random(f"network {plan.seed}")
        self.network = SimulatedNetwork(plan, self.planhat, machine.loop, self.evidence, draw, machine.cross)
        self.commands = Commands(plan, self.network, self.evidence, self.folder, machine.cross)
        for number in range(plan.n_present):
            record = self.planhat.add(plan.model, other(plan, f"present{number}"))
            self.evidence.lives[record["_id"]] = (-1.0, float("inf"))
            self.commands.others.add(record["_id"])
        beside = [
            spawn(machine.loop, None, self._write(number, *one), "others") for number, one in enumerate(plan.writes)
        ]
        if plan.exports:
            beside.append(spawn(machine.loop, None, self._export(), "exports"))
        await self._upsert()
        for task in beside:
            await task
        await self.planhat.settled()
        self._note_store()

    def _write_input(self) -> None:
        lines = (json.dumps(self.plan.row(position)) + "\n" for position in range(len(self.plan.rows)))
        (self.folder / "rows.jsonl").write_text("".join(lines))
        self.machine.kept = frozenset({"rows.jsonl"})

    async def _write(self, number: int, after: float, what: str) -> None:
        await asyncio.sleep(after)
        await self.commands.write(what, random.Random(f"others {self.plan.seed} {number}"), number)

    async def _upsert(self) -> None:
        """Run the job until it is done, and once more, which should change nothing."""
        interruptions = [*self.plan.interruptions]
        is_done = False
        for number in range(1, _MAX_RUNS + 1):
            run = Run(f"upsert{number}", "")
            self.evidence.runs.append(run)
            due = interruptions.pop(0) if interruptions else None
            await self._run_once(run.process, due, partial(self._upsert_once, run))
            run.end = run.end or "killed"
            self.machine.disk.is_full = False  # the user makes room
            self.machine.tell(None, f"{run.process} has ended: {run.end}")
            if run.end == "killed":
                has_jumped = self.plan.clock_jump is not None
                faults = contradictions(self.folder, self._positions_sent(due), has_clock_jumped=has_jumped)
                self.evidence.journal_faults += faults
            if is_done:
                return
            is_done = run.end == "done" and not interruptions
            if is_done:
                self.planhat.inject()  # the last run has no trouble, and leaves nothing open
                outage = max((begin + seconds for begin, seconds in self.plan.outages), default=0.0)
                await asyncio.sleep(max(0.0, outage - self.machine.loop.time()))
            # In-flight requests end before the next run, as the job's documentation demands.
            await self.planhat.settled()
            await asyncio.sleep(2 * self.plan.transit + (1.0 if due is None else due.wait))
            if run.end == "stopped" and due is None:
                await asyncio.sleep(1800.0)  # the user looks after it in the morning
        self.evidence.leaks.append("the job does not end")

    def _positions_sent(self, due: Interruption | None) -> list[int]:
        """The rows that have left, if nothing can have happened within a checkpoint."""
        plan, sent = self.plan, self.evidence.sent
        has_power_failures = any(one.kind == "power" for one in (*plan.interruptions, *plan.export_interruptions))
        if due is None or due.change or has_power_failures or plan.disk_faults:
            return []
        return [
            n for n in range(len(self.plan.rows)) if sent.get(self.plan.marker(n)) and self.plan.rows[n].twin is None
        ]

    async def _upsert_once(self, run: Run, process: Process, command: Command) -> None:
        def note_job(job: UpsertJob) -> None:
            command.on_stop = job.stop

        await self.commands.upsert(process, run, note_job)

    async def _export(self) -> None:
        export, interruptions = self.evidence.export, [*self.plan.export_interruptions]
        export.begun = self.machine.loop.time()
        for number in range(1, _MAX_RUNS + 1):
            due = interruptions.pop(0) if interruptions else None
            ends: list[str] = []

            async def once(process: Process, command: Command, ends: list[str] = ends) -> None:  # noqa: ARG001
                ends.append(await self.commands.export(process))

            await self._run_once(f"export{number}", due, once)
            export.runs.append(ends[0] if ends else "interrupted")
            self._note_export(is_ended=export.runs[-1] == "done")
            if export.runs[-1] == "done":
                export.ended = self.machine.loop.time()
                return
            await asyncio.sleep(60.0 if due is None else due.wait)

    async def _run_once(
        self, name: str, due: Interruption | None, work: Callable[[Process, Command], Awaitable[None]]
    ) -> None:
        """Run a command as a process, until it has ended or was killed."""
        machine, process = self.machine, Process(name)
        command = Command(process, due)
        machine.begin(command)
        machine.tell(process, "starts")

        async def main() -> None:
            try:
                await work(process, command)
            except ProcessKilledError:
                await asyncio.sleep(0)  # it is frozen here

        task = command.task = spawn(machine.loop, process, main(), name)
        task.add_done_callback(lambda _: process.ended.set(), context=contextvars.copy_context())
        await process.ended.wait()
        if process.is_dead:
            return
        await asyncio.sleep(0.1)
        self._note_failure(task, name)
        self._note_leaks(process)

    def _note_failure(self, task: asyncio.Task[Any], name: str) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.evidence.leaks.append(f"{name} raised {type(error).__name__}: {error}")

    def _note_leaks(self, process: Process) -> None:
        left = [task.get_name() for task in self.machine.loop.tasks_of(process)]
        self.evidence.leaks += [f"{process.name} leaves the task {one}" for one in left]
        self.evidence.leaks += [f"{process.name} leaves {one} open" for one in self.machine.sqlite.open_paths(process)]

    def _note_export(self, *, is_ended: bool) -> None:
        export, path = self.evidence.export, self.folder / "export.jsonl"
        export.is_named = path.exists()
        if not export.is_named:
            return
        content = path.read_bytes()
        try:
            export.ids = [json.loads(line)["_id"] for line in content.splitlines()]
        except (ValueError, KeyError):
            export.ids = None
        if export.ids is None or not (content.endswith(b"\n") or not content) or not is_ended:
            export.n_seen_incomplete += 0 if is_ended and export.ids is not None else 1

    def _note_store(self) -> None:
        field = {"notes": "subject", "tasks": "action", "tickets": "subject"}[self.plan.model]
        key = "externalId" if self.plan.model == "tickets" else "sourceId"
        for record in self.planhat.records(self.plan.model):
            self.evidence.stored[record["_id"]] = str(record.get(field))
            self.evidence.key_of[record["_id"]] = str(record.get(key, ""))
        if self.plan.exports:
            self._note_export(is_ended=self.evidence.export.ended is not None)


def _is_upsert(request: ApiRequest) -> bool:
    return request.method == "PUT"
