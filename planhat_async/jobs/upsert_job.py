"""Runs an upsert as a job: if it is killed at any instant, the next run resumes it.

Rows are cut by rules that depend on the input alone, so a rerun cuts the same chunks, and recognises each by its
number, its row count and a digest. The state in the journal decides how it is treated:

    not in the journal      it was never sent: it is sent
    answered                it is not sent again; its result is the journal's
    sending, unknown        keyed: it is sent again, which does no harm; keyless: its rows are unknown, and are sent
                            again, or looked for in Planhat's list, only on request
    unsent                  the rows that were not sent are sent

An entry is on the disk before a byte of its chunk is sent, and again after its answer. A chunk that shares a key with
an earlier chunk that is sent again is sent again too, even if it was answered, in this run or the next: writes to one
key keep their order.

With `changed_only`, rows that an earlier job has stored are skipped: which ones is decided by what was stored before
this job began, so all of its runs skip the same.

The ids that lookups of a mapping find are in the journal, so that every run finds the same: a row that was invalid
stays invalid, even if the record that it names has been created meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import attrs

from planhat_async._convert import printable
from planhat_async.batching.upsert_run import UpsertRun
from planhat_async.errors import PlanhatError
from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.entries import Entry, ResendPolicy, Run, may_quote_a_row, without_values
from planhat_async.jobs.job_identity import (
    CHANGED_ONLY,
    IDS,
    Source,
    input_named,
    job_of,
    refuse_other_job,
    refuse_without_state,
)
from planhat_async.jobs.journal import Journal, next_run
from planhat_async.jobs.journal_file import JournalError
from planhat_async.jobs.ledger import JournalLedger
from planhat_async.jobs.nightly.state_owner import StateError, StateOwner
from planhat_async.jobs.nightly.stored_rows_ledger import UPSERTS, StoredRowsLedger
from planhat_async.jobs.resolved_rows import finder, lookups_of, read_ids, resolved_rows
from planhat_async.jobs.source_error import SourceError
from planhat_async.repositories import UpsertOptions, Upserts
from planhat_async.repositories.queries import check_options
from planhat_async.repositories.upserts import horizon_reader_of
from planhat_async.results import ChunkResult, UpsertResult


@attrs.frozen(kw_only=True)
class JobCost:
    """The cost of a job's runs."""

    calls: int = 0
    """Calls to Planhat, each counted once however often it was attempted."""
    attempts: int = 0
    """Attempts made for these calls, including retries and those that found no server."""
    seconds: float = 0.0
    """The duration of the runs."""

    @classmethod
    def of_runs(cls, earlier: Iterable[Run], *, calls: int, attempts: int, seconds: float) -> Self:
        """The cost of earlier runs and of one more."""
        runs = list(earlier)
        return cls(
            calls=calls + sum(run.calls for run in runs),
            attempts=attempts + sum(run.attempts for run in runs),
            seconds=seconds + sum(run.seconds for run in runs),
        )


class JobOptions(UpsertOptions, total=False):
    """The options of a job, besides those of every upsert."""

    resend_unknown: bool
    """Send rows without a key again although an earlier run may have stored them: Planhat may then have them twice."""
    changed_only: str | Path | None
    """A file that remembers the rows that were stored: a row that an earlier job has stored with the same bytes is
    skipped. It is created if it is missing; then every row is sent."""
    same_tenant: bool
    """Whether a file that was written with another token is of this tenant nevertheless."""
    keep_values: bool
    """Keep in the journal the keys of rows, and the values quoted in reasons."""


async def run_upsert(
    repository: Upserts[Any],
    source: Source,
    *,
    journal: Path | str | None = None,
    on_chunk: Callable[[ChunkResult], None] | None = None,
    **options: Unpack[JobOptions],
) -> UpsertResult:
    """Upsert all rows of a source, and record the progress in a journal.

    Run it again after a failure, an interruption or a kill, with the same source and options: rows that were answered
    are not sent again, and the result is that of the whole job. Rows without a key that were in flight at a kill are
    unknown, and are sent again only with `resend_unknown` or `verify_by`.

    With `changed_only`, a row is skipped if each of its keys was last stored, by an earlier job with the same file,
    from a row with the same bytes. Rows without a key are always sent. What others change in Planhat meanwhile is not
    noticed, and a record that is named by different keys in different rows is not recognised as the same. Rows that are
    rejected or unknown are sent by the next job. Takes 17 bytes of memory and about 25 of the disk for each key.

    Args:
        repository: Where the rows go.
        source: A `FileSource`, or any iterable or async iterable that yields the same rows in each run.
        journal: The journal's file; it is created if it is missing. Without one nothing is recorded.
        on_chunk: Called with the result of each chunk as it ends, including those of earlier runs.
        **options: See `JobOptions`.

    Returns:
        The outcome of every row, in this run or an earlier one. If Planhat could not be used, `stopped_by` is the
        error, and the rows that were not sent are unsent.

    Raises:
        JournalError: The journal cannot be used, or the source or an option has changed.
        StateError: The file of `changed_only` cannot be used, is of another model or tenant, or another job has begun
            with it since the journal's job began.
        RequestError, DecodeError: A list that is needed to look up ids could not be read; no row was sent.
        SourceError: The file cannot be used, or was changed while it was read.
        OSError: It cannot be read.
        ValueError, TypeError: An option is invalid.
    """
    async with UpsertJob(repository, source, journal=journal, **options) as job:
        async for chunk in job:
            if on_chunk is not None:
                on_chunk(chunk)
    return job.result


class UpsertJob:
    """`run_upsert` as an `async with` block; iterate over it for the results of chunks as they end."""

    def __init__(
        self,
        repository: Upserts[Any],
        source: Source,
        *,
        journal: Path | str | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        check_options(options, {*JobOptions.__annotations__, "journal"}, call="a job")
        self._repository = repository
        self._source = source
        self._path = journal
        self.has_journal: bool = journal is not None
        """Whether another run can resume it."""
        changed_only = options.pop("changed_only", None)
        self._stored = None if changed_only is None else StoredRowsLedger(Path(changed_only))
        self._same_tenant = options.pop("same_tenant", False)
        self._keeps_values = options.pop("keep_values", False)
        resends_unknown = options.pop("resend_unknown", False)
        self._policy = ResendPolicy(resends_unknown=resends_unknown, verifies=bool(options.get("verify_by")))
        self._options: UpsertOptions = options
        self._journal: Journal | None = None
        self._ledger: JournalLedger | None = None
        self._run: UpsertRun | None = None
        self._is_stopped = False
        self._total: UpsertResult | None = None
        self._earlier_runs: list[Run] = []
        self._made_before = (0, 0)
        self.unseen: list[ChunkResult] = []
        """After the `async with`: the chunks that ended after the iteration."""
        self.earlier: list[Entry] = []
        """After the `async with`: the journal's entries of chunks that this run did not reach."""

    @property
    def result(self) -> UpsertResult:
        """The outcome of every row so far.

        After the `async with` it includes chunks of earlier runs that this run did not reach.
        """
        if self._total is not None:
            return self._total
        return UpsertResult() if self._run is None else self._run.result

    @property
    def is_done(self) -> bool:
        """Whether the whole input was read, and all of its chunks have ended, in this run or an earlier one."""
        return self._run is not None and self._run.came_to_end and self._run.result.stopped_by is None

    @property
    def begins_state(self) -> bool:
        """Whether the file of `changed_only` was missing, so that no row is skipped."""
        return self._stored is not None and self._stored.is_new

    @property
    def has_begun(self) -> bool:
        """Whether the journal could be used, so that rows are read."""
        return self._run is not None

    def cost(self, *, seconds: float) -> JobCost:
        """The cost of all runs, given the duration of this one."""
        calls, attempts = self._made()
        return JobCost.of_runs(self._earlier_runs, calls=calls, attempts=attempts, seconds=seconds)

    def _made(self) -> tuple[int, int]:
        """Calls and attempts of this run, without those that the session made before."""
        stats = self._repository.session.stats
        n_calls, n_attempts = self._made_before
        return stats.calls - n_calls, stats.attempts - n_attempts

    async def __aenter__(self) -> Self:
        self._repository.upserting((), **self._options)  # invalid options create no journal
        stats = self._repository.session.stats
        self._made_before = (stats.calls, stats.attempts)
        try:
            if self._path is not None:
                self._journal = await Journal.open(self._path)
            if self._stored is not None:
                await self._open_stored(self._stored)
            if self._journal is not None:
                self._ledger = await self._open_ledger(self._journal)
            self._run = await self._begun()
        except BaseException as error:
            await self._close(error)
            raise
        if self._is_stopped:
            self._run.stop()
        return self

    async def _open_stored(self, stored: StoredRowsLedger) -> None:
        job = {} if self._journal is None else self._journal.job
        refuse_without_state(self._path, job)
        owner = await StateOwner.of(self._repository, work=UPSERTS)
        await stored.open(owner, resumes=job.get(CHANGED_ONLY), same_tenant=self._same_tenant)

    async def _begun(self) -> UpsertRun:
        """The run, which sends the rows of the source."""
        rows, stored = await self._rows(), self._stored
        if stored is None:
            return self._repository.upserting(rows, ledger=self._ledger, **self._options)
        stored.inner = self._ledger
        return self._repository.upserting(rows, ledger=stored, is_stored=stored.rows.holds, **self._options)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._run is not None:
                await self._run.__aexit__(kind, error, traceback)
        except BaseException as failure:
            error = error or failure
            raise
        finally:
            await self._close(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChunkResult:
        if self._run is None:
            raise RuntimeError("the job is not open: use it in `async with`")
        try:
            chunk = await anext(self._run)
        except StopAsyncIteration:
            if self._ledger is not None and self.is_done:
                await self._ledger.end_input(self.result)
            raise
        if self._ledger is not None:
            self._ledger.note_ended(chunk)
        return chunk

    def stop(self) -> None:
        """Begin no other chunk: those in flight, or waiting for the rate limit, end; the rest stays unsent."""
        self._is_stopped = True
        if self._run is not None:
            self._run.stop()

    async def _close(self, error: BaseException | None) -> None:
        """Complete the result, write the end of the run, and close the journal, even on a cancellation."""
        try:
            if self._run is not None:
                self._complete_result(self._run)
            if self._ledger is not None:
                ended_by = error or self.result.stopped_by
                reason = "stopped" if self._is_stopped and not self.is_done else None
                if ended_by is not None:
                    reason = end_reason(ended_by, keeps_values=self._keeps_values)
                # A second interrupt must not make rows unknown whose outcomes are known.
                await wait_to_end(self._ledger.end_run(reason))
        finally:
            if self._stored is not None:
                await wait_to_end(self._stored.close())
            if self._journal is not None:
                await self._journal.close()

    def _complete_result(self, run: UpsertRun) -> None:
        """Add the records of earlier runs to the result."""
        self.unseen = run.take_ended()
        if self._ledger is None:
            return
        for chunk in self.unseen:
            self._ledger.note_ended(chunk)
        self.earlier = self._ledger.earlier()
        if (total := self._ledger.total()) is not None:
            total.stopped_by, total.unanswered = run.result.stopped_by, run.result.unanswered
            self._total = total

    async def _rows(self) -> Source:
        """The rows of the source, with the ids that their lookups find.

        The first run keeps in the journal what it has read, before any row is sent: if a later run found other ids, its
        chunks would differ from those in the journal.
        """
        lookups, journal = lookups_of(self._source), self._journal
        if not lookups:
            return self._source
        ids = None if journal is None else journal.job.get(IDS)
        if ids is None:
            ids = await read_ids(self._repository.session, lookups)
            if journal is not None:
                await journal.save_job({IDS: ids})
        return resolved_rows(self._source, lookups, finder(ids))

    async def _open_ledger(self, journal: Journal) -> JournalLedger:
        session = self._repository.session
        mark = None if self._stored is None else self._stored.mark
        job = job_of(self._repository, self._source, self._options, changed_only=mark)
        refuse_other_job(journal, job)
        if not journal.job:
            await journal.save_job({**job, **input_named(self._source)})
        self._earlier_runs = journal.runs
        ledger = JournalLedger(
            journal,
            next_run(journal, per_minute=session.limits.per_minute),
            self._policy,
            cost=self._made,
            keeps_values=self._keeps_values,
            horizon=horizon_reader_of(self._repository),
        )
        await journal.save_run(ledger.run)
        return ledger


def end_reason(error: BaseException, *, keeps_values: bool) -> str:
    """Why a run ended, for its journal, on one line; without quotations of rows unless values are kept."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "interrupted"
    is_harmless = isinstance(error, JournalError | StateError | SourceError | OSError)
    is_harmless = is_harmless or (isinstance(error, PlanhatError) and not may_quote_a_row(error))
    # Anything else may be about a row, and quote it.
    return printable(str(error) if is_harmless or keeps_values else without_values(str(error)))
