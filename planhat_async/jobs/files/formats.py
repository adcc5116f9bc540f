"""The formats of files of records."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Format = Literal["csv", "jsonl", "parquet"]
SourceFormat = Literal["csv", "json", "jsonl", "parquet", "ids"]
"""`ids` is one `_id` on a line; JSON in every form is read under both of its names."""

SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Suffixes of file names and the formats that they imply."""
SOURCE_SUFFIXES: dict[str, SourceFormat] = {**SUFFIXES, ".json": "json"}
"""The same for files that are read."""
PARQUET_IS_MISSING = "Parquet needs one more package: pip install 'planhat-async[parquet]'"


def implied_format(path: Path) -> SourceFormat | None:
    """The format of a source that its suffix implies, also below `.gz`."""
    is_packed = path.suffix.lower() == ".gz"
    return SOURCE_SUFFIXES.get((path.with_suffix("") if is_packed else path).suffix.lower())


def key_format(path: Path) -> SourceFormat | None:
    """The same for a file of keys: `ids` for standard input, a text, and a name without a suffix."""
    is_packed = path.suffix.lower() == ".gz"
    is_text = (path.with_suffix("") if is_packed else path).suffix.lower() in {"", ".txt"}
    return "ids" if is_text else implied_format(path)
