"""Functions that are written out for each model, because every row passes through them.

A loop over a model's fields costs about twice as much as the same steps written out one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def generate(
    lines: Iterable[str], names: Mapping[str, Any] | None = None, *, signature: str = "row"
) -> Callable[..., Any]:
    """A function with these lines as its body, which may use these names."""
    source = "\n".join([f"def generated({signature}):", *(f"    {line}" for line in lines)])
    namespace = dict(names or {})
    exec(source, namespace)  # noqa: S102 - it holds the names of fields, and those are this package's own
    made: Callable[..., Any] = namespace["generated"]
    return made
