"""One of Planhat's lists, and the rows of it that are selected: decisions only."""

from __future__ import annotations

import attrs

from planhat_async._convert import row_view, without_fields
from planhat_async.records import Params, RowFilter

ID = "_id"


@attrs.frozen(kw_only=True)
class Query:
    """One list of Planhat's, and the rows of it that are selected."""

    filters: Params = ()
    sort: str = ID
    select: tuple[str, ...] = ()
    """Fields to fetch, by Planhat's names; all fields if empty."""
    fetched_only: frozenset[str] = frozenset()
    """Fields among them that only `row_filter` needs."""
    required_fields: tuple[tuple[str, str], ...] = ()
    """The fields of a row that `row_filter` looks at: our names and Planhat's."""
    row_filter: RowFilter | None = None
    """Whether a row is selected; `None` selects all."""

    @property
    def params(self) -> Params:
        """The query's parameters, except for `offset` and `limit`."""
        order = ("sort", self.sort)
        return (*self.filters, order, *((("select", ",".join(self.select)),) if self.select else ()))

    @property
    def newest_params(self) -> Params:
        """The parameters of the same list in descending order, with `_id`s alone."""
        return (*self.filters, ("sort", f"-{ID}"), ("select", ID))

    def select_row(self, row: bytes) -> bytes | None:
        """The row with the selected fields, or `None` if the filter leaves it out.

        Raises:
            DecodeError: It cannot be read.
        """
        if self.row_filter is not None and not self.row_filter(row_view(row, self.required_fields)):
            return None
        return self.project(row)

    def project(self, row: bytes) -> bytes:
        """Drop fields that were fetched for filtering only.

        Raises:
            DecodeError: The row cannot be read.
        """
        return without_fields(row, self.fetched_only) if self.fetched_only else row
