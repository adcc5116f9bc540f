"""The formats of files of records."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from planhat_async.jobs.files.compression import below_compression

Format = Literal["csv", "jsonl", "parquet"]
SourceFormat = Literal["csv", "json", "jsonl", "parquet", "excel", "ids"]
"""`ids` is one `_id` on a line; JSON in every form is read under both of its names."""

SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Suffixes of file names and the formats that they imply."""
EXCEL_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
"""Suffixes of workbooks, which are read only."""
SOURCE_SUFFIXES: dict[str, SourceFormat] = {
    **SUFFIXES,
    ".json": "json",
    ".tsv": "csv",
    ".tab": "csv",
    **dict.fromkeys(EXCEL_SUFFIXES, "excel"),
}
"""Suffixes of files to be read: in some CSV a tab separates the columns."""
PARQUET_IS_MISSING = "Parquet needs one more package: pip install 'planhat-async[parquet]'"
EXCEL_IS_MISSING = "Excel needs one more package: pip install 'planhat-async[excel]'"


def implied_format(path: PurePath) -> SourceFormat | None:
    """The format that a file's suffix implies, also below that of a compression."""
    return SOURCE_SUFFIXES.get(below_compression(path).suffix.lower())


def implied_delimiter(path: PurePath) -> str | None:
    """The separator of columns that a file's suffix implies: a tab, or none."""
    return "\t" if below_compression(path).suffix.lower() in {".tsv", ".tab"} else None


def key_format(path: PurePath) -> SourceFormat | None:
    """The same for a file of keys: `ids` for standard input, a text, and a name without a suffix.

    `None` for a zip archive, whose file has a name of its own.
    """
    suffix = below_compression(path).suffix.lower()
    is_text = suffix == ".txt" or (not suffix and path.suffix.lower() != ".zip")
    return "ids" if is_text else implied_format(path)
