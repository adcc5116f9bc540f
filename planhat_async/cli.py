"""The command line: options in, exit codes out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

import attrs
import typer

from planhat_async import console
from planhat_async._http.pace import RateLimits
from planhat_async.demo import run_demo
from planhat_async.errors import PlanhatError
from planhat_async.jobs.exports import (
    MissingExtraError,
    export_records,
    format_of,
    left_over,
    part_named,
    whole_file,
    writer_class,
)
from planhat_async.jobs.leftovers import Leftover
from planhat_async.jobs.mapping import FieldMapping, SourceError
from planhat_async.jobs.sources import FileSource
from planhat_async.jobs.writers import Writer
from planhat_async.repositories import Notes, Tasks, Tickets
from planhat_async.results import UpsertResult
from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.faults import described
from planhat_async.session import Session

T = TypeVar("T")

NOT_ALL_STORED, WRONG_USAGE, UNUSABLE, INTERRUPTED = 1, 2, 3, 130

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


class Model(StrEnum):
    """What can be read and written."""

    NOTES = "notes"
    TASKS = "tasks"
    TICKETS = "tickets"


class FileFormat(StrEnum):
    """How records are written down."""

    CSV = "csv"
    JSONL = "jsonl"


class ExportFormat(StrEnum):
    """How records are written down by an export."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


AnyRepository = type[Notes] | type[Tasks] | type[Tickets]

_REPOSITORIES: dict[Model, AnyRepository] = {Model.NOTES: Notes, Model.TASKS: Tasks, Model.TICKETS: Tickets}

TokenFile = Annotated[Path | None, typer.Option(help="A file that holds the token, instead of PLANHAT_API_TOKEN.")]
BaseUrl = Annotated[str | None, typer.Option(help="Planhat's URL in your region, instead of PLANHAT_BASE_URL.")]
PerMinute = Annotated[int, typer.Option(min=1, help="Calls a minute; Planhat's own limit is 200.")]
Concurrency = Annotated[int, typer.Option(min=1, max=50, help="Calls in flight at once.")]


@app.command()
def upsert(
    model: Annotated[Model, typer.Argument(help="What the rows are.")],
    file: Annotated[Path, typer.Argument(help="A CSV file with a header, or JSONL.")],
    *,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Where a field's values are; then other columns are left."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A value that every row gets.")
    ] = None,
    format_: Annotated[FileFormat | None, typer.Option("--format", help="If the file's name does not say.")] = None,
    encoding: Annotated[str, typer.Option(help="Of a CSV file.")] = "utf-8",
    chunk_size: Annotated[int, typer.Option(min=1, max=5000, help="Rows a call.")] = 5000,
    concurrency: Concurrency = 4,
    per_minute: PerMinute = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
) -> None:
    """Create or update a record for every row of FILE.

    Rows with a key (id; for tasks and tickets also source_id) can be sent again safely: what is there already is
    updated. Field names may be in either spelling (source_id, sourceId), custom fields are custom.NAME. Without
    --map every column must be a field. In JSONL, fields that Planhat fills in itself are passed on, so that an
    export can be sent back: Planhat ignores them. In CSV such a column is refused.
    """
    with _refusals():
        repository = _REPOSITORIES[model]
        mapping = FieldMapping.parse(repository.endpoint.record, maps=map_ or (), constants=set_ or ())
        source = FileSource(file, mapping, format=None if format_ is None else format_.value, encoding=encoding)
        source.check()
        session = _session(token_file, base_url, per_minute)
        started = time.monotonic()
        run = _run(_upsert(session, repository, source, chunk_size=chunk_size, concurrency=concurrency))
        _show(run, session, seconds=time.monotonic() - started, as_json=as_json)
    raise typer.Exit(run.exit_code)


@attrs.frozen
class _Upserted:
    """How an upsert ended."""

    result: UpsertResult
    ended_by: BaseException | None = None
    """What ended it before its time."""

    @property
    def exit_code(self) -> int:
        if isinstance(self.ended_by, PlanhatError):
            return UNUSABLE
        if isinstance(self.ended_by, _Interrupted):
            return INTERRUPTED
        if self.ended_by is not None:
            return WRONG_USAGE
        return 0 if self.result.ok else NOT_ALL_STORED


def _show(run: _Upserted, session: Session, *, seconds: float, as_json: bool) -> None:
    if as_json:
        console.print_json(run.result, session.stats, seconds=seconds, ended_by=run.ended_by)
    else:
        console.show_result(run.result, seconds=seconds, ended_by=run.ended_by)
    sys.stdout.flush()


class _Interrupted(Exception):  # noqa: N818 - not an error
    """Somebody asked the program to end."""


async def _upsert(
    session: Session, repository: AnyRepository, source: FileSource, *, chunk_size: int, concurrency: int
) -> _Upserted:
    ended_by: BaseException | None = None
    with console.progress(f"upsert {source.path.name}", total=source.total_bytes) as advance:
        async with session:
            run = repository(session).upserting(source, chunk_size=chunk_size, concurrency=concurrency)
            async with run:
                try:
                    async for _ in run:
                        advance(run.result.rows, source.bytes_read)
                except asyncio.CancelledError:
                    ended_by = _Interrupted("interrupted; rows in flight are unknown, those after them were not sent")
                except (OSError, SourceError) as error:
                    ended_by = error
    return _Upserted(run.result, run.result.stopped_by or ended_by)


@app.command()
def export(
    model: Annotated[Model, typer.Argument(help="What to read.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; standard output otherwise.")
    ] = None,
    format_: Annotated[
        ExportFormat | None, typer.Option("--format", help="By default what the file's name says, else jsonl.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on behind FILE.part of a broken JSONL export.")] = False,
    concurrency: Concurrency = 4,
    per_minute: PerMinute = 200,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
) -> None:
    """Write all records of a model to a file or to standard output.

    JSONL holds each record exactly as Planhat sent it. CSV and Parquet have a column for every field, the same
    whatever the records hold, and `extra` for the rest; Parquet needs the extra planhat-async[parquet]. A file gets
    its name once it is complete; until then it is called FILE.part. An export that broke off is begun anew, unless
    --resume is given: then one to JSONL goes on where it was.
    """
    with _refusals():
        repository = _REPOSITORIES[model]
        format_ = format_ or ExportFormat(format_of(output))
        make_writer = writer_class(format_.value)
        session = _session(token_file, base_url, per_minute)
        if output is not None and output.is_dir():
            raise ValueError(f"{output} is a directory")
        leftover = _resumed(output, format_, repository) if resume else Leftover()
        with _opened(output, format_, leftover) as out:
            writer = make_writer(out, repository.endpoint.record)
            n_rows = _run(_export(session, repository, writer, leftover, concurrency=concurrency))
    console.tell(f"{n_rows:,} {model.value} exported" + (f" to {output}" if output else ""))


def _resumed(output: Path | None, format_: ExportFormat, repository: AnyRepository) -> Leftover:
    if output is None:
        raise ValueError("--resume goes on with a file: name it with --output")
    if format_ is not ExportFormat.JSONL:
        raise ValueError(f"--resume goes on with JSONL, not with {format_.value}")
    return left_over(output, repository.endpoint.record)


@contextmanager
def _opened(output: Path | None, format_: ExportFormat, leftover: Leftover) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with part_named(output, format_.value), whole_file(output, keep_bytes=leftover.n_bytes) as out:
            yield out


async def _export(
    session: Session, repository: AnyRepository, writer: Writer, leftover: Leftover, *, concurrency: int
) -> int:
    with console.progress(f"export {repository.__name__.lower()}", total=None) as advance:
        async with session:
            return await export_records(
                repository(session),
                writer,
                leftover=leftover,
                concurrency=concurrency,
                on_progress=lambda n_rows: advance(n_rows, None),
            )


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8765,
    per_minute: Annotated[int, typer.Option(min=0, help="Calls it takes a minute; 0 for no limit.")] = 200,
    per_second: Annotated[int, typer.Option(min=0, help="Calls it takes a second; 0 for no limit.")] = 150,
    max_parallel: Annotated[int, typer.Option(min=0, help="Calls it takes at once; 0 for no limit.")] = 0,
    faults: Annotated[
        str, typer.Option(metavar="NAME[:AMOUNT][=RATE or @NUMBER],...", help="What goes wrong: --list-faults.")
    ] = "",
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Say what can go wrong, and end.")] = False,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="[MODEL=]FILE", help="What it holds from the start: JSONL, saved here or exported."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Where to write what it holds when it ends.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same ids and the same faults.")] = 0,
) -> None:
    """Run a Planhat of your own on loopback, to try things out.

    It forgets everything when it ends, but for --save. It takes PLANHAT_API_TOKEN as its token; where that is
    not set, any token will do.
    """
    if list_faults:
        console.out.print(described())
        return
    with _refusals():
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
        _run(_serve(planhat))
        if save is not None:
            planhat.save(save)


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
    with _refusals():
        started = time.monotonic()
        report = _run(run_demo(rows, show=console.out.print))
        seconds = time.monotonic() - started
    verdict = "Everything arrived exactly once" if report.ok else "Something was lost, doubled or changed"
    console.out.print(f"{verdict}: {report.calls} calls, {seconds:.1f} s.")
    raise typer.Exit(0 if report.ok else NOT_ALL_STORED)


def _session(token_file: Path | None, base_url: str | None, per_minute: int) -> Session:
    token = None
    if token_file is not None:
        token = token_file.read_bytes().decode("ascii", "replace").strip()
        if not token:
            raise ValueError(f"{token_file} holds no token")
    return Session(token, base_url=base_url, limits=RateLimits(per_minute=per_minute, reserve=0))


@contextmanager
def _refusals() -> Iterator[None]:
    """One line instead of a traceback, and the exit code that says whose fault it was."""
    try:
        yield
    except PlanhatError as error:
        raise _ended(UNUSABLE, error, error) from None
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said there, not even at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(128 + signal.SIGPIPE) from None
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        raise _ended(WRONG_USAGE, error, said) from None
    except (ValueError, MissingExtraError) as error:
        raise _ended(WRONG_USAGE, error, error) from None
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise _ended(INTERRUPTED, error, "interrupted") from None


def _ended(code: int, error: BaseException, said: object) -> typer.Exit:
    """Say what went wrong, and what was noted about it on the way."""
    console.complain(said)
    for note in getattr(error, "__notes__", ()):
        console.tell(note)
    return typer.Exit(code)


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run it in an event loop of its own; SIGTERM ends it as SIGINT does."""

    async def stoppable() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    return asyncio.run(stoppable())
