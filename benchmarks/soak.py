"""`soak`: reads and writes for minutes while one call in five fails, and verifies the outcome of every row.

Each round writes the same tasks again, creates notes without a key, and reads the tasks back, all with faults of the
server. Then a second session without faults reads the stored records. The benchmark ends with an error at the first
row that is lost, duplicated or counted wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import attrs

from benchmarks.troubled import CALM, FAULTS, TROUBLED
from planhat_async import Notes, PlanhatError, RateLimits, RetryPolicy, Session, Tasks, UpsertResult

N_TASKS = 10_000
N_NOTES = 400
CHUNK_SIZE = 250
NOTES_CHUNK_SIZE = 20
PAGE_SIZE = 500
LATE_SECONDS = 0.3
"""Seconds after which every cancelled request has been processed."""
WARM_UP = 0.2
"""The share of the time after which memory should no longer grow."""
MOST_GROWTH_BYTES = 10_000_000


@attrs.define
class Soak:
    """The observations so far."""

    n_rounds: int = 0
    n_rows: int = 0
    n_unknown: int = 0
    n_resumed: int = 0
    """Interrupted readings that were resumed after their last row."""
    first_bytes: int = 0
    first_files: int = 0

    def check(self, is_right: bool, what: str) -> None:
        """Stop at the first error.

        Raises:
            SystemExit: `is_right` is false.
        """
        if not is_right:
            raise SystemExit(f"round {self.n_rounds}: {what}")


def add_command(commands: Any) -> None:
    """Add `soak` to the command line."""
    parser = commands.add_parser(
        "soak",
        help="read and write under faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="10 by default")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the soak, and print the result."""
    command = [sys.executable, "-m", "benchmarks.troubled", str(options.seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        url = (process.stdout.readline() if process.stdout else "").strip()
        print(f"{sum(FAULTS.values()):.0%} of calls go wrong: {', '.join(FAULTS)}")
        asyncio.run(soak(url, options.minutes * 60))
        if process.stdin:
            process.stdin.close()


async def soak(url: str, seconds: float) -> None:
    """Run rounds until time is up."""
    limits = RateLimits(per_minute=1_000_000, per_second=100_000, reserve=0)
    retry = RetryPolicy(attempts=8, wait_initial=0.02, wait_max=0.5)
    seen, started = Soak(), time.monotonic()
    async with (
        Session(TROUBLED, base_url=url, limits=limits, retry=retry) as troubled,
        Session(CALM, base_url=url, limits=limits) as calm,
    ):
        while (elapsed := time.monotonic() - started) < seconds:
            await _round(seen, troubled, calm)
            if not seen.first_bytes and elapsed > WARM_UP * seconds:
                seen.first_bytes, seen.first_files = _resident_bytes(), _open_files()
            if seen.n_rounds % 20 == 0:
                print(f"{elapsed:5.0f} s: {_said(seen, troubled)}", flush=True)
        print(f"{seconds:5.0f} s: {_said(seen, troubled)}")
    growth, files = _resident_bytes() - seen.first_bytes, _open_files() - seen.first_files
    print(f"memory grew by {growth / 1e6:.1f} MB after the first {WARM_UP:.0%} of the time, open files by {files}")
    seen.check(growth <= MOST_GROWTH_BYTES, "memory grows")
    print("nothing lost, nothing twice")


async def _round(seen: Soak, troubled: Session, calm: Session) -> None:
    seen.n_rounds += 1
    await _write_tasks(seen, troubled, calm)
    await _create_notes(seen, troubled, calm)
    await _read_tasks(seen, troubled, calm)


async def _write_tasks(seen: Soak, troubled: Session, calm: Session) -> None:
    """Keyed rows: every row reported as stored is stored as written, and no key occurs twice."""
    version = f"{seen.n_rounds}"
    rows = ({"sourceId": f"t{n}", "companyId": "5f4e3d2c1b0a998877665544", "action": version} for n in range(N_TASKS))
    result = await Tasks(troubled).upsert_many(rows, chunk_size=CHUNK_SIZE)
    _count(seen, result, N_TASKS)
    await asyncio.sleep(LATE_SECONDS)
    there = [(task.source_id, task.action) async for task in Tasks(calm).iter(archived=False)]
    n_current = sum(action == version for _, action in there)
    seen.check(len({source_id for source_id, _ in there}) == len(there), "a key is there twice")
    seen.check(result.stored <= n_current, f"{result.stored} tasks are called stored, {n_current} are")
    seen.check(n_current <= result.stored + result.unknown, f"{n_current} tasks are there: {result.counts()}")


async def _create_notes(seen: Soak, troubled: Session, calm: Session) -> None:
    """Rows without a key: every row reported as created is stored once; other stored rows are unknown ones."""
    rows = [{"companyId": "5f4e3d2c1b0a998877665544", "subject": f"{seen.n_rounds}-{n}"} for n in range(N_NOTES)]
    verify_by = ("subject",) if seen.n_rounds % 2 else ()
    result = await Notes(troubled).upsert_many(
        rows, chunk_size=NOTES_CHUNK_SIZE, verify_by=verify_by, verify_wait=LATE_SECONDS
    )
    _count(seen, result, N_NOTES)
    await asyncio.sleep(LATE_SECONDS)
    notes = await Notes(calm).all()
    most = max(Counter(note.subject for note in notes).values(), default=0)
    seen.check(most <= 1, "a note is there twice")
    seen.check(
        result.created <= len(notes) <= result.created + result.unknown, f"{len(notes)} notes: {result.counts()}"
    )
    await Notes(calm).delete_many([note.id for note in notes if note.id])


async def _read_tasks(seen: Soak, troubled: Session, calm: Session) -> None:
    """A list is read completely, every task once, in order; an interrupted reading is resumed after the last task."""
    there = [task.id async for task in Tasks(calm).iter(archived=False, select=["id"])]
    read: list[str | None] = []
    while True:
        after = read[-1] if read else None
        try:
            async for task in Tasks(troubled).iter(
                archived=False, page_size=PAGE_SIZE, after=after, start_offset=max(0, len(read) - 1)
            ):
                read.append(task.id)  # noqa: PERF401 - what was read before it breaks off counts
        except PlanhatError:
            seen.n_resumed += 1
        else:
            break
    seen.check(read == there, f"{len(read)} tasks were read, {len(there)} are there")


def _count(seen: Soak, result: UpsertResult, n_rows: int) -> None:
    seen.check(result.rows == n_rows, f"{n_rows} rows went in, {result.counts()} came out")
    seen.n_rows += n_rows
    seen.n_unknown += result.unknown


def _said(seen: Soak, session: Session) -> str:
    stats = session.stats
    return (
        f"{seen.n_rounds} rounds, {seen.n_rows:,} rows written, {seen.n_unknown:,} of them unknown, "
        f"{stats.attempts:,} attempts, {stats.retries:,} retries, {seen.n_resumed} readings resumed, "
        f"{_resident_bytes() / 1e6:.0f} MB, {_open_files()} files"
    )


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
