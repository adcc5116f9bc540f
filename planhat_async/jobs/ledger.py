"""Records an upsert's chunks in a journal, and refuses chunks that have changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import attrs

from planhat_async.batching.chunk_ledger import Recorded
from planhat_async.batching.chunks import Chunk
from planhat_async.batching.outcome_verifier import HorizonReader
from planhat_async.errors import PlanhatError
from planhat_async.jobs.entries import (
    FINAL_REASONS,
    ChunkState,
    Entry,
    ResendPolicy,
    Run,
    digest_of,
    holds,
    n_rows_of,
    recorded,
    unrecorded,
    without,
)
from planhat_async.jobs.job_identity import HOW_TO_START_OVER
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.journal_file import JournalError
from planhat_async.results import STORED, ChunkResult, Outcome, UpsertResult, merged, ranges_of


@attrs.define(eq=False)
class JournalLedger:
    """Records chunks in a journal."""

    _journal: Journal
    run: Run
    """The run under way."""
    _policy: ResendPolicy
    _cost: Callable[[], tuple[int, int]] = attrs.field(kw_only=True, alias="cost")
    """Returns the run's calls and attempts so far."""
    _keeps_values: bool = attrs.field(default=False, kw_only=True, alias="keeps_values")
    """Whether the journal keeps keys, and quotations in reasons."""
    _horizon: HorizonReader | None = attrs.field(default=None, kw_only=True, alias="horizon")
    """Reads Planhat's newest `_id`s; without it, entries have no floor."""
    _oldest_behind: dict[int, int] = attrs.field(init=False)
    _last_sent: dict[str, int] = attrs.field(factory=dict, init=False)
    """By key, the run that sent it last; only of chunks behind which a rerun keeps the outcomes of rows."""
    _reached: set[int] = attrs.field(factory=set, init=False)
    _reached_total: UpsertResult = attrs.field(factory=UpsertResult, init=False)
    """The outcomes of the chunks that this run has reached."""
    _unwritten: list[Entry] = attrs.field(factory=list, init=False)
    """Entries whose outcomes could not be written."""
    _unbegun: list[ChunkResult] = attrs.field(factory=list, init=False)
    """Chunks that were read but not begun when the run ended."""

    def __attrs_post_init__(self) -> None:
        self._oldest_behind = _oldest_behind(self._journal)

    async def begin_chunk(self, chunk: Chunk) -> Recorded | None:
        """Compare the chunk with its entry, and persist that it is about to be sent."""
        digest = await self._journal.compute(partial(digest_of, chunk))
        before = self._journal.entries.get(chunk.number)
        if before is None:
            return await self._begin_first(chunk, digest)
        self._refuse_change(chunk, digest, before)
        known = recorded(before, chunk, self._policy, is_stale=self._is_stale(chunk, before))
        resumed = self._resumed(before, chunk, known) if known.pending or known.doubtful else None
        self._note_keys(chunk, before if resumed is None else resumed)
        if resumed is not None:
            await self._save_or_withdraw(resumed)
            return known
        if before.state is ChunkState.SENDING:
            # Counted only afterwards: if this fails, the entry still has the rows that may be stored.
            await self._journal.save(before.with_result(known.settled, keeps_values=self._keeps_values))
        self._count(known.settled)
        return known

    async def _begin_first(self, chunk: Chunk, digest: str) -> Recorded | None:
        n_chunks = self._journal.job.get("n_chunks")
        if n_chunks is not None and chunk.number >= n_chunks:
            raise JournalError(
                f"the input has changed: it had {in_words(self._journal.job['n_rows'], 'row')}, and now has more; "
                f"{HOW_TO_START_OVER}"
            )
        floor = None
        if self._horizon is not None and chunk.rows and not chunk.is_keyed:
            try:
                floor = (await self._horizon.read_horizon()).floor
            except PlanhatError:
                self._horizon = None  # not tried again: a later run that looks for rows reads the whole list
        floor_id = None if floor is None else floor.id
        entry = Entry.of_chunk(chunk, digest, floor=floor_id, keeps_values=self._keeps_values)
        await self._save_or_withdraw(self._stamped(entry))
        return unrecorded(chunk, floor=floor) if floor is not None and self._policy.verifies else None

    async def end_chunk(self, result: ChunkResult) -> None:
        """Write the outcomes of the chunk."""
        self._count(result)
        if self._horizon is not None:
            self._horizon.note_created(result.created_ids)
        run = self._run_now()
        entry = self._journal.entries[result.number].with_result(result, keeps_values=self._keeps_values)
        entry = attrs.evolve(entry, ended=run.seen, n_attempts=run.attempts)
        try:
            await self._journal.save(entry, run)
        except (JournalError, asyncio.CancelledError):
            self._unwritten.append(entry)
            raise
        # Only a run that does not reach the chunk needs its positions; in memory they may take a range for each row.
        self._journal.entries[entry.number] = attrs.evolve(entry, positions=())

    async def end_run(self, ended_by: str | None) -> None:
        """Write the end of the run, and before it the outcomes for which `end_chunk` failed or was cancelled.

        Otherwise a rerun would treat rows without a key as unknown, although their outcomes are known. On a full disk
        the room of the log may be enough. A `JournalError` is not raised: `end_chunk` has raised it before.
        """
        run = self._run_now()
        with suppress(JournalError):
            for entry in self._unwritten:
                try:
                    await self._journal.save(entry, run)
                except JournalError:
                    await self._journal.free_log()
                    await self._journal.save(entry, run)
            await self._journal.save_run(attrs.evolve(run, ended=run.seen, ended_by=ended_by))

    async def end_input(self, result: UpsertResult) -> None:
        """Record that the input has ended.

        Raises:
            JournalError: An earlier run has read more of it.
        """
        if max(self._journal.entries, default=-1) >= result.n_chunks:
            raise JournalError(
                f"the input has changed: it ends after {in_words(result.rows, 'row')}, an earlier run has read more; "
                f"{HOW_TO_START_OVER}"
            )
        await self._journal.save_job({"n_chunks": result.n_chunks, "n_rows": result.rows})

    def note_ended(self, chunk: ChunkResult) -> None:
        """Note a chunk that has ended, perhaps before it was begun."""
        if chunk.number not in self._reached:
            self._unbegun.append(chunk)

    def earlier(self) -> list[Entry]:
        """Chunks of earlier runs that this run did not reach."""
        return [entry for number, entry in self._journal.entries.items() if number not in self._reached]

    def total(self) -> UpsertResult | None:
        """The outcomes of all rows of all runs; `None` if this run has reached all chunks of earlier ones."""
        earlier = self.earlier()
        if not earlier:
            return None
        total, self._reached_total = self._reached_total, UpsertResult()
        for entry in earlier:
            total.add(entry.result)
        known = merged(one for entry in earlier for one in entry.positions)
        for chunk in self._unbegun:
            again = {one.position for one in chunk.problems if one.position is not None and holds(known, one.position)}
            others = without(chunk, again)
            # The rows of a chunk that was not begun are problems, or were skipped.
            others.count(Outcome.SKIPPED, len(again) - _n_held(known, chunk.positions))
            if others.rows:
                total.add(others)
        return total

    def _run_now(self) -> Run:
        """The run, with its cost so far."""
        calls, attempts = self._cost()
        return attrs.evolve(self.run, seen=time.time(), calls=calls, attempts=attempts)

    def _count(self, result: ChunkResult) -> None:
        self._reached.add(result.number)
        self._reached_total.add(result)

    def _is_stale(self, chunk: Chunk, before: Entry) -> bool:
        """Whether an earlier chunk with a key of this one was sent after it."""
        return bool(self._last_sent) and any(
            self._last_sent.get(key, 0) > before.run_of(row.position) for row in chunk.rows for key in row.keys
        )

    def _note_keys(self, chunk: Chunk, entry: Entry) -> None:
        """Note the runs that sent the chunk's keys last, if a later chunk may have to be sent again after it."""
        if self._oldest_behind.get(chunk.number, entry.run) < entry.run:
            for row in chunk.rows:
                run = entry.run_of(row.position)
                self._last_sent.update((key, max(run, self._last_sent.get(key, 0))) for key in row.keys)

    def _stamped(self, entry: Entry) -> Entry:
        now = time.time()
        return attrs.evolve(entry, run=self.run.number, begun=entry.begun or now, sent=now, ended=None)

    def _resumed(self, before: Entry, chunk: Chunk, known: Recorded) -> Entry:
        """The entry of a chunk of which rows are about to be sent again."""
        again = {row.position for row in (*known.pending, *known.doubtful)}
        kept: dict[int, list[int]] = {}
        for row in chunk.rows if before.is_keyed and len(again) < len(chunk.rows) else ():
            if row.position not in again:
                kept.setdefault(before.run_of(row.position), []).append(row.position)
        entry = before.with_result(known.settled, keeps_values=self._keeps_values)
        return self._stamped(
            attrs.evolve(
                entry,
                state=ChunkState.SENDING,
                pending=ranges_of(again),
                earlier={run: ranges_of(positions) for run, positions in kept.items()},
            )
        )

    async def _save_or_withdraw(self, entry: Entry) -> None:
        """Persist that a chunk is about to be sent.

        On failure or cancellation restore the entry before it, so that a rerun knows that the chunk was not sent.
        """
        before = self._journal.entries.get(entry.number)
        try:
            await self._journal.save(entry, precedes_send=True)
        except (asyncio.CancelledError, JournalError):
            with suppress(JournalError):  # then it is unknown, which does no harm
                await (self._journal.remove(entry.number) if before is None else self._journal.save(before))
            raise

    def _refuse_change(self, chunk: Chunk, digest: str, before: Entry) -> None:
        """Refuse a chunk that differs from its entry."""
        n_rows = n_rows_of(chunk)
        if (digest, n_rows, chunk.is_keyed) == (before.digest, before.n_rows, before.is_keyed):
            return
        first, last = chunk.positions[0].start + 1, chunk.positions[-1].stop
        raise JournalError(
            f"the input has changed: chunk {chunk.number + 1}, of the rows from {first:,} to {last:,}, is not what it "
            f"was when the job began; {HOW_TO_START_OVER}"
        )


def _n_held(ranges: tuple[range, ...], positions: tuple[range, ...]) -> int:
    """How many of the positions are in the ranges; both are in order."""
    n_held = number = at = 0
    while number < len(positions) and at < len(ranges):
        one, other = positions[number], ranges[at]
        n_held += max(0, min(one.stop, other.stop) - max(one.start, other.start))
        if one.stop <= other.stop:
            number += 1
        else:
            at += 1
    return n_held


def _oldest_behind(journal: Journal) -> dict[int, int]:
    """By chunk, the earliest run that sent rows with keys behind it which a rerun does not send again by itself."""
    found: dict[int, int] = {}
    oldest: int | None = None
    for number, entry in sorted(journal.entries.items(), reverse=True):
        if oldest is not None:
            found[number] = oldest
        if entry.is_keyed and _keeps_rows(entry):
            oldest = min([entry.run, *entry.earlier, *([] if oldest is None else [oldest])])
    return found


def _keeps_rows(entry: Entry) -> bool:
    """Whether rows of a chunk that were sent are not sent again by a rerun."""
    is_stored = any(entry.counts.get(name) for name in STORED)
    return is_stored or any(group.reason in FINAL_REASONS for group in entry.groups)
