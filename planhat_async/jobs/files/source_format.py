"""The format of a source and the options that it allows, by its name and its first bytes."""

from __future__ import annotations

from contextlib import closing
from pathlib import PurePath

from planhat_async.jobs.files.compression import HEAD_BYTES, compression_of
from planhat_async.jobs.files.csv_dialect import named_delimiter, named_escape
from planhat_async.jobs.files.formats import SOURCE_SUFFIXES, SourceFormat, implied_delimiter, implied_format
from planhat_async.jobs.files.location import Location
from planhat_async.jobs.files.steady_file import ReadAhead
from planhat_async.jobs.files.unpacked_file import name_in_zip
from planhat_async.jobs.source_error import SourceError

COPIED_AS: dict[SourceFormat, tuple[SourceFormat, ...] | None] = {
    "csv": ("csv",),
    "json": ("jsonl", "json"),
    "jsonl": ("jsonl", "json"),
    "parquet": ("parquet",),
    "excel": ("csv",),
    "ids": None,
}
"""The formats that the name of a copy may imply."""
BINARY = {"parquet": "Parquet", "excel": "Excel"}
"""Formats that are read from their end, so that they cannot be unpacked on the way."""


def refuse_packed(name: str, file: ReadAhead, format_: SourceFormat) -> None:
    """Refuse a file that is compressed.

    Raises:
        SourceError: It says so.
    """
    found = compression_of(file.peek(HEAD_BYTES)[:HEAD_BYTES])
    if found is not None and not (found.name == "zip" and format_ == "excel"):
        raise SourceError(_unpack_first(name, format_, found.name))


def _unpack_first(name: str, format_: SourceFormat, compression: str) -> str:
    return f"{name}: {BINARY[format_]} is read from its end, which {compression} does not allow: unpack it first"


def checked_format(location: Location, given: SourceFormat | None) -> SourceFormat:
    """The format that is given, or implied by the name, or by the name of the only file in a zip archive.

    Raises:
        SourceError: The name implies none, or the format cannot be read from it.
    """
    path, name = location.path, location.name
    found = given or implied_format(path)
    if found is None and location.is_read_once:
        raise SourceError("say how standard input is written, with --format csv or --format jsonl")
    if found is None and path.suffix.lower() == ".zip":
        location.look_up()
        with location.opened() as raw, closing(ReadAhead(raw)) as file:
            found = implied_format(PurePath(name_in_zip(name, file)))
    if found is None:
        raise SourceError(f"{name}: the name must end in {', '.join(SOURCE_SUFFIXES)}, or the format be given")
    if found in BINARY and location.is_read_once:
        raise SourceError(f"{BINARY[found]} is read from its end, which standard input does not allow: name a file")
    if found in BINARY and path.suffix.lower() == ".zip":
        raise SourceError(_unpack_first(name, found, "zip"))
    return found


def dialect_options(
    format_: SourceFormat, location: Location, delimiter: str | None, escape: str | None
) -> tuple[str | None, str | None]:
    """The separator and the escape character of CSV, as given or implied by the path.

    Raises:
        SourceError: They are not characters for that, are the same, or the format is another one.
    """
    given = [name for name, one in (("--delimiter", delimiter), ("--escape", escape)) if one is not None]
    if format_ != "csv":
        if given:
            raise SourceError(f"{given[0]} is for CSV, and {location.name} is read as {format_}")
        return None, None
    try:
        separator = implied_delimiter(location.path) if delimiter is None else named_delimiter(delimiter)
        escaping = None if escape is None else named_escape(escape)
    except ValueError as error:
        raise SourceError(str(error)) from None
    if separator is not None and separator == escaping:
        raise SourceError("--delimiter and --escape are the same character")
    return separator, escaping
