"""One of Planhat's lists, and which of its rows are wanted: decisions only."""

from __future__ import annotations

import attrs

from planhat_async._convert import row_view, without_fields
from planhat_async.records import Params, RowFilter

ID = "_id"


@attrs.frozen(kw_only=True)
class Query:
    """One list of Planhat's, and which of its rows are wanted."""

    filters: Params = ()
    sort: str = ID
    select: tuple[str, ...] = ()
    """Fields to fetch, by Planhat's names; all fields if empty."""
    fetched_only: frozenset[str] = frozenset()
    """Fields among them that only a check or a filter needs."""
    needs: tuple[tuple[str, str], ...] = ()
    """The fields of a row that `row_filter` looks at: our names and Planhat's."""
    row_filter: RowFilter | None = None
    """Which rows are wanted; all where it is `None`."""

    @property
    def params(self) -> Params:
        """The query's parameters, but for its place in the list."""
        order = ("sort", self.sort)
        return (*self.filters, order, *((("select", ",".join(self.select)),) if self.select else ()))

    @property
    def newest_params(self) -> Params:
        """The parameters of the same list from its other end, `_id`s alone."""
        return (*self.filters, ("sort", f"-{ID}"), ("select", ID))

    def select_row(self, row: bytes) -> bytes | None:
        """The row as it is wanted, or `None` where it is not.

        Raises:
            DecodeError: It cannot be read.
        """
        if self.row_filter is not None and not self.row_filter(row_view(row, self.needs)):
            return None
        return self.project(row)

    def project(self, row: bytes) -> bytes:
        """Drop fields that were fetched for filtering only.

        Raises:
            DecodeError: The row cannot be read.
        """
        return without_fields(row, self.fetched_only) if self.fetched_only else row
