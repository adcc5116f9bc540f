"""One page of a list: what is asked for, and what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

Row = TypeVar("Row")
Id = bytes
"""An `_id`, as its bytes came."""


@attrs.frozen(eq=False)  # the same page may be asked for twice, and each is an errand of its own
class Ask:
    """One page to be asked for."""

    offset: int
    limit: int


@attrs.frozen(kw_only=True)
class Page(Generic[Row]):
    """What one GET returned."""

    offset: int
    limit: int
    """How many rows were asked for."""
    rows: Sequence[Row]
    ids: Sequence[Id]
    """The `_id` of each row; nothing where no row has one."""
    n_bytes: int
    answered: float | None = None
    """The server's time when it answered, in seconds since 1970, as its `Date` says."""

    @property
    def is_short(self) -> bool:
        """Whether fewer rows came than were asked for."""
        return len(self.rows) < self.limit
