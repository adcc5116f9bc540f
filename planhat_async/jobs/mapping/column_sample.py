"""The first values of a column: decisions only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from planhat_async.jobs.mapping.transforms import is_blank

MAX_VALUES = 1000
_MAX_PATHS, _MAX_DEPTH, _MAX_TEXT = 200, 4, 1000


@attrs.define
class ColumnSample:
    """The first values of a column, without missing ones; of objects, those at each path within them."""

    values: list[Any] = attrs.field(factory=list)
    """Values that are not objects; long texts are shortened."""
    within: dict[str, ColumnSample] = attrs.field(factory=dict)
    """The values in objects, by their keys."""

    def note(self, value: Any, depth: int = 0) -> None:
        """Note the value of a row."""
        if isinstance(value, Mapping) and depth < _MAX_DEPTH:
            for name, inner in value.items():
                if name in self.within or len(self.within) < _MAX_PATHS:
                    self.within.setdefault(name, ColumnSample()).note(inner, depth + 1)
        elif not is_blank(value) and len(self.values) < MAX_VALUES:
            self.values.append(value[:_MAX_TEXT] if isinstance(value, str) else value)

    def paths(self, column: str) -> Iterator[tuple[str, ColumnSample]]:
        """The column, or the paths to the values within its objects, such as `requester.email`."""
        if not self.within or self.values:
            yield column, self
            return
        for name, inner in self.within.items():
            yield from inner.paths(f"{column}.{name}")
