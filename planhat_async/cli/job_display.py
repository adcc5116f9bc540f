"""Shows how far a job has come: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from planhat_async.cli import console
from planhat_async.jobs.job_progress import Meter, duration, in_words, line, outcomes_in_words
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.sources import FileSource
from planhat_async.jobs.upsert_job import UpsertJob
from planhat_async.session import Session

_SECONDS_BETWEEN_LINES = 10.0


async def follow(session: Session, job: UpsertJob, source: FileSource, rejects: Rejects | None) -> None:
    """Wait for the job's end, and show how far it has come."""
    meter = Meter(source.total_bytes)
    clock = asyncio.get_running_loop().time
    with console.progress(f"upsert {source.path.name}", total=source.total_bytes) as advance:
        n_chunks = 0

        def look() -> None:
            meter.record_progress(
                job.result.rows,
                rows_read=source.rows_read,
                bytes_read=source.bytes_read,
                now=clock(),
                n_chunks=n_chunks,
                is_waiting=session.seconds_until_bulk_call(1) > 0,
            )

        def say() -> str:
            look()  # also where no chunk has ended for a while
            until = session.seconds_until_bulk_call
            return line(job.result, meter, calls_left=session.calls_left, seconds_until=until)

        def draw() -> None:
            look()
            left = meter.seconds_left_at(session.seconds_until_bulk_call)
            rest = "" if left is None else f", about {duration(left)} left"
            calls = f"{in_words(session.calls_left, 'call')} left this minute"
            advance(job.result.rows, source.bytes_read, f"{outcomes_in_words(job.result)}, {calls}{rest}")

        telling = asyncio.create_task(_redraw(draw) if console.err.is_terminal else _tell(say))
        try:
            look()
            async for chunk in job:
                n_chunks += 1
                if rejects is not None:
                    rejects.add(chunk)
                draw()
        finally:
            telling.cancel()


async def _tell(say: Callable[[], str]) -> None:
    """A plain line now and then, where there is no terminal to draw on."""
    while True:
        await asyncio.sleep(_SECONDS_BETWEEN_LINES)
        console.tell(say())


async def _redraw(draw: Callable[[], None]) -> None:
    """The bar each second, also while no chunk ends."""
    while True:
        await asyncio.sleep(1)
        draw()
