"""The command line: options in, exit codes out."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from planhat_async.cli import console
from planhat_async.cli.delete_command import delete
from planhat_async.cli.demo import run_demo
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.job_commands import jobs, report
from planhat_async.cli.model_commands import fields, models
from planhat_async.cli.parameters import (
    DEFAULT_PER_MINUTE,
    DEFAULTS,
    LISTED,
    BaseUrl,
    Concurrency,
    FileFormat,
    ListedModel,
    PerMinute,
    TokenFile,
    session_for,
)
from planhat_async.cli.signals import run, signals_handled
from planhat_async.cli.upsert_command import upsert
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.exports import checkpoint_of, export_records, format_of, part_named, whole_file, writer_class
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.writers import ExportWriter
from planhat_async.repositories import Lists
from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.faults import described
from planhat_async.session import Session

app: typer.Typer = typer.Typer(
    help="Read and write Planhat's records in bulk. "
    "The token comes from PLANHAT_API_TOKEN or --token-file, the server from PLANHAT_BASE_URL or --base-url.",
    epilog="Exit codes: 0 success, 1 some rows were not stored, 2 wrong usage or an unusable file, "
    "3 Planhat could not be used, 130 interrupted, 141 the output was closed.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.command()(upsert)
app.command()(delete)
app.command()(models)
app.command()(fields)
app.command()(report)
app.add_typer(jobs, name="jobs")


@app.command()
def export(
    model: Annotated[ListedModel, typer.Argument(help="The model to export.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; by default standard output.")] = None,
    format_: Annotated[
        FileFormat | None, typer.Option("--format", help="By default the file's suffix, or else jsonl.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a JSONL export after FILE.part.")] = False,
    concurrency: Concurrency = DEFAULTS.concurrency,
    per_minute: PerMinute = DEFAULT_PER_MINUTE,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
) -> None:
    """Write all records of a model to a file or to standard output.

    JSONL contains each record exactly as Planhat sent it. CSV and Parquet have a column for every field, the same for
    all records, and `extra` for the rest; Parquet needs the extra planhat-async[parquet]. The file is called FILE.part
    until it is complete. Only its owner can read a new file; a file that is replaced keeps its mode. An interrupted
    export starts again; with --resume, a JSONL export resumes where it stopped.
    """
    with refusals():
        repository = LISTED[model]
        format_ = format_ or FileFormat(format_of(output))
        make_writer = writer_class(format_.value)
        session = session_for(token_file, base_url, per_minute)
        if output is not None and output.is_dir():
            raise ValueError(f"{output} is a directory")
        checkpoint = _resumed(output, format_, repository) if resume else ExportCheckpoint()
        with _opened(output, format_, checkpoint) as out:
            writer = make_writer(out, repository.model.record)
            n_rows = run(_export(session, repository, writer, checkpoint, concurrency=concurrency))
    exported = in_words(n_rows, repository.model.singular, repository.model.name)
    console.tell(f"{exported} exported" + (f" to {output}" if output else ""))


def _resumed(output: Path | None, format_: FileFormat, repository: type[Lists[Any]]) -> ExportCheckpoint:
    if output is None:
        raise ValueError("--resume needs a file: name it with --output")
    if format_ is not FileFormat.JSONL:
        raise ValueError(f"--resume works with JSONL, not with {format_.value}")
    return checkpoint_of(output, repository.model)


@contextmanager
def _opened(output: Path | None, format_: FileFormat, checkpoint: ExportCheckpoint) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with part_named(output, format_.value), whole_file(output, keep_bytes=checkpoint.n_bytes) as out:
            yield out


async def _export(
    session: Session,
    repository: type[Lists[Any]],
    writer: ExportWriter,
    checkpoint: ExportCheckpoint,
    *,
    concurrency: int,
) -> int:
    with console.progress(f"export {repository.model.name}", total=None) as advance:
        async with session:
            records = repository(session)
            return await export_records(
                records, writer, checkpoint=checkpoint, concurrency=concurrency, on_progress=advance
            )


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8765,
    per_minute: Annotated[int, typer.Option(min=0, help="Calls allowed per minute; 0 for no limit.")] = 200,
    per_second: Annotated[int, typer.Option(min=0, help="Calls allowed per second; 0 for no limit.")] = 150,
    max_parallel: Annotated[int, typer.Option(min=0, help="Calls allowed at once; 0 for no limit.")] = 0,
    faults: Annotated[
        str, typer.Option(metavar="NAME[:AMOUNT][=RATE or @NUMBER],...", help="Faults to inject: see --list-faults.")
    ] = "",
    list_faults: Annotated[bool, typer.Option("--list-faults", help="List all faults, and exit.")] = False,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="[MODEL=]FILE", help="Records at the start: JSONL, from --save or an export."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write all records to this file at the end.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same ids and the same faults.")] = 0,
) -> None:
    """Run a local Planhat on loopback, to try things out.

    Without --save its records are lost when it stops. Its token is PLANHAT_API_TOKEN; if that is not set, it accepts
    any token.
    """
    if list_faults:
        console.out.print(described())
        return
    with refusals():
        if save is not None and not save.parent.is_dir():
            raise ValueError(f"--save {save}: there is no folder {save.parent}")
        planhat = Sandbox(
            os.environ.get("PLANHAT_API_TOKEN") or None,
            port=port,
            per_minute=per_minute or None,
            per_second=per_second or None,
            max_parallel=max_parallel or None,
            faults=faults,
            seed=seed,
        )
        for source in load or ():
            model, _, path = source.rpartition("=")
            planhat.load(path, model=model or None)
        run(_serve(planhat))
        if save is not None:
            planhat.save(save)


async def _serve(planhat: Sandbox) -> None:
    stopped = asyncio.Event()
    with signals_handled(lambda _: stopped.set()):
        async with planhat:
            sys.stdout.write(f"listening on {planhat.url}\n")
            sys.stdout.flush()
            await stopped.wait()


@app.command()
def demo(*, rows: Annotated[int, typer.Option(min=1, help="Tickets to write.")] = 20_000) -> None:
    """Write tickets to a sandbox twice, read them back, and compare; needs no account and no network."""
    with refusals():
        started = time.monotonic()
        report = run(run_demo(rows, show=console.out.print))
        seconds = time.monotonic() - started
    verdict = "Everything arrived exactly once" if report.ok else "Something was lost, doubled or changed"
    console.out.print(f"{verdict}: {report.calls} calls, {seconds:.1f} s.")
    raise typer.Exit(0 if report.ok else NOT_ALL_STORED)
