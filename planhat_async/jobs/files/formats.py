"""The formats of files of records."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Format = Literal["csv", "jsonl", "parquet"]
SourceFormat = Literal["csv", "json", "jsonl", "parquet", "ids"]
"""`ids` is one `_id` on a line; JSON in every form is read under both of its names."""

SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Suffixes of file names and the formats that they imply."""
SOURCE_SUFFIXES: dict[str, SourceFormat] = {**SUFFIXES, ".json": "json", ".tsv": "csv", ".tab": "csv"}
"""The same for files to be read: in some CSV a tab separates the columns."""
PARQUET_IS_MISSING = "Parquet needs one more package: pip install 'planhat-async[parquet]'"


def implied_format(path: Path) -> SourceFormat | None:
    """The format of a source that a file's suffix implies, also below `.gz`."""
    return SOURCE_SUFFIXES.get(_own_suffix(path))


def implied_delimiter(path: Path) -> str | None:
    """The separator of columns that a file's suffix implies: a tab, or none."""
    return "\t" if _own_suffix(path) in {".tsv", ".tab"} else None


def key_format(path: Path) -> SourceFormat | None:
    """The same for a file of keys: `ids` for standard input, a text, and a name without a suffix."""
    return "ids" if _own_suffix(path) in {"", ".txt"} else implied_format(path)


def _own_suffix(path: Path) -> str:
    """The suffix in lower case, below `.gz`."""
    is_packed = path.suffix.lower() == ".gz"
    return (path.with_suffix("") if is_packed else path).suffix.lower()
