"""Plans an upsert without sending anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Unpack

import attrs

from planhat_async.batching.chunk_ledger import Ledger, Recorded
from planhat_async.batching.chunks import Chunk, doubtful_in
from planhat_async.jobs.entries import ResendPolicy, unrecorded
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.input_report import InputReport
from planhat_async.jobs.job_identity import CHANGED_ONLY, IDS, Source, job_of, refuse_other_job, refuse_without_state
from planhat_async.jobs.journal import Journal, next_run
from planhat_async.jobs.ledger import JournalLedger
from planhat_async.jobs.mapping.lookups import placeholder
from planhat_async.jobs.nightly.state_owner import StateOwner
from planhat_async.jobs.nightly.stored_rows import StoredRows
from planhat_async.jobs.nightly.stored_rows_file import read_stored_rows
from planhat_async.jobs.nightly.stored_rows_ledger import UPSERTS
from planhat_async.jobs.resolved_rows import finder, lookups_of, resolved_rows
from planhat_async.repositories import UpsertOptions, Upserts
from planhat_async.results import ChunkResult, Outcome, UpsertResult

N_NAMED = 10


@attrs.define
class Plan:
    """What an upsert would send, counted by a ledger that leaves nothing to send."""

    before: Ledger | None = None
    """The record of the job's earlier runs, if there is a journal."""
    result: UpsertResult = attrs.field(factory=UpsertResult)
    """The rows; those that would be sent are unsent, and those that would be looked for are unknown."""
    n_chunks: int = 0
    """Chunks, and so calls, if none has to be sent in parts."""
    n_bytes: int = 0
    """Size of the request bodies of these chunks, encoded as JSON."""
    n_keyless: int = 0
    """Rows without a key, which are created each time they are sent."""
    n_incomplete: int = 0
    """Rows with a key but without what a new record needs: they can only update."""
    first_incomplete: list[int] = attrs.field(factory=list)
    """The positions of the first ten of them."""
    first_repeated: list[int] = attrs.field(factory=list)
    """The positions of the first ten rows whose key an earlier row has."""
    input_report: InputReport | None = None
    """What the rows of a file hold: values, conversions, examples."""
    not_looked_up: tuple[str, ...] = ()
    """Fields whose ids are not known yet: rows whose values name no record, or several, count as rows to send."""
    _seen: set[int] = attrs.field(factory=set)
    """Hashes of the keys so far."""
    _repeats: Counter[str] = attrs.field(factory=Counter)

    @property
    def n_duplicates(self) -> int:
        """Rows whose key an earlier row has."""
        return self._repeats.total()

    @property
    def longest_queue(self) -> int:
        """Number of rows with the most frequent key: they are sent one after another, each in a call of its own."""
        return max(self._repeats.values(), default=0) + 1

    def seconds(self, per_minute: int) -> float:
        """The time for which the rate limit holds these calls back, in seconds."""
        return seconds_of_pace(self.n_chunks, per_minute=per_minute)

    async def begin_chunk(self, chunk: Chunk) -> Recorded:
        """Count a chunk; nothing of it is sent."""
        known = None if self.before is None else await self.before.begin_chunk(chunk)
        known = known or unrecorded(chunk)
        known.settled.count(Outcome.UNSENT, len(known.pending))
        known.settled.count(Outcome.UNKNOWN, len(known.doubtful))
        rows = known.pending
        self.n_chunks += bool(rows)
        self.n_bytes += sum(len(row.data) + 1 for row in rows) + bool(rows)
        self.n_keyless += sum(not row.keys for row in rows)
        incomplete = [row.position for row in doubtful_in(rows) if row.keys]
        self.n_incomplete += len(incomplete)
        self.first_incomplete += incomplete[: N_NAMED - len(self.first_incomplete)]
        for row in rows:
            repeated = [key for key in row.keys if hash(key) in self._seen]
            self._repeats.update(repeated[:1])
            if repeated and len(self.first_repeated) < N_NAMED:
                self.first_repeated.append(row.position)
            self._seen.update(map(hash, row.keys))
        return Recorded(settled=known.settled)

    async def end_chunk(self, result: ChunkResult) -> None:
        """Do nothing: no chunk is sent."""


def seconds_of_pace(n_calls: int, *, per_minute: int) -> float:
    """The time for which the rate limit holds calls back, in seconds."""
    return 60.0 * ((n_calls - 1) // per_minute) if n_calls else 0.0


async def plan_upsert(
    repository: Upserts[Any],
    source: Source,
    *,
    journal: Path | str | None = None,
    resend_unknown: bool = False,
    changed_only: Path | str | None = None,
    **options: Unpack[UpsertOptions],
) -> Plan:
    """Check, encode and cut all rows of a source as an upsert would; nothing is sent, and no session need be open.

    Args:
        repository: Where the rows would go.
        source: The rows. Ids that a file's mapping looks up are found only if the journal has them.
        journal: The journal of a job, to plan only the rows that are still to be sent. It is not changed, is not
            created if it is missing, and may be in use by another process.
        resend_unknown: As in `JobOptions`.
        changed_only: The file of rows that earlier jobs have stored, as in `JobOptions`. It is not changed.
        **options: See `UpsertOptions`; calls that look for rows (`verify_by`) are not counted.

    Raises:
        JournalError: The journal cannot be used, or the source or an option is not what it was.
        StateError: The file of `changed_only` cannot be used, or is not what it was.
    """
    policy = ResendPolicy(resends_unknown=resend_unknown, verifies=bool(options.get("verify_by")))
    before, lookups, ids = None, lookups_of(source), None
    held = None if journal is None else await Journal.load(journal, must_exist=False)
    stored, mark = await _stored_before(repository, changed_only, held)
    if held is not None:
        refuse_other_job(held, job_of(repository, source, options, changed_only=mark))
        ids = held.job.get(IDS)
        before = JournalLedger(held, next_run(held, per_minute=None), policy, cost=lambda: (0, 0))
    plan = Plan(before, not_looked_up=() if ids is not None else tuple(lookups))
    rows = resolved_rows(source, lookups, finder(ids) if ids is not None else placeholder) if lookups else source
    if isinstance(source, FileSource):
        source.has_report = True
    is_stored = None if stored is None else stored.holds
    async with repository.upserting(rows, ledger=plan, is_stored=is_stored, **options) as run:
        async for _ in run:
            pass
    if before is not None:
        await before.end_input(run.result)
    plan.result = run.result
    plan.input_report = source.report if isinstance(source, FileSource) else None
    return plan


async def _stored_before(
    repository: Upserts[Any], path: Path | str | None, journal: Journal | None
) -> tuple[StoredRows | None, str | None]:
    """The rows that the job would skip, and the mark of the job that would be resumed."""
    if path is None:
        return None, None
    job = {} if journal is None else journal.job
    refuse_without_state(None if journal is None else journal.path, job)
    mark = job.get(CHANGED_ONLY)
    owner, rows = await asyncio.to_thread(read_stored_rows, Path(path), resumes=mark)
    if owner is not None:
        # A dry run has no token.
        mine = attrs.evolve(await StateOwner.of(repository, work=UPSERTS), tenant=None)
        mine.refuse_other(path, owner)
    return rows, mark
