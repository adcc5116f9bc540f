"""The formats of files of records."""

from __future__ import annotations

from typing import Literal

Format = Literal["csv", "jsonl", "parquet"]

SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Suffixes of file names and the formats that they imply."""
PARQUET_IS_MISSING = "Parquet needs one more package: pip install 'planhat-async[parquet]'"
