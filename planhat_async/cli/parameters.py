"""The parameters that commands share."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer

from planhat_async._http.host_window import IS_SUPPORTED
from planhat_async._http.pace import RateLimits
from planhat_async._http.shared_pace import MAX_SHARED_PER_MINUTE
from planhat_async._http.window_choice import HOST, NONE
from planhat_async.batching.upsert_run import ChunkOptions
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.formats import SourceFormat
from planhat_async.jobs.files.location import is_url
from planhat_async.jobs.files.row_fitter import FileMapping
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.mapping_file import MappingFile
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

if TYPE_CHECKING:
    ListedModel: TypeAlias = str
    UpsertedModel: TypeAlias = str
    AnyModel: TypeAlias = str
    DeletedModel: TypeAlias = str
else:  # typer offers choices for enumerations only
    ListedModel, UpsertedModel, AnyModel, DeletedModel = (
        StrEnum("Model", {name: name for name in found}) for found in (LISTED, UPSERTED, ALL_MODELS, DELETED)
    )


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


SourceFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="CSV, JSON, JSONL, Parquet or Excel; texts also compressed (.gz .bz2 .xz .zst .zip). - is standard input. "
        "Also a URL: https://, s3://, gs://, and others that fsspec knows.",
    ),
]
Sheet = Annotated[str | None, typer.Option(metavar="NAME", help="The sheet of an Excel file; by default the first.")]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN|FILE.toml",
        help="The column of a field, once for each field, or a file with a mapping; other columns are then ignored.",
    ),
]
Constants = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A value for all rows.")]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="FIELD=TYPE",
        help=f"How a field's values are read: {', '.join(READERS)}.",
    ),
]
TimeZone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="The zone of times that have none, such as Europe/Berlin.")
]
ListSeparator = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What separates the items of a list in one cell; by default a comma.")
]
DecimalComma = Annotated[bool, typer.Option("--decimal-comma", help="Numbers in texts are written as 1200,50.")]
InputFormat = Annotated[
    SourceFileFormat | None,
    typer.Option("--format", help="By default the file's suffix; json and jsonl both read lines, lists and objects."),
]
Encoding = Annotated[
    str, typer.Option(help="The encoding of CSV or JSON, such as cp1252; a byte order mark takes precedence.")
]
EmptyNulls = Annotated[
    bool,
    typer.Option("--empty-nulls", help="Let an empty cell or a null empty its field, instead of leaving it alone."),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="The character between the columns of CSV; tab means a tab. By default the header shows which of "
        ", ; tab | it is.",
    ),
]
Escape = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="The character before quotes within cells of CSV; backslash means a backslash. By default these quotes "
        "are doubled.",
    ),
]
TokenFile = Annotated[Path | None, typer.Option(help="A file with the token, instead of PLANHAT_API_TOKEN.")]
BaseUrl = Annotated[str | None, typer.Option(help="Planhat's URL in your region, instead of PLANHAT_BASE_URL.")]
PerMinute = Annotated[int, typer.Option(min=1, help=f"Calls a minute; Planhat's own limit is {DEFAULT_PER_MINUTE}.")]
Shared = Annotated[
    str | None,
    typer.Option(
        metavar="host|none|URL",
        help="Who shares the calls a minute: all processes of this user on this machine (the default), none, or all "
        "that name the same Redis (redis://HOST). Instead of PLANHAT_SHARED_PACE.",
    ),
]
CaFile = Annotated[
    Path | None, typer.Option(metavar="FILE.pem", help="Certificates of issuers to trust besides the system's.")
]
Concurrency = Annotated[int, typer.Option(min=1, max=50, help="Calls in flight at once.")]


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
