"""Values within the objects of a row, by paths such as `requester.email`: decisions only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MISSING: Any = object()
"""In place of a value that is not there."""


def value_at(values: Mapping[str, Any], column: str, *, within_null: Any = None) -> Any:
    """The value under a column's name, or else at the path that it is; `MISSING` without either.

    Args:
        values: An object.
        column: The name or the path.
        within_null: What is in an object that is `None`.

    Raises:
        ValueError: Something on the path is not an object.
    """
    if column in values:
        return values[column]
    for head, rest in _splits(column):
        if head not in values:
            continue
        inner = values[head]
        if inner is None:
            return within_null
        if not isinstance(inner, Mapping):
            raise ValueError(f"{head!r} is not an object, so it has no {rest!r}")  # noqa: TRY004 - the row is wrong
        if (found := value_at(inner, rest, within_null=within_null)) is not MISSING:
            return found
    return MISSING


def column_of(column: str, columns: Iterable[str]) -> str | None:
    """The one of a file's columns in which a column's value is: the same, or the beginning of the path."""
    present = {*columns}
    return next((name for name in (column, *(head for head, _ in _splits(column))) if name in present), None)


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """Each division of a path at one of its dots."""
    at = path.find(".")
    while at >= 0:
        if path[:at] and path[at + 1 :]:
            yield path[:at], path[at + 1 :]
        at = path.find(".", at + 1)
