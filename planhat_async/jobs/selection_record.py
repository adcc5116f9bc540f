"""The selection of an interrupted export, recorded beside its `.part`, so that it is resumed with the same one only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from planhat_async._convert import decode_json, encode_json, printable
from planhat_async.errors import DecodeError
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.files.private_files import create_private
from planhat_async.jobs.files.whole_file import part_of


def record_of(path: Path) -> Path:
    """The path of the record for an export to `path`."""
    part = part_of(path)
    return part.with_name(part.name + ".selection")


def remove_part(path: Path) -> None:
    """Remove the incomplete file of an earlier export to `path`, and the record of its selection.

    The record goes last: without it, the incomplete file would count as one of all records and fields.
    """
    part_of(path).unlink(missing_ok=True)
    record_of(path).unlink(missing_ok=True)


@contextmanager
def selection_recorded(path: Path, selection: ExportSelection, *, is_resumed: bool) -> Iterator[None]:
    """Keep a record of the selection while an export writes to `path`; remove it once the export is complete.

    There is a record only if records or fields are selected.

    Args:
        path: The file of the export.
        selection: What it holds.
        is_resumed: Whether the incomplete file is kept, and so its record.

    Raises:
        OSError: The record cannot be written, or an earlier one cannot be removed.
    """
    if path.exists() and not path.is_file():  # a device or a pipe, which has no `.part`
        yield
        return
    record = record_of(path)
    is_selected = selection != ExportSelection()
    if not is_resumed and (is_selected or record.exists()):
        remove_part(path)
        if is_selected:
            with create_private(record, like=path) as out:
                out.write(encode_json(selection.description()))
    yield
    record.unlink(missing_ok=True)


def refuse_another_selection(path: Path, selection: ExportSelection) -> None:
    """Refuse to resume the export to `path` with another selection than it began with.

    Raises:
        ValueError: It began with another selection.
        OSError: The record cannot be read.
    """
    try:
        began_with = decode_json(record_of(path).read_bytes(), is_input=True)
    except FileNotFoundError:
        began_with = ExportSelection().description()
    except DecodeError:
        raise ValueError(f"{record_of(path)} is damaged: leave out --resume") from None
    if began_with != selection.description():
        raise ValueError(f"{part_of(path)} began {_in_words(began_with)}: give the same options, or leave out --resume")


def _in_words(description: Any) -> str:
    """The options of a recorded selection."""
    fields, filters = description.get("fields"), description.get("filters") or {}
    options = [f"--fields {','.join(fields)}"] if fields else []
    options += [f"--filter {name}={_as_text(value)}" for name, value in filters.items()]
    return printable(f"with {' '.join(options)}" if options else "without --fields and filters", 300)


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "any" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
