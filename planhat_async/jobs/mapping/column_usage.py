"""Which columns the rows of a file have, and which of them a mapping uses: decisions only."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from planhat_async.jobs.mapping.nested_values import MISSING, column_of, value_at
from planhat_async.jobs.mapping.wrapped_rows import how_to_unwrap
from planhat_async.jobs.reason_column import REASON_COLUMN

_MAX_NAMES = 1000
"""Names that are collected: a file may have data as keys."""
_MAX_SHOWN = 20


class ColumnUsage:
    """Counts what is known about the columns of a file only once its rows are read.

    Args:
        mapped: The columns that a mapping names, by their fields; none if it names none.
        header: The columns of the file; `None` if each row names its own.
        list_of_rows_in: Finds the key of a list of rows in an object that is not a row.
    """

    def __init__(
        self,
        mapped: Mapping[str, str],
        header: Sequence[str] | None,
        list_of_rows_in: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
    ) -> None:
        self._mapped = mapped
        self._list_of_rows_in = list_of_rows_in
        self._list_of_rows: str | None = None
        self._has_header = header is not None
        self._names = dict.fromkeys(header or ())
        self._unseen = {column for column in mapped.values() if column not in self._names}
        self._last: tuple[str, ...] = ()
        self.n_rows: int = 0
        """Number of rows that were noted."""
        self.emptied: Counter[str] = Counter()
        """For each field the number of values that are emptied."""

    @property
    def is_settled(self) -> bool:
        """Whether more rows tell nothing about how the file fits."""
        return not self._unseen and not self._may_be_wrapper

    @property
    def _may_be_wrapper(self) -> bool:
        """Whether the only row so far is an object around a list of rows."""
        return self._list_of_rows is not None and self.n_rows == 1

    def note(self, values: Mapping[str, Any]) -> bool:
        """Note the columns of a row; returns whether those of the next one are of interest."""
        if not self.n_rows and not self._has_header:
            self._list_of_rows = self._list_of_rows_in(values)
        self.n_rows += 1
        names = tuple(values)
        if names != self._last and not self._has_header and len(self._names) < _MAX_NAMES:
            self._last = names
            self._names.update(dict.fromkeys(names[:_MAX_NAMES]))
        if self._unseen:
            self._unseen = {column for column in self._unseen if not _has(values, column)}
        is_every_name_of_interest = bool(self._mapped) and not self._has_header
        return is_every_name_of_interest or not self.is_settled

    def objection(self) -> str | None:
        """Why the file does not fit, if all of its rows are known."""
        if self._may_be_wrapper and self._list_of_rows is not None:
            return how_to_unwrap(self._list_of_rows)
        if not self.n_rows or not self._unseen:
            return None
        field, column = next((field, column) for field, column in self._mapped.items() if column in self._unseen)
        present = [name for name in self._names if name != REASON_COLUMN]
        near = difflib.get_close_matches(column.lower(), [name.lower() for name in present], n=1, cutoff=0.75)
        hint = "".join(f"; did you mean {name}?" for name in present if name.lower() in near)
        return f"--map {field}={column}: the file has no such column; it has {_listed(present)}{hint}"

    def remarks(self) -> Iterator[str]:
        """What the user should know, a line each."""
        for field, column in self._mapped.items() if self.n_rows else ():
            if column in self._unseen:
                yield f"no row had the column {column!r} (--map {field}={column})"
        if unused := self._unused():
            n_names = f"{len(unused):,}" + " or more" * (len(self._names) >= _MAX_NAMES)
            yield f"{n_names} {'column is' if n_names == '1' else 'columns are'} not used: {_listed(unused)}"
        if n_emptied := self.emptied.total():
            fields = _listed([f"{name} {n:,}" for name, n in self.emptied.items()])
            values = "missing value empties its field" if n_emptied == 1 else "missing values empty their fields"
            yield f"{n_emptied:,} {values}: {fields}"

    def _unused(self) -> list[str]:
        """The columns of the file that the mapping does not name; none if it names none."""
        if not self._mapped:
            return []
        used = {column_of(column, self._names) for column in self._mapped.values()}
        return [name for name in self._names if name not in used and name != REASON_COLUMN and name.strip()]


def _has(values: Mapping[str, Any], column: str) -> bool:
    try:
        return value_at(values, column, within_null=MISSING) is not MISSING
    except ValueError:
        return True  # the row says so itself


def _listed(names: Sequence[str]) -> str:
    n_more = len(names) - _MAX_SHOWN
    return ", ".join(names[:_MAX_SHOWN]) + (f" and {n_more:,} more" if n_more > 0 else "")
