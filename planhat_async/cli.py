"""The command line: options in, exit codes out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from planhat_async import console
from planhat_async.commands import (
    NOT_ALL_STORED,
    REPOSITORIES,
    AnyRepository,
    BaseUrl,
    Concurrency,
    Model,
    PerMinute,
    TokenFile,
    refusals,
    run,
    session_for,
)
from planhat_async.demo import run_demo
from planhat_async.job_commands import fields, jobs, report
from planhat_async.jobs.exports import CsvWriter, JsonlWriter, Writer, whole_file
from planhat_async.sandbox import Sandbox
from planhat_async.session import Session
from planhat_async.upsert_command import upsert

app = typer.Typer(
    help="Read and write Planhat's notes, tasks and tickets in bulk. "
    "The token comes from PLANHAT_API_TOKEN or --token-file, the server from PLANHAT_BASE_URL or --base-url.",
    epilog="Exit codes: 0 all went well, 1 some rows were not stored, 2 wrong usage, "
    "3 Planhat could not be used, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(upsert)
app.command()(fields)
app.command()(report)
app.add_typer(jobs, name="jobs")


class FileFormat(StrEnum):
    """How records are written down."""

    CSV = "csv"
    JSONL = "jsonl"


@app.command(name="export")
def export_records(
    model: Annotated[Model, typer.Argument(help="What to read.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; standard output otherwise.")
    ] = None,
    format_: Annotated[
        FileFormat | None, typer.Option("--format", help="By default what the file's name says, else jsonl.")
    ] = None,
    concurrency: Concurrency = 4,
    per_minute: PerMinute = 200,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
) -> None:
    """Write all records of a model to a file or to standard output.

    JSONL holds each record exactly as Planhat sent it; CSV has a column for every field. A file gets its name
    once it is complete; until then it is called FILE.part.
    """
    with refusals():
        repository = REPOSITORIES[model]
        chosen = format_ or (FileFormat.CSV if output and output.suffix.lower() == ".csv" else FileFormat.JSONL)
        session = session_for(token_file, base_url, per_minute)
        if output is not None and output.is_dir():
            raise ValueError(f"{output} is a directory")
        with whole_file(output) if output else _standard_output() as out:
            writer = JsonlWriter(out) if chosen is FileFormat.JSONL else CsvWriter(out, repository.endpoint.record)
            n_rows = run(_export(session, repository, writer, concurrency=concurrency))
    console.tell(f"{n_rows:,} {model.value} exported" + (f" to {output}" if output else ""))


async def _export(session: Session, repository: AnyRepository, writer: Writer, *, concurrency: int) -> int:
    n_rows = 0
    with console.progress(f"export {repository.__name__.lower()}", total=None) as advance:
        async with session, aclosing(repository(session).iter_json(concurrency=concurrency)) as rows:
            async for row in rows:
                writer.write(row)
                n_rows += 1
                if n_rows % 1000 == 0:
                    advance(n_rows, None)
    return n_rows


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8765,
    per_minute: Annotated[int, typer.Option(min=0, help="Calls it takes a minute; 0 for no limit.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed makes the same ids.")] = 0,
) -> None:
    """Run a Planhat of your own on loopback, to try things out; it forgets everything when it ends.

    It takes PLANHAT_API_TOKEN as its token; where that is not set, any token will do.
    """
    with refusals():
        run(
            _serve(
                Sandbox(
                    os.environ.get("PLANHAT_API_TOKEN") or None, port=port, per_minute=per_minute or None, seed=seed
                )
            )
        )


async def _serve(planhat: Sandbox) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with planhat:
        sys.stdout.write(f"listening on {planhat.url}\n")
        sys.stdout.flush()
        await ended.wait()


@app.command()
def demo(*, rows: Annotated[int, typer.Option(min=1, help="Tickets to write.")] = 20_000) -> None:
    """Write tickets to a sandbox, twice, read them back, and compare: no account, no network."""
    with refusals():
        started = time.monotonic()
        report = run(run_demo(rows, show=console.out.print))
        seconds = time.monotonic() - started
    verdict = "Everything arrived exactly once" if report.ok else "Something was lost, doubled or changed"
    console.out.print(f"{verdict}: {report.calls} calls, {seconds:.1f} s.")
    raise typer.Exit(0 if report.ok else NOT_ALL_STORED)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
