"""Whole lists into files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypedDict, Unpack

from planhat_async._convert import wire_path
from planhat_async.jobs.completion import wait_to_end
from planhat_async.jobs.export_checkpoint import ExportCheckpoint, read_checkpoint
from planhat_async.jobs.private_files import create_private, refuse_foreign, reopen_private
from planhat_async.jobs.writers import CsvWriter, JsonlWriter, RecordWriter
from planhat_async.records import Model, Record
from planhat_async.repositories import Lists

Format = Literal["csv", "jsonl", "parquet"]

_ROWS_A_REPORT = 1000


class MissingExtraError(ImportError):
    """A format needs a package that is not installed."""


class ExportOptions(TypedDict, total=False):
    """The options of listings that an export takes."""

    page_size: int | None
    """See `ListingOptions`."""
    concurrency: int
    """See `ListingOptions`."""


async def export_records(
    repository: Lists[Any],
    writer: RecordWriter,
    *,
    checkpoint: ExportCheckpoint | None = None,
    on_progress: Callable[[int], object] = lambda n_rows: None,  # noqa: ARG005 - the default does nothing
    **options: Unpack[ExportOptions],
) -> int:
    """Write all records of a model, in the order of their `_id`s; tasks that are archived come last.

    Slow writes (a row group of Parquet) run in a thread, so that the event loop stays responsive and pages keep
    arriving. The writer is closed only once the export is complete.

    Args:
        repository: Where the records are read.
        writer: Where they are written. Its file stays the caller's: see `whole_file`.
        checkpoint: How far an interrupted export has come; this one resumes after it.
        on_progress: Called with the number of records in the export, now and then.
        **options: See `ListingOptions`.

    Returns:
        Records in the export, those of the earlier one included.
    """
    begun = checkpoint or ExportCheckpoint()
    n_rows = begun.n_rows
    for listing in begun.listings():
        rows = repository.iter_json(**options, **listing)
        async with aclosing(rows):
            async for row in rows:
                writer.write(row)
                if writer.is_full:
                    await wait_to_end(asyncio.to_thread(writer.flush))  # until its end the file is in use
                n_rows += 1
                if n_rows % _ROWS_A_REPORT == 0:
                    on_progress(n_rows)
    await wait_to_end(asyncio.to_thread(writer.close))
    return n_rows


def writer_class(format: Format) -> Callable[[BinaryIO, type[Record]], RecordWriter]:  # noqa: A002 - its name elsewhere
    """A function that makes a writer of a format, given a file and a model.

    Raises:
        MissingExtraError: Parquet's package is not installed.
    """
    if format == "csv":
        return CsvWriter
    if format == "jsonl":
        return lambda out, _: JsonlWriter(out)
    try:
        from planhat_async.jobs.parquet import ParquetWriter  # noqa: PLC0415 - pyarrow is an extra, and slow to load
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise MissingExtraError("Parquet needs one more package: pip install 'planhat-async[parquet]'") from None
    return ParquetWriter


def format_of(path: Path | None) -> Format:
    """The format that a file's name implies; JSONL for standard output (`None`)."""
    match "" if path is None else path.suffix.lower():
        case ".csv":
            return "csv"
        case ".parquet":
            return "parquet"
        case _:
            return "jsonl"


def part_of(path: Path) -> Path:
    """Where an export to `path` is until it is complete."""
    path = path.resolve() if path.is_symlink() else path  # a link stays one
    return path.with_name(path.name + ".part")


def checkpoint_of(path: Path, model: Model) -> ExportCheckpoint:
    """How far an interrupted JSONL export to `path` has come; nothing is changed.

    Raises:
        ValueError: There is no file to resume, or not one of such an export.
        OSError: It cannot be read.
    """
    part = part_of(path)
    if not part.is_file():
        raise ValueError(f"there is no {part} to resume: leave out --resume")
    refuse_foreign(part)
    with part.open("rb") as lines:
        try:
            return read_checkpoint(lines, **_archive_of(model))
        except ValueError as error:
            raise ValueError(f"{part} is not part of such an export: {error}") from None


def _archive_of(model: Model) -> dict[str, Any]:
    """The options of `read_checkpoint` for a model: empty unless it declares a filter with separate lists."""
    for one in model.filters:
        if one.partition_field is not None:
            key = wire_path(model.record, one.partition_field)
            return {"has_archive": True, "archive_option": one.option, "archive_key": key}
    return {}


def refuse_to_overwrite(path: Path, *others: Path) -> None:
    """Refuse an output that is a file in use, by any of its names, or whose `.part` is.

    Raises:
        ValueError: The output would overwrite one of `others`.
    """
    for written in (path, part_of(path)):
        for other in others:
            if written.resolve() == other.resolve() or (
                written.exists() and other.exists() and written.samefile(other)
            ):
                raise ValueError(f"{path} would overwrite {other}: choose another name")


@contextmanager
def whole_file(path: Path, *, keep_bytes: int = 0) -> Iterator[BinaryIO]:
    """A file that gets its name only once it is complete; until then, or after a failure, it is `NAME.part`.

    It holds customers' data, so it is its owner's alone (mode 0600), or has the mode of the file it replaces.

    A device or a pipe is written to as it is.

    Args:
        path: Its name.
        keep_bytes: How much of a `NAME.part` stays; writing resumes after it.

    Raises:
        ValueError: The `NAME.part` to resume is a link or another user's.
        OSError: It is a directory, or cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    part = part_of(path)
    with reopen_private(part, like=path) if keep_bytes else create_private(part, like=path) as out:
        out.truncate(keep_bytes)
        out.seek(keep_bytes)
        yield out
        out.flush()
        os.fsync(out.fileno())
    part.replace(path.resolve() if path.is_symlink() else path)


@contextmanager
def part_named(path: Path, format: Format) -> Iterator[None]:  # noqa: A002 - its name elsewhere
    """Add to an exception where the interrupted export is, and how to resume it, unless nothing was read."""
    try:
        yield
    except BaseException as error:
        part = part_of(path)
        if part.is_file() and part.stat().st_size:
            is_resumable = format == "jsonl"
            how = "the same command with --resume goes on from there" if is_resumable else "only JSONL can be resumed"
            error.add_note(f"{part} holds what was read so far: {how}")
        raise
