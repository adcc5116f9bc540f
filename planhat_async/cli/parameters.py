"""The parameters that commands share."""

from __future__ import annotations

import os
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from planhat_async._http.host_window import IS_SUPPORTED
from planhat_async._http.pace import RateLimits
from planhat_async._http.shared_pace import MAX_SHARED_PER_MINUTE
from planhat_async._http.window_choice import HOST, NONE
from planhat_async.batching.upsert_run import ChunkOptions
from planhat_async.cli.number_options import whole_number
from planhat_async.cli.usage_error import similar_to
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.formats import SourceFormat
from planhat_async.jobs.files.location import is_url
from planhat_async.jobs.files.row_fitter import FileMapping
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.mapping_file import MappingFile, refuse_swapped
from planhat_async.jobs.mapping.value_types import READERS
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import ALL
from planhat_async.records import Record
from planhat_async.repositories import Deletes, Lists, Repository, Upserts
from planhat_async.session import Session

DEFAULTS = ChunkOptions()
DEFAULT_PER_MINUTE = RateLimits().per_minute

C = TypeVar("C", bound=Repository[Any])


def repositories_with(capability: type[C]) -> dict[str, type[C]]:
    """The repositories that have a capability, by the names of their models."""
    every: tuple[type[Repository[Any]], ...] = ALL
    return {one.model.name: one for one in every if issubclass(one, capability)}


LISTED, UPSERTED, ALL_MODELS = repositories_with(Lists), repositories_with(Upserts), repositories_with(Repository)
DELETED = repositories_with(Deletes)


def model_argument(models: Collection[str], purpose: str, *, what: str) -> Any:
    """The argument MODEL, which must be one of `models`: those for which `what` is possible."""

    def checked(name: str) -> str:
        if name in models:
            return name
        if name in ALL_MODELS:
            raise typer.BadParameter(f"{name} cannot be {what}: planhat-async models says what each model can do")
        meant = similar_to(name, models)
        hint = f"did you mean {meant}?" if meant else "planhat-async models lists all"
        raise typer.BadParameter(f"there is no model {name!r}: {hint}")

    def completed(incomplete: str) -> list[str]:
        return [name for name in models if name.startswith(incomplete)]

    return typer.Argument(metavar="MODEL", help=purpose, parser=checked, autocompletion=completed)


ListedModel = Annotated[
    str | None,
    model_argument(
        LISTED,
        "The model, such as tickets: `planhat-async models` lists all. Leave it out with --all.",
        what="exported",
    ),
]
UpsertedModel = Annotated[
    str, model_argument(UPSERTED, "The model, such as tickets: `planhat-async models` lists all.", what="upserted")
]
DeletedModel = Annotated[
    str, model_argument(DELETED, "The model, such as tickets: `planhat-async models` lists all.", what="deleted")
]
AnyModel = Annotated[
    str, model_argument(ALL_MODELS, "The model, such as tickets: `planhat-async models` lists all.", what="listed")
]


class FileFormat(StrEnum):
    """The formats of export files."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class SourceFileFormat(StrEnum):
    """The formats of input files."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    EXCEL = "excel"


COLUMNS, READING = "Columns and values", "Reading the file"
SERVER, PACE = "Token and server", "Pace"
"""Titles of groups of options."""

SourceFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="CSV, JSON, JSONL, Parquet or Excel, also compressed (.gz, .bz2, .xz, .zst, .zip); a URL (https://, "
        "s3://, gs:// and others); or - for standard input.",
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The sheet of an Excel file. [default: the first]", rich_help_panel=READING),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN|FILE.toml",
        help="The column for a field; repeat it for each field. Or a mapping file, such as `planhat-async mapping` "
        "proposes. Other columns are then ignored.",
        rich_help_panel=COLUMNS,
    ),
]
Constants = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="The same value for every row; repeat it for each field.",
        rich_help_panel=COLUMNS,
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="FIELD=TYPE",
        help=f"How to read a field's values; repeat it for each field. Types: {', '.join(READERS)}.",
        rich_help_panel=COLUMNS,
    ),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE", help="The time zone of times that have none, such as Europe/Berlin.", rich_help_panel=COLUMNS
    ),
]
ListSeparator = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What separates the items of a list in one cell. [default: a comma]",
        rich_help_panel=COLUMNS,
    ),
]
DecimalComma = Annotated[
    bool, typer.Option("--decimal-comma", help="Numbers are written as 1200,50.", rich_help_panel=COLUMNS)
]
EmptyNulls = Annotated[
    bool,
    typer.Option(
        "--empty-nulls",
        help="An empty cell or a null empties its field. Without it, the field keeps its value.",
        rich_help_panel=COLUMNS,
    ),
]
InputFormat = Annotated[
    SourceFileFormat | None,
    typer.Option(
        "--format",
        metavar="|".join(SourceFileFormat),
        help="The format of the file. [default: by the ending of its name]",
        rich_help_panel=READING,
    ),
]
Encoding = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The encoding of CSV or JSON, such as cp1252. A byte order mark takes precedence.",
        rich_help_panel=READING,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="The character between the columns of CSV; `tab` is a tab. [default: one of , ; tab |, by the header]",
        rich_help_panel=READING,
    ),
]
Escape = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="The character before a quote within a cell of CSV; `backslash` is a backslash. [default: quotes are "
        "doubled]",
        rich_help_panel=READING,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel="Output")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A file with the API token. [default: PLANHAT_API_TOKEN]", rich_help_panel=SERVER
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The URL of Planhat's API in your region. [default: PLANHAT_BASE_URL, or https://api.planhat.com]",
        rich_help_panel=SERVER,
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.pem",
        help="Certificate authorities to trust in addition to the system's.",
        rich_help_panel=SERVER,
    ),
]
PerMinute = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number(1),
        help="Calls per minute. Planhat allows 200.",
        rich_help_panel=PACE,
    ),
]
Shared = Annotated[
    str | None,
    typer.Option(
        metavar="host|none|URL",
        help="Which processes share the calls per minute: all of this user on this machine (host), those that name the "
        "same Redis (redis://HOST), or none. [default: PLANHAT_SHARED_PACE, or host]",
        rich_help_panel=PACE,
    ),
]
Concurrency = Annotated[
    int,
    typer.Option(
        metavar="N", parser=whole_number(1, 50), help="Calls in flight at once, 1 to 50.", rich_help_panel=PACE
    ),
]


def source_of(
    file: str,
    mapping: FileMapping,
    *,
    format_: SourceFormat | None,
    encoding: str,
    delimiter: str | None,
    escape: str | None,
    sheet: str | None,
) -> FileSource:
    """The rows of the file, by these options."""
    return FileSource(
        file,
        mapping,
        format=format_,
        encoding=encoding,
        delimiter=delimiter,
        escape=escape,
        sheet=sheet,
    )


def session_for(
    token_file: Path | None, base_url: str | None, per_minute: int, shared: str | None, ca_file: Path | None
) -> Session:
    """The session for these options, through the proxy of the environment."""
    token = secret_in(token_file, "token")
    limits = RateLimits(per_minute=per_minute, reserve=0)
    return Session(
        token,
        base_url=base_url,
        limits=limits,
        shared=shared_choice(shared, per_minute),
        trust_env=True,
        ca_file=ca_file,
    )


def shared_choice(shared: str | None, per_minute: int = DEFAULT_PER_MINUTE) -> str:
    """The shared window: what the option says, or else the variable, or else the machine's, where there can be one."""
    can_share = IS_SUPPORTED and per_minute <= MAX_SHARED_PER_MINUTE
    return shared or os.environ.get("PLANHAT_SHARED_PACE") or (HOST if can_share else NONE)


def refuse_alone(needed: str, **given: bool) -> None:
    """Refuse options, by their names, that are given without the option they need."""
    for option, is_given in given.items():
        if is_given:
            raise ValueError(f"{option} needs {needed}: give that too")


def refuse_urls(**given: Path | None) -> None:
    """Refuse options, by their names, whose value is a URL but must be a local path."""
    for option, path in given.items():
        if path is not None and is_url(path):
            raise ValueError(f"{option} must be a local path, not a URL")


def refuse_missing_folder(path: Path) -> None:
    """Refuse an output whose folder does not exist; a link's folder is that of its target."""
    folder = (path.resolve() if path.is_symlink() else path).parent
    if not folder.is_dir():
        raise ValueError(f"{path}: there is no folder {folder}")


def secret_in(file: Path | None, name: str) -> str | None:
    """The secret in a file, if one is given."""
    if file is None:
        return None
    secret = file.read_bytes().decode("ascii", "replace").strip()
    if not secret:
        raise ValueError(f"{file} contains no {name}")
    return secret


def names_mapping_file(text: str) -> bool:
    """Whether a text after `--map` names a file, and is not a field and its column."""
    return "=" not in text and text.lower().endswith(".toml")


def mapping_of(
    record: type[Record],
    maps: list[str] | None,
    constants: list[str] | None,
    *,
    types: list[str] | None,
    time_zone: str | None,
    list_separator: str | None,
    decimal_comma: bool,
    empty_nulls: bool = False,
) -> FieldMapping:
    """The mapping by `--map`, which may name a TOML file, and by the options about values, which replace the file's."""
    files = [text for text in maps or () if names_mapping_file(text)]
    if len(files) > 1:
        raise SourceError(f"one mapping file at a time: {' and '.join(files)}")
    held = MappingFile.load(Path(files[0])) if files else MappingFile()
    refuse_swapped(held.columns, record)
    return FieldMapping.parse(
        record,
        maps=[text for text in maps or () if text not in files],
        constants=constants or (),
        columns=held.columns,
        values=held.constants,
        dates=held.dates,
        lookups=held.lookups,
        types=types or (),
        field_types=held.types,
        transforms=held.transforms,
        time_zone=held.time_zone if time_zone is None else time_zone,
        list_separator=held.list_separator if list_separator is None else list_separator,
        decimal_comma=held.decimal_comma or decimal_comma,
        empties_nulls=empty_nulls or held.null == "empty",
    )
