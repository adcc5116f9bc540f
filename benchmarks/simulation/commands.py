"""The commands of a night, as the command line runs them: an upsert with a journal, an export, single calls."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from benchmarks.simulation.evidence import Evidence, Run
from benchmarks.simulation.network import ProcessTransport, SimulatedNetwork
from benchmarks.simulation.plan import COMPANY, MARKERS, Plan
from benchmarks.simulation.processes import Process
from planhat_async import Notes, RateLimits, Session, Tasks, Tickets
from planhat_async.batching.concurrent_calls import cancel_all
from planhat_async.errors import PlanhatError
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.exports import checkpoint_of, export_records
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.whole_file import part_of, whole_file
from planhat_async.jobs.files.writers import JsonlWriter
from planhat_async.jobs.journal_file import JournalError
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.jobs.upsert_job import JobOptions, UpsertJob
from planhat_async.results import ChunkResult, Outcome, UpsertResult

REPOSITORIES: dict[str, Any] = {"notes": Notes, "tasks": Tasks, "tickets": Tickets}
_MOST_SECONDS = 900.0
"""Of a single call: `RetryPolicy.total` and `Timeouts.total`, and waiting for the pace."""
_MARKER = re.compile(rb'"(?:subject|action|title)" ?: ?"r([0-9]+)"')
REJECTED = (Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)


@attrs.define(eq=False)
class Commands:
    """Runs commands of the plan as processes."""

    plan: Plan
    network: SimulatedNetwork
    evidence: Evidence
    folder: Path
    tell: Callable[[Process, str], None]

    def session(self, process: Process) -> Session:
        """A session of a process, with a token of its own."""
        limits = RateLimits(per_minute=self.plan.per_minute)
        transport = ProcessTransport(self.network, process)
        return Session(f"token-of-{process.name}", transport=transport, limits=limits, shared="none")

    async def upsert(self, process: Process, run: Run, on_begun: Callable[[UpsertJob], None]) -> None:
        """Run the job once, and describe its end in `run`."""
        source = FileSource(self.folder / "rows.jsonl", FieldMapping.parse(REPOSITORIES[self.plan.model].model.record))
        session = self.session(process)
        job = UpsertJob(
            REPOSITORIES[self.plan.model](session), source, journal=self.folder / "job.db", **self._options()
        )
        on_begun(job)
        try:
            run.end = await self._follow(process, session, job, run)
        except asyncio.CancelledError:
            run.end = "done" if job.is_done else "cancelled"
        except (JournalError, OSError) as error:
            run.end = f"{type(error).__name__}: {error}"
        if job.has_begun:
            for chunk in job.unseen:
                self._note_loss(chunk)
            _describe(run, job.result)
            run.earlier = {entry.number for entry in job.earlier}
            if run.end in {"done", "stopped"}:
                self._write_rejects(source, job)

    async def _follow(self, process: Process, session: Session, job: UpsertJob, run: Run) -> str:
        n_told = 0
        async with session:
            singles = [asyncio.create_task(self.call(session, *one, n)) for n, one in enumerate(self._singles(process))]
            try:
                async with job:
                    async for chunk in job:
                        run.seen_stored |= _stored_in(chunk)
                        n_told += chunk.rows
                        if not chunk.unsent and chunk.invalid < chunk.rows:  # others may end before they are begun
                            run.told.add(chunk.number)
                        self._note_loss(chunk)
                        self.tell(process, f"ends chunk {chunk.number} {_shown(chunk.counts())}")
                if singles:
                    await asyncio.wait(singles)
            finally:
                run.n_told = None if job.earlier else n_told + sum(chunk.rows for chunk in job.unseen)
                await cancel_all(set(singles))
        return "done" if job.is_done else "stopped"

    def _note_loss(self, chunk: ChunkResult) -> None:
        n_positions = sum(map(len, chunk.positions))
        if n_positions != chunk.rows:
            self.evidence.leaks.append(f"chunk {chunk.number} holds {n_positions} rows, and accounts for {chunk.rows}")

    def _options(self) -> JobOptions:
        return {
            "chunk_size": self.plan.chunk_size,
            "concurrency": self.plan.concurrency,
            "verify_by": (MARKERS[self.plan.model],) if self.plan.verifies else (),
            "resend_unknown": self.plan.resends_unknown,
            "isolate": self.plan.isolates,
        }

    def _singles(self, process: Process) -> tuple[tuple[float, str], ...]:
        return self.plan.singles if process.name == "upsert1" and self.plan.model != "tickets" else ()

    def _write_rejects(self, source: FileSource, job: UpsertJob) -> None:
        path = self.folder / "rejects.jsonl"
        if not path.exists() and not any(job.result.counts()[one] for one in REJECTED):
            return
        try:
            made = Rejects(source, path, journal=self.folder / "job.db")
        except SourceError:  # a run before could not note that it has written it: the user moves it away
            path.unlink()
            made = Rejects(source, path, journal=self.folder / "job.db")
        with made as rejects:
            for problem in job.result.problems:
                rejects.add_problem(problem)
            if not rejects.n_rows:
                return
            with suppress(JournalError, OSError):
                rejects.write()
                rejects.note()
        if not path.exists():
            return
        in_file = [_position_in(line) for line in path.read_bytes().splitlines()]
        positions = [n for one in REJECTED for part in job.result.not_stored.get(one, ()) for n in part]
        expected = [int(self.plan.marker(position)[1:]) for position in positions]
        self.evidence.rejects.append((in_file, sorted(expected)))

    async def call(self, session: Session, after: float, what: str, number: int) -> None:
        """Make a single call, and note how it ends."""
        await asyncio.sleep(after)
        repository, marker = REPOSITORIES[self.plan.model](session), f"single{number}"
        field = MARKERS[self.plan.model]
        self.evidence.singles.append((what, marker, "begun"))
        place, begun = len(self.evidence.singles) - 1, self.network.loop.time()
        try:
            match what:
                case "create":
                    row = {field: marker, "company_id": COMPANY} | self._needed()
                    await repository.create(repository.model.record(**row))
                case "update" if self.evidence.lives:
                    # It may be a row of the job, which is looked for by the value that was sent.
                    changed = "description" if self.plan.verifies else field
                    await repository.update(next(iter(self.evidence.lives)), {changed: marker})
                case "get" if self.evidence.lives:
                    await repository.get(next(iter(self.evidence.lives)))
            end = "ok"
        except PlanhatError as error:
            end = "unknown" if getattr(error, "may_have_been_processed", True) else type(error).__name__
        self.evidence.singles[place] = (what, marker, end)
        if (seconds := self.network.loop.time() - begun) > _MOST_SECONDS:
            self.evidence.leaks.append(f"{what} of {marker} took {seconds:.0f} s")

    def _needed(self) -> dict[str, str]:
        return {"main_type": "task"} if self.plan.model == "tasks" else {}

    async def export(self, process: Process) -> str:
        """Export the model, resuming what an earlier run has left; returns how it ended."""
        path = self.folder / "export.jsonl"
        repository = REPOSITORIES[self.plan.model]
        part = part_of(path)
        found = ExportCheckpoint()
        if part.is_file() and part.stat().st_size:
            found = checkpoint_of(path, repository.model)
        try:
            with whole_file(path, keep_bytes=found.n_bytes) as out:
                async with self.session(process) as session:
                    await export_records(repository(session), JsonlWriter(out), checkpoint=found, page_size=5)
        except (PlanhatError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return "done"

    async def write(self, what: str, draw: random.Random, number: int) -> None:
        """A write of others, straight into the store."""
        planhat, lives = self.network.planhat, self.evidence.lives
        now = self.network.loop.time()
        own = [one for one, (_, deleted) in lives.items() if deleted > now and one in self.others]
        if what == "create" or not own:
            record = planhat.add(self.plan.model, other(self.plan, f"other{number}"))
            lives[record["_id"]] = (now, float("inf"))
            self.others.add(record["_id"])
            return
        chosen = draw.choice(own)
        state = planhat._state  # noqa: SLF001
        model = state.model(self.plan.model)
        record = state.find(model, chosen) or {}
        if what == "delete":
            state.collection(model).remove(record)
            lives[chosen] = (lives[chosen][0], now)
        else:
            state.collection(model).change(record, {"description": f"changed {number}"})

    others: set[str] = attrs.field(factory=set)
    """The `_id`s of records of others."""


def other(plan: Plan, marker: str) -> dict[str, Any]:
    """A record of others."""
    field = "subject" if plan.model == "tickets" else MARKERS[plan.model]
    row = {field: marker, "companyId": COMPANY, "type": {"notes": "note", "tickets": "ticket"}.get(plan.model, "task")}
    return row | ({"isArchived": True} if plan.model == "tasks" and marker[-1] in "13579" else {})


def _stored_in(chunk: ChunkResult) -> set[int]:
    """The positions of a chunk's rows that are stored; none if a problem names no row."""
    problems = {problem.position for problem in chunk.problems}
    return set() if None in problems else {n for part in chunk.positions for n in part} - problems


def _describe(run: Run, result: UpsertResult) -> None:
    run.counts = result.counts()
    run.not_stored = {
        outcome.value: [position for part in parts for position in part] for outcome, parts in result.not_stored.items()
    }
    run.n_chunks = result.n_chunks


def _position_in(line: bytes) -> int:
    found = _MARKER.search(line)
    return -1 if found is None else int(found[1])


def _shown(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n)
