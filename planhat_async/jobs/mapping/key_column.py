"""The column of a file that names the records to delete: decisions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import attrs

from planhat_async.jobs.mapping.cell_values import checked_text
from planhat_async.jobs.mapping.column_spelling import folded, spelling_in
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.wrapped_rows import wrapped_rows
from planhat_async.jobs.source_error import SourceError

_NAMES = ("_id", "id")
_FORM = "--map id=COLUMN"


@attrs.frozen
class KeyColumn:
    """The column with the `_id`s; all other columns are ignored."""

    column: str | None = None
    """Its name; `_id` or `id` if `None`."""

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        """No column is looked up."""
        return {}

    @classmethod
    def parse(cls, maps: Sequence[str]) -> Self:
        """The column by texts of the form `id=COLUMN`, of which there is at most one.

        Raises:
            SourceError: A text of another form, or several.
        """
        if len(maps) > 1:
            raise SourceError(f"one {_FORM} at most")
        if not maps:
            return cls()
        field, _, column = maps[0].partition("=")
        if field not in _NAMES or not column:
            raise SourceError(f"{maps[0]!r} does not have the form {_FORM}: records are deleted by their _id only")
        return cls(column)

    def description(self) -> dict[str, Any]:
        """The mapping as JSON values, to recognise it in a rerun."""
        return {"columns": {} if self.column is None else {"id": self.column}}

    def knows(self, column: str) -> bool:
        """Whether the column is the one with the `_id`s."""
        return column.strip() in _NAMES if self.column is None else folded(column) == folded(self.column)

    def fitted(self, columns: Sequence[str], *, holds_objects: bool = False) -> KeyColumn:  # noqa: ARG002 - no paths
        """The column as a file spells it: `_id` and `id` with blanks around them, another one also in another case.

        Raises:
            SourceError: The file does not have the column, or has two.
        """
        if self.column is not None:
            found = KeyColumn(spelling_in(columns, self.column, f"--map id={self.column}"))
        else:
            blank = [column for column in columns if column.strip() in _NAMES]
            found = KeyColumn(blank[0]) if len(blank) == 1 and blank[0] not in _NAMES else self
        found.check_columns(columns)
        return found

    @property
    def named_columns(self) -> Mapping[str, str]:
        """The columns that have to be in the file, by their fields."""
        return {} if self.column is None else {"id": self.column}

    def list_of_rows_in(self, values: Mapping[str, Any]) -> str | None:
        """The key of a list of rows, in an object that is not a row itself; see `wrapped_rows`."""
        return wrapped_rows(values, lambda column: bool(self.columns_to_read([column])), is_strict=False)

    def check_columns(self, columns: Iterable[str]) -> None:
        """Refuse a file without the column, or with two.

        Raises:
            SourceError: The message names the columns of the file.
        """
        present = list(columns)
        names = _NAMES if self.column is None else (self.column,)
        found = [column for column in present if column in names]
        if not found and self.column is not None:
            raise SourceError(f"--map id={self.column}: the file has no such column; it has {', '.join(present)}")
        if not found:
            raise SourceError(f"the file has no column _id or id: name it with {_FORM}; it has {', '.join(present)}")
        if len(set(found)) > 1:
            raise SourceError(f"the file has the columns _id and id: choose one with {_FORM}")
        if len(found) > 1:
            raise SourceError(f"the file has the column {found[0]!r} twice")

    def columns_to_read(self, columns: Iterable[str]) -> list[str]:
        """The column, among those of a file that has it."""
        return [column for column in columns if column == self.column or (self.column is None and column in _NAMES)]

    def apply_to_text(self, cells: Mapping[str, str]) -> dict[str, Any] | None:
        """The key in these cells, if there is one; `None` if all cells are blank.

        Raises:
            ValueError: It holds bytes of another encoding, or a NUL.
        """
        if not any(map(str.strip, cells.values())):
            return None
        column = self.columns_to_read(cells)[0]
        return {"id": checked_text(cells[column], f"column {column!r}")}

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The key in these values, if there is one.

        Raises:
            ValueError: They have an `_id` and another `id`.
        """
        found = {column: values[column] for column in self.columns_to_read(values) if values[column] is not None}
        if len(found) > 1 and found["_id"] != found["id"]:
            raise ValueError(f"it has an _id and another id: choose one with {_FORM}")
        return {"id": next(iter(found.values()))} if found else {}
