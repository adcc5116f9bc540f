"""Whole lists into files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, Unpack

from planhat_async.errors import MissingExtraError
from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.export_checkpoint import ExportCheckpoint, read_checkpoint
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.files.formats import PARQUET_IS_MISSING, Format
from planhat_async.jobs.files.private_files import refuse_foreign
from planhat_async.jobs.files.whole_file import part_of
from planhat_async.jobs.files.writers import CsvLayout, CsvWriter, ExportWriter, JsonlWriter
from planhat_async.jobs.selection_record import refuse_another_selection
from planhat_async.records import Model, Record
from planhat_async.repositories import Lists

_ROWS_PER_REPORT = 1000


class ExportOptions(TypedDict, total=False):
    """Options of an export, as in `ListingOptions`."""

    page_size: int | None
    concurrency: int


async def export_records(
    repository: Lists[Any],
    writer: ExportWriter,
    *,
    selection: ExportSelection | None = None,
    checkpoint: ExportCheckpoint | None = None,
    on_progress: Callable[[int], object] = lambda n_rows: None,  # noqa: ARG005 - the default does nothing
    **options: Unpack[ExportOptions],
) -> int:
    """Write the records of a model, in the order of their `_id`s; tasks that are archived come last.

    Slow writes (a row group of Parquet) run in a thread, so that the event loop stays responsive and pages keep
    arriving. The writer is closed only once the export is complete; its file stays open: see `whole_file`.

    Args:
        repository: The repository of the model.
        writer: Receives the records; it has the fields of the selection.
        selection: Which records to write, and which of their fields to fetch; by default all.
        checkpoint: Where an interrupted export is resumed.
        on_progress: Called with the number of records in the export, once per thousand.
        **options: See `ListingOptions`.

    Returns:
        The number of records in the export, including those before the checkpoint.
    """
    begun = checkpoint or ExportCheckpoint()
    listed = (selection or ExportSelection()).options(repository.model)
    if repository.model.limits is not None:  # else one call answers the whole list
        listed |= options
    n_rows = begun.n_rows
    for listing in begun.listings():
        rows = repository.iter_json(**{**listed, **listing})
        n_rows = await write_rows(rows, writer, n_before=n_rows, on_progress=on_progress)
    await wait_to_end(asyncio.to_thread(writer.close))
    return n_rows


async def write_rows(
    rows: AsyncGenerator[bytes, None],
    writer: ExportWriter,
    *,
    n_before: int = 0,
    on_progress: Callable[[int], object] = lambda n_rows: None,  # noqa: ARG005 - the default does nothing
) -> int:
    """Write the records that a generator yields, and close it; the writer stays open.

    Args:
        rows: The JSON of each record.
        writer: Receives the records.
        n_before: The number of records that it has received before.
        on_progress: Called with the number of records, once per thousand.

    Returns:
        The number of records, including those before.
    """
    n_rows = n_before
    async with aclosing(rows):
        async for row in rows:
            writer.write(row)
            if writer.is_full:
                await wait_to_end(asyncio.to_thread(writer.flush))  # until its end the file is in use
            n_rows += 1
            if n_rows % _ROWS_PER_REPORT == 0:
                on_progress(n_rows)
    return n_rows


def writer_class(
    format: Format,  # noqa: A002 - its name elsewhere
    *,
    fields: Sequence[str] = (),
    leading: Sequence[str] = (),
    layout: CsvLayout | None = None,
) -> Callable[[BinaryIO, type[Record]], ExportWriter]:
    """A function that makes a writer of a format, given a file and a model.

    Args:
        format: The format.
        fields: The fields of the records, as in `ExportSelection`; all if empty.
        leading: Columns of texts before them.
        layout: How CSV is written.

    Raises:
        MissingExtraError: Parquet's package is not installed.
    """
    if format == "csv":
        return partial(CsvWriter, fields=fields, leading=leading, layout=layout)
    if format == "jsonl":
        return lambda out, _: JsonlWriter(out, fields=fields, leading=leading)
    try:
        from planhat_async.jobs.files.parquet_writer import ParquetWriter  # noqa: PLC0415 - pyarrow is an extra, and slow to load
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise MissingExtraError(PARQUET_IS_MISSING) from None
    return partial(ParquetWriter, fields=fields, leading=leading)


def checkpoint_of(path: Path, model: Model, selection: ExportSelection | None = None) -> ExportCheckpoint:
    """How far an interrupted JSONL export to `path` has come; reads only.

    Raises:
        ValueError: There is no file to resume, it is not part of such an export, or it has another selection.
        OSError: It cannot be read.
    """
    part, selection = part_of(path), selection or ExportSelection()
    if not part.is_file():
        raise ValueError(f"there is no {part} to resume: leave out --resume")
    refuse_foreign(part)
    refuse_another_selection(path, selection)
    if model.limits is None:
        return ExportCheckpoint()  # one call answers the whole list: it is read again
    archive = selection.archive(model)
    with part.open("rb") as lines:
        try:
            return read_checkpoint(lines, archive=archive)
        except ValueError as error:
            raise ValueError(f"{part} is not part of such an export: {error}") from None
