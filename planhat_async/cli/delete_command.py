"""`planhat-async delete`: deletes the records that a file names."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planhat_async.cli import console
from planhat_async.cli.deletion_display import print_deletion_json, show_deletion, show_deletion_plan
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.interruptions import CUT_OFF, ENDED_EARLY, Interrupted, code_of, how_to_resume, interruptible
from planhat_async.cli.job_display import follow_deletion
from planhat_async.cli.parameters import (
    DEFAULT_PER_MINUTE,
    DEFAULTS,
    DELETED,
    READING,
    BaseUrl,
    CaFile,
    Concurrency,
    DeletedModel,
    Delimiter,
    Encoding,
    Escape,
    PerMinute,
    Shared,
    Sheet,
    TokenFile,
    refuse_urls,
    session_for,
    source_of,
)
from planhat_async.cli.run_log import log
from planhat_async.cli.signals import run
from planhat_async.cli.upsert_command import copy_rejects
from planhat_async.errors import PlanhatError
from planhat_async.jobs.delete_job import DeleteJob, plan_delete
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.formats import key_format
from planhat_async.jobs.files.location import located
from planhat_async.jobs.files.threaded_source import ThreadedSource
from planhat_async.jobs.journal_file import JournalError, files_of
from planhat_async.jobs.mapping.key_column import KeyColumn
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.session import Session


class KeyFormat(StrEnum):
    """The formats of files of keys."""

    IDS = "ids"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    EXCEL = "excel"


def delete(
    model: DeletedModel,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="One _id per line, or CSV, JSON, JSONL, Parquet or Excel, also compressed; a URL; or - for standard "
            "input.",
        ),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete the records. Without it, nothing is sent.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only show what would be deleted, which is the default without --yes."),
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(metavar="JOB.db", help="Record every call, so that the same command resumes the job."),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Copy the invalid and rejected rows, with the reasons, to this file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="id=COLUMN",
            help="The column that holds the _id. [default: _id or id]",
            rich_help_panel=READING,
        ),
    ] = None,
    format_: Annotated[
        KeyFormat | None,
        typer.Option(
            "--format",
            metavar="|".join(KeyFormat),
            help="The format of the file; `ids` is one _id per line. [default: by the ending of its name; ids for "
            ".txt, no ending and standard input]",
            rich_help_panel=READING,
        ),
    ] = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    escape: Escape = None,
    sheet: Sheet = None,
    concurrency: Concurrency = DEFAULTS.concurrency,
    per_minute: PerMinute = DEFAULT_PER_MINUTE,
    shared: Shared = None,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
    ca_file: CaFile = None,
) -> None:
    """Delete the records whose _id is in a file, permanently.

    Without --yes, the command only shows what it would delete. Planhat deletes by _id only: rows with any other key are
    invalid and not sent. Other columns are ignored. The whole file is read before the first record is deleted. A record
    that no longer exists is not a failure.

    With --journal, the same command resumes after any interruption and deletes no record twice. The first Ctrl-C
    finishes the calls in flight, the second stops at once. The journal holds the _ids, and is readable by its owner
    only.
    """
    with refusals():
        if yes and dry_run:
            raise ValueError("--yes deletes and --dry-run only shows what would be deleted: leave one of them out")
        repository = DELETED[model]
        refuse_urls(**{"--journal": journal, "--rejects": rejects})
        column = KeyColumn.parse(map_ or [])
        location = located(file)
        format_name = key_format(location.path) if format_ is None else format_.value
        if format_name == "ids" and map_:
            raise SourceError(f"--map names a column, and {location.name} is read as one _id per line: say --format")
        source = source_of(
            file, column, format_=format_name, encoding=encoding, delimiter=delimiter, escape=escape, sheet=sheet
        )
        source.check_beginning()
        rows = ThreadedSource(source, source.description())
        if not yes:
            session = Session("none", base_url=base_url)  # sends nothing
            plan = run(plan_delete(repository(session), rows, journal=journal))
            show_deletion_plan(plan, per_minute=per_minute, as_json=as_json, is_dry_run=dry_run, remarks=source.remarks)
            sys.stdout.flush()
            raise typer.Exit(NOT_ALL_STORED if plan.invalid else 0)
        session = session_for(token_file, base_url, per_minute, shared, ca_file)
        in_use = () if journal is None else files_of(journal)
        with Rejects(source, rejects, *in_use, journal=journal) if rejects else nullcontext() as rejected:
            job = DeleteJob(
                repository(session),
                rows,
                journal=journal,
                concurrency=concurrency,
                on_problem=rejected.add_problem if rejected else bool,
            )
            code = _carry_out(session, job, source, rejected, model=repository.model.name, as_json=as_json)
    raise typer.Exit(code)


def _carry_out(
    session: Session, job: DeleteJob, source: FileSource, rejects: Rejects | None, *, model: str, as_json: bool
) -> int:
    """Run a job, show its result, and copy rejected rows; returns the exit code."""
    started = time.monotonic()
    error = run(_delete(session, job, model))
    cost = job.cost(seconds=time.monotonic() - started)
    ended_by = job.result.stopped_by or error or job.result.unanswered
    if as_json:
        print_deletion_json(job.result, cost, ended_by=ended_by, remarks=source.remarks)
    if log.shows_result(as_json=as_json):
        show_deletion(job.result, seconds=cost.seconds, ended_by=ended_by, remarks=source.remarks)
        if job.was_done_before:
            console.tell("nothing was left to do: the outcomes and the time are those of earlier runs")
    sys.stdout.flush()
    if rejects is not None and rejects.n_rows:
        copy_rejects(rejects, ended_by, is_input_unusable=isinstance(error, SourceError), has_journal=job.has_journal)
    elif job.has_journal and isinstance(ended_by, PlanhatError | Interrupted):
        console.warn(f"{how_to_resume(ended_by)} to resume")
    return code_of(ended_by, is_ok=job.result.ok)


async def _delete(session: Session, job: DeleteJob, model: str) -> BaseException | None:
    """Run the job; returns the error or interruption that ended it early."""
    with interruptible(job, "the calls in flight") as signals:
        try:
            async with session:
                await follow_deletion(session, job, model=model)
        except asyncio.CancelledError:
            return None if job.is_done else Interrupted(CUT_OFF)
        except (JournalError, OSError, SourceError) as error:
            if not job.has_begun:
                raise
            return error
    return Interrupted(ENDED_EARLY) if signals and not job.is_done else None
