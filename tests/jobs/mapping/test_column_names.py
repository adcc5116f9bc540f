"""Test the columns of a file."""

from __future__ import annotations

from pathlib import Path

from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.mapping.column_names import ColumnNames


def test_a_source_collects_its_columns(tmp_path: Path) -> None:
    """Its rows are empty, and it has neither lookups nor a mapping in its description."""
    (tmp_path / "rows.csv").write_bytes(b"not stored because,A,b,A\nx,1,2,3\n")
    found = ColumnNames()
    source = FileSource(tmp_path / "rows.csv", found)
    assert ([*source], found.names) == ([{}], ["A", "b", "A"])
    assert (source.lookups, source.description()) == ({}, {"format": "csv", "bytes": 33})
