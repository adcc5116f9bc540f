"""`planhat-async export`: writes the records of a model, or of all models, to files."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from planhat_async.cli import console
from planhat_async.cli.changes_export import export_changes, option_of_changes
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.export_display import print_exports, show_exports, tell_formulas
from planhat_async.cli.export_parameters import (
    ArchivedFlag,
    CompanyIds,
    CsvEncodingName,
    Delimiter,
    FieldNames,
    Filters,
    FormulaPolicy,
    SameTenant,
    Since,
    SnapshotState,
    Status,
    TypeName,
    given_filters,
    layout_for,
)
from planhat_async.cli.export_progress import followed_export
from planhat_async.cli.parameters import (
    DEFAULT_PER_MINUTE,
    DEFAULTS,
    LISTED,
    BaseUrl,
    CaFile,
    Concurrency,
    FileFormat,
    ListedModel,
    PerMinute,
    Shared,
    TokenFile,
    refuse_alone,
    refuse_missing_folder,
    refuse_urls,
    session_for,
)
from planhat_async.cli.run_log import log
from planhat_async.cli.signals import run
from planhat_async.errors import AuthenticationError
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.exports import checkpoint_of, export_records, writer_class
from planhat_async.jobs.files.dated_name import dated_name
from planhat_async.jobs.files.location import LocalFile, StandardInput, located
from planhat_async.jobs.files.output_name import OutputKind, output_kind
from planhat_async.jobs.files.packed_file import compressor_of, packed
from planhat_async.jobs.files.remote_file import RemoteFile
from planhat_async.jobs.files.whole_file import part_named, whole_file
from planhat_async.jobs.files.whole_upload import whole_upload
from planhat_async.jobs.files.writers import CsvLayout, ExportWriter
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.selection_record import selection_recorded
from planhat_async.jobs.tenant_export import ModelExport, TenantExport
from planhat_async.repositories import Lists
from planhat_async.session import Session

_HOW_TO_RESUME = "the same command with --resume leaves complete files as they are, and goes on"


def _folder(text: str) -> Path:
    """The folder of `--all`; an option in its place was not meant as one."""
    if text.startswith("-"):
        raise typer.BadParameter(f"{text} is an option, not a folder: say --all FOLDER")
    return Path(text)


def export(
    model: ListedModel = None,
    *,
    all_: Annotated[
        Path | None,
        typer.Option(
            "--all",
            metavar="FOLDER",
            parser=_folder,
            is_eager=True,  # before MODEL, which would be what comes after an option in place of the folder
            help="Export every model, each to a file in this folder.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A file or a URL. {date} and {time} in it become those of the run, in UTC. [default: standard output]",
        ),
    ] = None,
    format_: Annotated[
        FileFormat | None,
        typer.Option(
            "--format",
            metavar="|".join(FileFormat),
            help="The format. [default: by the ending of the name; jsonl without one]",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Continue an interrupted JSONL export; with --all, skip models that are complete."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --all, print the summary as one JSON object.")] = False,
    fields: FieldNames = None,
    filters: Filters = None,
    company_ids: CompanyIds = None,
    status: Status = None,
    type_: TypeName = None,
    archived: ArchivedFlag = None,
    since: Since = None,
    snapshot: SnapshotState = None,
    same_tenant: SameTenant = False,
    encoding: CsvEncodingName = None,
    delimiter: Delimiter = None,
    formulas: FormulaPolicy = None,
    concurrency: Concurrency = DEFAULTS.concurrency,
    per_minute: PerMinute = DEFAULT_PER_MINUTE,
    shared: Shared = None,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
    ca_file: CaFile = None,
) -> None:
    """Write the records of a model to a file, or those of all models to a folder.

    Formats. JSONL holds each record exactly as Planhat sent it. CSV and Parquet have a column for every field, and the
    column `extra` for everything else. Parquet needs planhat-async[parquet]. A name such as tickets.csv.gz also
    compresses (.gz, .bz2, .xz, .zst).

    Files. An export is called FILE.part until it is complete, and an upload begins once it is. New files are readable
    by their owner only. An interrupted export starts again; with --resume, an uncompressed JSONL file continues after
    its last complete record, if fields and filters are the same.

    Spreadsheets. Excel expects the encoding and the separator of your country: for accents give --encoding utf-8-sig,
    and in most of Europe --delimiter ";". It runs cells that begin like a formula: see --formulas.

    Nightly runs. With --since or --snapshot, each run exports what changed since the last one, to a file of a new name
    such as tasks-{date}.parquet. The state is replaced once the file is complete, so interrupted runs miss nothing.

    With --all, the files are FOLDER/MODEL.jsonl, or FOLDER/MODEL.csv and FOLDER/MODEL.parquet with --format. A model
    that the token may not read is skipped: the exit code is 1.
    """
    with refusals():
        given = given_filters(filters, company_ids=company_ids, status=status, type_=type_, archived=archived)
        refuse_urls(**{"--since": since, "--snapshot": snapshot})
        changes = option_of_changes(since, snapshot, same_tenant=same_tenant, all_=all_, resume=resume)
        if all_ is None:
            refuse_alone("--all", **{"--json": as_json})
            if model is None:
                raise ValueError("name the model to export, or all of them with --all FOLDER")
            selection = ExportSelection.parse(LISTED[model].model, fields=fields or (), filters=given)
            output = None if output is None else dated_name(output)
            location = _target(output)
            kind = output_kind(None if location is None else location.path, None if format_ is None else format_.value)
            layout = layout_for(FileFormat(kind.format), encoding=encoding, delimiter=delimiter, formulas=formulas)
            session = session_for(token_file, base_url, per_minute, shared, ca_file)
            if changes:
                export_changes(
                    session,
                    LISTED[model],
                    output,
                    since=since,
                    snapshot=snapshot,
                    is_warning=formulas is None,
                    selection=selection,
                    format=kind.format,
                    layout=layout,
                    same_tenant=same_tenant,
                    concurrency=concurrency,
                )
                return
            _export_model(
                session,
                LISTED[model],
                location,
                kind,
                selection=selection,
                layout=layout,
                is_warning=formulas is None,
                resumes=resume,
                concurrency=concurrency,
            )
            return
        refuse_urls(**{"--all": all_})
        _refuse_with_all(model, output, [*(["--fields"] if fields else []), *(place for place, _, _ in given)])
        chosen = format_ or FileFormat.JSONL
        tenant = TenantExport(
            session=session_for(token_file, base_url, per_minute, shared, ca_file),
            folder=Path(dated_name(str(all_))),
            format=chosen.value,
            layout=layout_for(chosen, encoding=encoding, delimiter=delimiter, formulas=formulas),
            resumes=resume,
            concurrency=concurrency,
        )
        is_whole = _export_tenant(tenant, as_json=as_json, is_warning=formulas is None)
    raise typer.Exit(0 if is_whole else NOT_ALL_STORED)


def _refuse_with_all(model: str | None, output: str | None, choices: list[str]) -> None:
    """Refuse what is for the export of one model."""
    if model is not None:
        raise ValueError(f"--all exports every model: leave out {model}, or --all")
    if output is not None:
        raise ValueError("--all names the folder of the files: leave out --output")
    if choices:
        raise ValueError(f"--all exports all records of every model: leave out {choices[0]}, or --all")


def _export_model(
    session: Session,
    repository: type[Lists[Any]],
    location: LocalFile | RemoteFile | None,
    kind: OutputKind,
    *,
    selection: ExportSelection,
    layout: CsvLayout,
    is_warning: bool,
    resumes: bool,
    concurrency: int,
) -> None:
    make_writer = writer_class(kind.format, fields=selection.fields, layout=layout)
    if kind.compression is not None:
        compressor_of(kind.compression.name)  # its package may be missing
    checkpoint = _resumed(location, kind, repository, selection) if resumes else ExportCheckpoint()
    with (
        _recorded(location, selection, is_resumed=resumes),
        _opened(location, kind, checkpoint) as out,
        packed(out, kind.compression) as content,
    ):
        writer = make_writer(content, repository.model.record)
        n_rows = run(_export(session, repository, writer, selection, checkpoint, concurrency=concurrency))
    exported = in_words(n_rows, repository.model.singular, repository.model.name)
    message = f"{exported} exported" + (f" to {location.name}" if location is not None else "")
    console.tell(message, event="exported", model=repository.model.name, records=n_rows)
    tell_formulas(writer.n_formulas, layout, is_warning=is_warning)


def _target(output: str | None) -> LocalFile | RemoteFile | None:
    """Where the export goes; `None` for standard output."""
    found = None if output is None else located(output)
    if isinstance(found, LocalFile):
        refuse_missing_folder(found.path)
    return None if isinstance(found, StandardInput) else found


def _resumed(
    location: LocalFile | RemoteFile | None,
    kind: OutputKind,
    repository: type[Lists[Any]],
    selection: ExportSelection,
) -> ExportCheckpoint:
    if location is None:
        raise ValueError("--resume needs a file: name it with --output")
    if not isinstance(location, LocalFile):
        raise ValueError("--resume needs a local file: nothing of an interrupted upload is left")  # noqa: TRY004
    if kind.format != "jsonl":
        raise ValueError(f"--resume works with JSONL, not with {kind.format}")
    if kind.compression is not None:
        raise ValueError(f"--resume does not work with {kind.compression.suffix}: what was written cannot be read on")
    return checkpoint_of(location.path, repository.model, selection)


def _recorded(
    location: LocalFile | RemoteFile | None, selection: ExportSelection, *, is_resumed: bool
) -> AbstractContextManager[None]:
    """What notes the selection beside the file, so that it is resumed with the same; an upload is not resumed."""
    if not isinstance(location, LocalFile):
        return nullcontext()
    return selection_recorded(location.path, selection, is_resumed=is_resumed)


@contextmanager
def _opened(
    location: LocalFile | RemoteFile | None, kind: OutputKind, checkpoint: ExportCheckpoint
) -> Iterator[BinaryIO]:
    if location is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif isinstance(location, LocalFile):
        is_resumable = kind == OutputKind("jsonl")
        path = location.path
        with part_named(path, is_resumable=is_resumable), whole_file(path, keep_bytes=checkpoint.n_bytes) as out:
            yield out
    else:
        with whole_upload(location) as out:
            yield out


async def _export(
    session: Session,
    repository: type[Lists[Any]],
    writer: ExportWriter,
    selection: ExportSelection,
    checkpoint: ExportCheckpoint,
    *,
    concurrency: int,
) -> int:
    name = repository.model.name
    with followed_export(session, name, total=None) as progress:
        progress.begin(name, checkpoint.n_rows)
        async with session, progress.shown():
            n_rows = await export_records(
                repository(session),
                writer,
                selection=selection,
                checkpoint=checkpoint,
                concurrency=concurrency,
                on_progress=progress.advance,
            )
            progress.advance(n_rows)
            return n_rows


def _export_tenant(tenant: TenantExport, *, as_json: bool, is_warning: bool) -> bool:
    """Export all models, and show the summary however that ends; returns whether no model was skipped."""
    writer_class(tenant.format)  # refused before anything is read
    if tenant.folder.exists() and not tenant.folder.is_dir():
        raise ValueError(f"--all {tenant.folder}: it is not a folder")
    refuse_missing_folder(tenant.folder)
    tenant.folder.mkdir(mode=0o700, exist_ok=True)
    ended: list[ModelExport] = []
    started = time.monotonic()
    stopped_by: BaseException | None = None
    try:
        run(_export_all(tenant, ended, is_quiet=not log.shows_result(as_json=as_json)))
    except BaseException as error:
        stopped_by = error
        if not isinstance(error, ValueError):
            is_refused = isinstance(error, AuthenticationError)
            error.add_note(f"{'once the token is correct, ' if is_refused else ''}{_HOW_TO_RESUME}")
        raise
    finally:
        stats, seconds = tenant.session.stats, time.monotonic() - started
        if as_json:
            print_exports(ended, stats, seconds=seconds, stopped_by=stopped_by)
        else:
            show_exports(ended, stats, seconds=seconds)
        tell_formulas(sum(one.n_formulas for one in ended), tenant.layout, is_warning=is_warning)
        sys.stdout.flush()
    return not any(one.refused for one in ended)


async def _export_all(tenant: TenantExport, ended: list[ModelExport], *, is_quiet: bool) -> None:
    """Export all models that have a list; says how each has ended."""
    with followed_export(tenant.session, "export", total=len(LISTED)) as progress:
        async with tenant.session, progress.shown():
            runs = tenant.run(LISTED.values(), on_progress=progress.begin)
            async with aclosing(runs):
                async for one in runs:
                    ended.append(one)
                    progress.end(one.name, one.n_records)
                    if one.refused:
                        console.warn(f"{one.name} skipped: {one.refused}", event="skipped")
                    elif one.n_records is not None and not is_quiet:
                        model = LISTED[one.name].model
                        message = f"{in_words(one.n_records, model.singular, model.name)} exported to {one.file}"
                        console.tell(message, event="exported", model=one.name, records=one.n_records)
