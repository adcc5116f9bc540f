"""Shows the progress of a job: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from planhat_async.cli import console
from planhat_async.cli.metrics_file import watch
from planhat_async.cli.run_log import log
from planhat_async.jobs.delete_job import DeleteJob
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.job_progress import (
    Meter,
    calls_in_words,
    deletion_line,
    deletions_in_words,
    duration,
    n_processed,
    outcomes_in_words,
    progress_line,
)
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.upsert_job import UpsertJob
from planhat_async.session import Session

_SECONDS_BETWEEN_LINES = 10.0


async def follow(session: Session, job: UpsertJob, source: FileSource, rejects: Rejects | None, *, model: str) -> None:
    """Carry out the job, and show its progress."""
    meter = Meter(source.total_bytes)
    clock = asyncio.get_running_loop().time
    started = clock()
    watch(session.stats, lambda: {model: job.result.counts()})
    with console.progress(f"upsert {source.path.name}", total=source.total_bytes) as advance:
        n_chunks = 0

        def measure() -> None:
            meter.record_progress(
                job.result.rows,
                rows_read=source.rows_read,
                bytes_read=source.bytes_read,
                now=clock(),
                n_chunks=n_chunks,
                is_waiting=session.seconds_until_bulk_call(1) > 0,
            )

        def print_line() -> None:
            measure()
            until = session.seconds_until_bulk_call
            calls = {"calls_left": session.calls_left, "n_members": session.stats.members}
            line = progress_line(job.result, meter, seconds_until=until, **calls)
            console.tell(line, event="progress", rows=job.result.rows, **console.with_rows(job.result.counts()))

        def draw() -> None:
            measure()
            left = meter.seconds_left(session.seconds_until_bulk_call)
            rest = "" if left is None else f", about {duration(left)} left"
            calls = calls_in_words(session.calls_left, session.stats.members)
            advance(job.result.rows, source.bytes_read, f"{outcomes_in_words(job.result)}, {calls}{rest}")

        async with shown(draw, print_line):
            measure()
            async for chunk in job:
                n_chunks += 1
                log_chunk(model, chunk.number, chunk.counts(), seconds=clock() - started)
                if rejects is not None:
                    rejects.add(chunk)
                draw()


async def follow_deletion(session: Session, job: DeleteJob, *, model: str) -> None:
    """Carry out the job, and show its progress."""
    clock = asyncio.get_running_loop().time
    meter = Meter()
    watch(session.stats, lambda: {model: job.result.counts()})
    with console.progress(f"delete {model}", total=None) as advance:

        def measure() -> None:
            n_done, meter.total_bytes = n_processed(job.result), job.result.rows
            is_waiting = session.seconds_until_bulk_call(1) > 0
            read = {"rows_read": job.result.rows, "bytes_read": job.result.rows}
            meter.record_progress(n_done, **read, now=clock(), n_chunks=n_done, is_waiting=is_waiting)

        def print_line() -> None:
            if job.has_begun:
                measure()
                until = session.seconds_until_bulk_call
                calls = {"calls_left": session.calls_left, "n_members": session.stats.members}
                line = deletion_line(job.result, meter, seconds_until=until, **calls)
                console.tell(line, event="progress", rows=job.result.rows, **console.with_rows(job.result.counts()))

        def draw() -> None:
            if job.has_begun:
                measure()
                left = meter.seconds_left(session.seconds_until_bulk_call)
                rest = "" if left is None else f", about {duration(left)} left"
                advance(n_processed(job.result), None, f"{deletions_in_words(job.result)}{rest}")

        async with shown(draw, print_line):
            await job.run()


def log_chunk(model: str, number: int, counts: Mapping[str, int], *, seconds: float) -> None:
    """Write to a log in JSON that a chunk has ended, `seconds` after the run began."""
    rows = sum(counts.values())
    log.write("chunk", model=model, chunk=number, rows=rows, **console.with_rows(counts), seconds=round(seconds, 3))


@asynccontextmanager
async def shown(draw: Callable[[], None], print_line: Callable[[], None]) -> AsyncIterator[None]:
    """Show the progress repeatedly: in a bar on a terminal, elsewhere on lines."""
    has_bar = console.err.is_terminal and log.shows_tables
    repeated = _every(1.0, draw) if has_bar else _every(_SECONDS_BETWEEN_LINES, print_line)
    display = asyncio.create_task(repeated)
    try:
        yield
    finally:
        display.cancel()


async def _every(seconds: float, show: Callable[[], None]) -> None:
    """Show the progress repeatedly, even while no chunk ends."""
    while True:
        await asyncio.sleep(seconds)
        show()
