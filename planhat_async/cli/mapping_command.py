"""`planhat-async mapping`: a mapping file for the columns of a file."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Annotated

import typer

from planhat_async.cli import console
from planhat_async.cli.exit_codes import refusals
from planhat_async.cli.parameters import (
    UPSERTED,
    Delimiter,
    Encoding,
    Escape,
    InputFormat,
    Sheet,
    SourceFile,
    UpsertedModel,
    names_mapping_file,
    refuse_missing_folder,
    refuse_urls,
    source_of,
)
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.mapping.column_names import ColumnNames
from planhat_async.jobs.mapping.mapping_proposal import MappingProposal
from planhat_async.jobs.source_error import SourceError
from planhat_async.results import Unreadable

_MAX_ROWS = 1000


def mapping(
    model: UpsertedModel,
    file: SourceFile,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.toml", help="The file to write. [default: standard output]"),
    ] = None,
    format_: InputFormat = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    escape: Escape = None,
    sheet: Sheet = None,
) -> None:
    """Propose a mapping file for the columns of a file.

    Check and complete the proposal, then give it to upsert with --map. A column with the name of a field is mapped;
    case, spaces, underscores and hyphens do not matter. A similar name, a name that other systems use, or values that
    fit only one field lead to a guess, which is marked. All other columns are comments for you to complete.

    The first 1,000 rows show how dates, numbers and lists are written. Objects of JSON become columns such as
    requester.email. An existing file is not overwritten.
    """
    with refusals():
        refuse_urls(**{"--output": output})
        if output is not None:
            _check_output(output)
        found = ColumnNames()
        source = source_of(
            file,
            found,
            format_=None if format_ is None else format_.value,
            encoding=encoding,
            delimiter=delimiter,
            escape=escape,
            sheet=sheet,
        )
        columns = columns_of(source, found)
        proposal = MappingProposal.of(UPSERTED[model].model, columns, found.samples)
        text = proposal.text().encode()
        if output is None:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
            return
        try:
            with output.open("xb") as out:
                out.write(text)
        except FileExistsError:
            raise _is_there(output) from None
        n_columns = in_words(len(proposal.columns), "column")
        guessed = f", {proposal.n_guessed} of them guessed" if proposal.n_guessed else ""
        console.tell(f"{len(proposal.fields)} of {n_columns} mapped{guessed}: check and complete {output}")


def columns_of(source: FileSource, found: ColumnNames) -> list[str]:
    """The columns of a source, which it collects; of JSON those of the first rows.

    Raises:
        SourceError: The file cannot be read, or has no columns.
    """
    rows = [*itertools.islice(source, _MAX_ROWS)]
    if not found.names:
        reasons = (f": {row.reason}" for row in rows if isinstance(row, Unreadable))
        raise SourceError(f"{source.location.name} has no columns to map{next(reasons, '')}")
    return found.names


def _check_output(path: Path) -> None:
    """Refuse a file that exists, or that `--map` would not take for a mapping file."""
    if path.is_dir():
        raise ValueError(f"{path} is a directory")
    if not names_mapping_file(path.name):
        raise ValueError(f"{path}: upsert --map needs a name that ends in .toml and has no =")
    if path.exists():
        raise _is_there(path)
    refuse_missing_folder(path)


def _is_there(path: Path) -> ValueError:
    return ValueError(f"{path} is there already: move it away, it may hold a mapping that you have completed")
