"""`planhat-async upsert`: writes the rows of a file to Planhat."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from planhat_async.cli import console
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.interruptions import CUT_OFF, ENDED_EARLY, Interrupted, code_of, how_to_resume, interruptible
from planhat_async.cli.job_display import follow
from planhat_async.cli.number_options import seconds_of, whole_number
from planhat_async.cli.parameters import (
    DEFAULT_PER_MINUTE,
    DEFAULTS,
    PACE,
    UPSERTED,
    BaseUrl,
    CaFile,
    Concurrency,
    Constants,
    DecimalComma,
    Delimiter,
    EmptyNulls,
    Encoding,
    Escape,
    InputFormat,
    ListSeparator,
    Maps,
    PerMinute,
    Shared,
    Sheet,
    SourceFile,
    TimeZone,
    TokenFile,
    Types,
    UpsertedModel,
    mapping_of,
    refuse_alone,
    refuse_urls,
    session_for,
    source_of,
)
from planhat_async.cli.plan_display import show_plan
from planhat_async.cli.run_log import log
from planhat_async.cli.signals import run
from planhat_async.cli.state_tokens import token_checked
from planhat_async.errors import PlanhatError
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.threaded_source import ThreadedSource
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.journal_file import JournalError, files_of
from planhat_async.jobs.nightly.state_owner import StateError
from planhat_async.jobs.plan import plan_upsert
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError, UnknownColumnsError
from planhat_async.jobs.upsert_job import JobCost, JobOptions, UpsertJob
from planhat_async.repositories import UpsertOptions
from planhat_async.session import Session

_JOURNAL, _CHANGED = "Journal and lost answers", "Nightly runs"


def upsert(
    model: UpsertedModel,
    file: SourceFile,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all rows, and show what would be sent. Sends nothing.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(metavar="JOB.db", help="Record every call, so that the same command resumes the job."),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Copy the rows to be corrected, with the reasons, to this file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    map_: Maps = None,
    set_: Constants = None,
    type_: Types = None,
    time_zone: TimeZone = None,
    list_separator: ListSeparator = None,
    decimal_comma: DecimalComma = False,
    empty_nulls: EmptyNulls = False,
    format_: InputFormat = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    escape: Escape = None,
    sheet: Sheet = None,
    changed_only: Annotated[
        Path | None,
        typer.Option(
            "--changed-only",
            metavar="STATE",
            help="Send only rows that differ from those that earlier jobs with this file have stored.",
            rich_help_panel=_CHANGED,
        ),
    ] = None,
    same_tenant: Annotated[
        bool,
        typer.Option(
            "--same-tenant",
            help="Use a STATE that was written with another token of the same tenant.",
            rich_help_panel=_CHANGED,
        ),
    ] = False,
    verify_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="After a lost answer, look for the rows in Planhat by this field, whose values must be unique. Repeat "
            "it for several fields.",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    verify_wait: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", parser=seconds_of(0), help="Wait before the second look.", rich_help_panel=_JOURNAL
        ),
    ] = DEFAULTS.verify_wait,
    resend_unknown: Annotated[
        bool,
        typer.Option(
            "--resend-unknown",
            help="Send rows whose answer was lost again, although Planhat may then store them twice.",
            rich_help_panel=_JOURNAL,
        ),
    ] = False,
    keep_values: Annotated[
        bool,
        typer.Option(
            "--keep-values",
            help="Keep keys, and the values that reasons quote, in the journal.",
            rich_help_panel=_JOURNAL,
        ),
    ] = False,
    chunk_size: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(1, DEFAULTS.chunk_size),
            help=f"Rows per call, 1 to {DEFAULTS.chunk_size:,}.",
            rich_help_panel=PACE,
        ),
    ] = DEFAULTS.chunk_size,
    concurrency: Concurrency = DEFAULTS.concurrency,
    per_minute: PerMinute = DEFAULT_PER_MINUTE,
    shared: Shared = None,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
    ca_file: CaFile = None,
) -> None:
    """Create or update a record for every row of a file.

    Keys. A row with a key updates the record with the same key, or creates it, and can be sent any number of times.
    Keys are id, and source_id or external_id where the model has them. A row without a key is always created.

    Columns. Without --map, every column must be a field: source_id or sourceId, custom.NAME for a custom field. In
    JSON and Parquet, requester.email reaches into objects. An export can be edited and sent back as it is: columns that
    Planhat fills in are then left out.

    Values. They are read by the types of their fields; custom fields get what the file holds. Times without a zone
    need --time-zone, and numbers that are times need --type. A mapping file can do more, such as the form of dates.

    Jobs. With --journal, the same command resumes after any interruption and sends no answered row again. The first
    Ctrl-C finishes the calls in flight, the second stops at once. Never resume from an older copy of a journal: rows
    without a key would be stored twice.

    Nightly runs. With --changed-only, a row is skipped if a row with the same key and the same bytes was stored last.
    Use one STATE for one kind of file, and a new journal each night. Changes that others make in Planhat are not
    noticed: delete STATE to send everything again.

    New journals, states and files of rejects are readable by their owner only.
    """
    with refusals():
        refuse_urls(**{"--journal": journal, "--rejects": rejects, "--changed-only": changed_only})
        if changed_only is None:
            refuse_alone("--changed-only", **{"--same-tenant": same_tenant})
        if journal is None:
            refuse_alone("--journal", **{"--resend-unknown": resend_unknown, "--keep-values": keep_values})
        if not verify_by:
            refuse_alone("--verify-by", **{"--verify-wait": verify_wait != DEFAULTS.verify_wait})
        repository = UPSERTED[model]
        mapping = mapping_of(
            repository.model.record,
            map_,
            set_,
            types=type_,
            time_zone=time_zone,
            list_separator=list_separator,
            decimal_comma=decimal_comma,
            empty_nulls=empty_nulls,
        )
        source = source_of(
            file,
            mapping,
            format_=None if format_ is None else format_.value,
            encoding=encoding,
            delimiter=delimiter,
            escape=escape,
            sheet=sheet,
        )
        source.has_report = dry_run
        try:
            source.check_beginning()
        except UnknownColumnsError as error:
            command = f"planhat-async mapping {model} {shlex.quote(source.location.name)} -o mapping.toml"
            raise SourceError(f"{error}: propose a mapping file with {command}") from None
        options: UpsertOptions = {"chunk_size": chunk_size, "verify_by": verify_by or (), "verify_wait": verify_wait}
        if dry_run:
            session = Session("none", base_url=base_url)  # sends nothing
            plan = run(
                plan_upsert(
                    repository(session),
                    source,
                    journal=journal,
                    resend_unknown=resend_unknown,
                    changed_only=changed_only,
                    **options,
                )
            )
            show_plan(plan, repository.model, source.remarks, per_minute=per_minute, as_json=as_json)
            sys.stdout.flush()
            raise typer.Exit(NOT_ALL_STORED if plan.result.invalid else 0)
        session = session_for(token_file, base_url, per_minute, shared, ca_file)
        job_options: JobOptions = {
            **options,
            "concurrency": concurrency,
            "resend_unknown": resend_unknown,
            "keep_values": keep_values,
            "changed_only": changed_only,
            "same_tenant": same_tenant,
        }
        rows = ThreadedSource(source, source.description(), source.lookups) if source.waits else source
        in_use = [*(() if journal is None else files_of(journal)), *(() if changed_only is None else (changed_only,))]
        with Rejects(source, rejects, *in_use, journal=journal) if rejects else nullcontext() as rejected:
            job = UpsertJob(repository(session), rows, journal=journal, **job_options)
            code = _carry_out(session, job, source, rejected, model=repository.model.name, as_json=as_json)
    raise typer.Exit(code)


def _carry_out(
    session: Session, job: UpsertJob, source: FileSource, rejects: Rejects | None, *, model: str, as_json: bool
) -> int:
    """Run a job, show its result, and copy rejected rows; returns the exit code."""
    error, cost = run(_upsert(session, job, source, rejects, model=model))
    ended_by = job.result.stopped_by or error or job.result.unanswered
    if as_json:
        console.print_json(job.result, cost, seconds=cost.seconds, ended_by=ended_by, remarks=source.remarks)
    if log.shows_result(as_json=as_json):
        console.show_result(job.result, seconds=cost.seconds, ended_by=ended_by, remarks=source.remarks)
    sys.stdout.flush()
    if rejects is not None and rejects.n_rows:
        copy_rejects(rejects, ended_by, is_input_unusable=isinstance(error, SourceError), has_journal=job.has_journal)
    elif job.has_journal and isinstance(ended_by, PlanhatError | Interrupted):
        console.warn(f"{how_to_resume(ended_by)} to resume")
    return code_of(ended_by, is_ok=job.result.ok)


def copy_rejects(
    rejects: Rejects, ended_by: BaseException | None, *, is_input_unusable: bool, has_journal: bool
) -> None:
    """Copy rejected rows, and say which rows are missing from the copy.

    An input that has changed may have other rows at their positions; of a damaged one those before the damage are
    copied.
    """
    n_rows, is_one = in_words(rejects.n_rows, "row"), rejects.n_rows == 1
    not_copied = f"{n_rows} to be corrected {'was' if is_one else 'were'} not copied"
    if is_input_unusable and not rejects.has_input:
        console.warn(f"{not_copied}: the input has changed")
        return
    try:
        rejects.write()
    except SourceError as error:
        if not is_input_unusable:
            raise
        console.warn(f"{not_copied}: {error}")
        return
    except OSError as error:
        again = ": make room, and run the same command again" if has_journal else ""
        error.add_note(f"{not_copied}{again}")
        raise
    console.warn(f"{n_rows} to be corrected {'is' if is_one else 'are'} in {rejects.path}")
    can_replace = has_journal and _noted(rejects)
    if rejects.remark is not None:
        console.warn(f"{rejects.path}: {rejects.remark}")
    if isinstance(ended_by, JournalError) or is_input_unusable:
        console.warn("rows that this run did not reach are not in it")
    elif ended_by is not None and has_journal:
        move = "" if can_replace else "move it away, and "
        console.warn(f"rows that no run has reached are not in it: {move}{how_to_resume(ended_by)}")


def _noted(rejects: Rejects) -> bool:
    """Note in the journal that a file was written; returns whether the next run may replace it."""
    try:
        rejects.note()
    except (JournalError, OSError):
        return False  # it is kept, as any file that the journal does not know
    return True


async def _upsert(
    session: Session, job: UpsertJob, source: FileSource, rejects: Rejects | None, *, model: str
) -> tuple[BaseException | None, JobCost]:
    """Run the job and collect its rejects; returns the error or interruption that ended it early, and its cost."""
    started = time.monotonic()
    ended_by: BaseException | None = None
    with interruptible(job) as signals:
        try:
            async with session, token_checked(session), job:
                await follow(session, job, source, rejects, model=model)
            if signals and not job.is_done:
                ended_by = Interrupted(ENDED_EARLY)
        except asyncio.CancelledError:
            ended_by = None if job.is_done else Interrupted(CUT_OFF)
        except (JournalError, StateError) as error:
            if not job.has_begun:
                raise
            ended_by = error
        except (OSError, SourceError) as error:
            ended_by = error
    if job.begins_state:
        console.tell("there was no state of earlier jobs: no row was skipped")
    if rejects is not None:
        for chunk in job.unseen:
            rejects.add(chunk)
        # A journal in error may be about other rows.
        for entry in () if isinstance(ended_by, JournalError) else job.earlier:
            rejects.add_earlier(entry)
    return ended_by, job.cost(seconds=time.monotonic() - started)
