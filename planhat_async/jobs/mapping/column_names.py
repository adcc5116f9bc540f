"""The names of a file's columns: collected while its first rows are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from planhat_async.jobs.mapping.column_spelling import is_named
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.reason_column import REASON_COLUMN


class ColumnNames:
    """In place of a mapping: collects the columns of a source, and makes empty rows.

    The header of CSV and the schema of Parquet hold all columns; JSONL has the keys of the rows that were read.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        """The columns in their order; one that a header has twice is there twice."""

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        """No column is looked up."""
        return {}

    def description(self) -> dict[str, Any]:
        """No mapping."""
        return {}

    def knows(self, _: str) -> bool:
        """No column is known."""
        return False

    def fitted(self, columns: Iterable[str], *, holds_objects: bool = False) -> Self:  # noqa: ARG002 - no paths
        """The same, with all named columns of a file."""
        self.names = [column.strip() for column in columns if column != REASON_COLUMN and is_named(column)]
        return self

    @property
    def named_columns(self) -> Mapping[str, str]:
        """No column has to be in the file."""
        return {}

    def list_of_rows_in(self, _: Mapping[str, Any]) -> str | None:
        """Every object is a row."""
        return None

    def columns_to_read(self, _: Iterable[str]) -> list[str]:
        """No values are read."""
        return []

    def apply_to_text(self, _: Mapping[str, str]) -> dict[str, Any]:
        """An empty row."""
        return {}

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """An empty row; collects the keys that no earlier row had."""
        known = {*self.names, REASON_COLUMN}
        self.names += [name for name in values if name not in known]
        return {}
