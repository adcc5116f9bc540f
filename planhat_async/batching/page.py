"""One page of a list: the request for it, and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

Row = TypeVar("Row")
Id = bytes
"""An `_id`, as the bytes of the answer."""


@attrs.frozen(eq=False)  # the same page may be requested twice, and each request counts
class Ask:
    """A page to request."""

    offset: int
    limit: int


@attrs.frozen(kw_only=True)
class Page(Generic[Row]):
    """The rows that one GET returned."""

    offset: int
    limit: int
    """The `limit` of the request."""
    rows: Sequence[Row]
    ids: Sequence[Id]
    """The `_id` of each row; empty if no row has one."""
    n_bytes: int
    answered: float | None = None
    """The time in the answer's `Date` header, in seconds since 1970."""

    @property
    def is_short(self) -> bool:
        """Whether it has fewer rows than were requested."""
        return len(self.rows) < self.limit
