"""Shows the progress of a job: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from planhat_async.cli import console
from planhat_async.jobs.job_progress import Meter, duration, in_words, outcomes_in_words, progress_line
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.sources import FileSource
from planhat_async.jobs.upsert_job import UpsertJob
from planhat_async.session import Session

_SECONDS_BETWEEN_LINES = 10.0


async def follow(session: Session, job: UpsertJob, source: FileSource, rejects: Rejects | None) -> None:
    """Carry out the job, and show its progress."""
    meter = Meter(source.total_bytes)
    clock = asyncio.get_running_loop().time
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
            console.tell(progress_line(job.result, meter, calls_left=session.calls_left, seconds_until=until))

        def draw() -> None:
            measure()
            left = meter.seconds_left(session.seconds_until_bulk_call)
            rest = "" if left is None else f", about {duration(left)} left"
            calls = f"{in_words(session.calls_left, 'call')} left this minute"
            advance(job.result.rows, source.bytes_read, f"{outcomes_in_words(job.result)}, {calls}{rest}")

        repeated = _every(1.0, draw) if console.err.is_terminal else _every(_SECONDS_BETWEEN_LINES, print_line)
        display = asyncio.create_task(repeated)
        try:
            measure()
            async for chunk in job:
                n_chunks += 1
                if rejects is not None:
                    rejects.add(chunk)
                draw()
        finally:
            display.cancel()


async def _every(seconds: float, show: Callable[[], None]) -> None:
    """Show the progress repeatedly, even while no chunk ends."""
    while True:
        await asyncio.sleep(seconds)
        show()
