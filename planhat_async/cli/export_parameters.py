"""The parameters of `export` that choose records and fields, or say how CSV is written."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planhat_async.cli.parameters import FileFormat
from planhat_async.jobs.files.writers import CsvEncoding, CsvLayout

_DELIMITERS = {",": ",", ";": ";", "|": "|", "\t": "\t", "\\t": "\t", "tab": "\t"}
_ENCODINGS: dict[str, CsvEncoding] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8-sig",
    "utf8-sig": "utf-8-sig",
    "utf-16": "utf-16",
    "utf16": "utf-16",
}


class FormulaPolicyName(StrEnum):
    """What is done about texts that a spreadsheet would run."""

    KEEP = "keep"
    ESCAPE = "escape"


_SELECTION, _CSV, _CHANGES = "Records and fields", "CSV", "Changes since the last run"

FieldNames = Annotated[
    list[str] | None,
    typer.Option(
        "--fields",
        metavar="NAME,…",
        help="The fields to export, in this order; `planhat-async fields` lists them. custom.NAME is a custom field,"
        " and `all` is every documented field. The _id is always included, `extra` is not.",
        rich_help_panel=_SELECTION,
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="NAME=VALUE",
        help="Only records that match; repeat it for each filter. `planhat-async models` lists the filters of a model.",
        rich_help_panel=_SELECTION,
    ),
]
CompanyIds = Annotated[
    list[str] | None,
    typer.Option(
        "--company-id",
        metavar="KEY,…",
        help="Only records of these companies, by _id, extid-KEY or srcid-KEY.",
        rich_help_panel=_SELECTION,
    ),
]
Status = Annotated[
    list[str] | None,
    typer.Option("--status", metavar="STATUS", help="Only records with this status.", rich_help_panel=_SELECTION),
]
TypeName = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="TYPE", help="Only records of this type; for notes also `any`.", rich_help_panel=_SELECTION
    ),
]
ArchivedFlag = Annotated[
    bool | None,
    typer.Option(
        "--archived/--not-archived",
        help="Only archived records, or only those that are not. [default: both]",
        rich_help_panel=_SELECTION,
    ),
]
Since = Annotated[
    Path | None,
    typer.Option(
        "--since",
        metavar="STATE.json",
        help="Only records that changed since the run that wrote STATE.json. Planhat lists tasks, endusers and some"
        " others by the time of their last change. Deletions are not seen. The first run exports everything.",
        rich_help_panel=_CHANGES,
    ),
]
SnapshotState = Annotated[
    Path | None,
    typer.Option(
        "--snapshot",
        metavar="STATE",
        help="Only records that are new, changed or deleted since the run that wrote STATE; the column _change says"
        " which. Reads the whole list; STATE takes 20 bytes per record. The first run exports everything.",
        rich_help_panel=_CHANGES,
    ),
]
SameTenant = Annotated[
    bool,
    typer.Option(
        "--same-tenant",
        help="Use a STATE that was written with another token of the same tenant.",
        rich_help_panel=_CHANGES,
    ),
]
CsvEncodingName = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="utf-8, utf-8-sig or utf-16. Excel needs utf-8-sig to read more than plain English. [default: utf-8]",
        rich_help_panel=_CSV,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHARACTER",
        help="The character between cells: a comma, a semicolon, a bar or `tab`. [default: a comma]",
        rich_help_panel=_CSV,
    ),
]
FormulaPolicy = Annotated[
    FormulaPolicyName | None,
    typer.Option(
        "--formulas",
        metavar="keep|escape",
        help="What to do with texts that begin with = + - or @, which a spreadsheet may run. `escape` puts an"
        " apostrophe before them, which upsert would store. Numbers are never changed. [default: keep]",
        rich_help_panel=_CSV,
    ),
]


def given_filters(
    filters: Iterable[str] | None,
    *,
    company_ids: Iterable[str] | None,
    status: Iterable[str] | None,
    type_: Iterable[str] | None,
    archived: bool | None,
) -> list[tuple[str, str, str]]:
    """The filters of all options: the place for messages, the name and the text of each.

    Raises:
        ValueError: A `--filter` is not of the form NAME=VALUE.
    """
    given = []
    for text in filters or ():
        name, equals, value = text.partition("=")
        if not name.strip() or not equals:
            raise ValueError(f"--filter: {text!r} does not have the form NAME=VALUE")
        given.append((f"--filter {name.strip()}", name, value))
    given += [("--company-id", "company_id", text) for text in company_ids or ()]
    given += [("--status", "status", text) for text in status or ()]
    given += [("--type", "type", text) for text in type_ or ()]
    if archived is not None:
        given.append(("--archived" if archived else "--not-archived", "archived", str(archived).lower()))
    return given


def layout_for(
    format_: FileFormat,
    *,
    encoding: str | None,
    delimiter: str | None,
    formulas: FormulaPolicyName | None,
) -> CsvLayout:
    """How CSV is written by these options.

    Raises:
        ValueError: An option of CSV for another format, or an unknown encoding or delimiter.
    """
    options = {"--encoding": encoding, "--delimiter": delimiter, "--formulas": formulas}
    for option, value in options.items():
        if value is not None and format_ is not FileFormat.CSV:
            raise ValueError(f"{option} is for CSV, not for {format_.value}: leave it out, or give --format csv")
    named = (encoding or "utf-8").lower().replace("_", "-")
    if named not in _ENCODINGS:
        raise ValueError(f"--encoding must be utf-8, utf-8-sig or utf-16, which hold every text, not {encoding!r}")
    separator = "," if delimiter is None else delimiter
    if separator not in _DELIMITERS:
        raise ValueError(f"--delimiter must be a comma, a semicolon, a bar or tab, not {delimiter!r}")
    policy = formulas or FormulaPolicyName.KEEP
    return CsvLayout(encoding=_ENCODINGS[named], delimiter=_DELIMITERS[separator], formulas=policy.value)
