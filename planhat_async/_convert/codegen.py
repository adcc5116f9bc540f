"""Functions generated for each model, because every row passes through them.

A loop over a model's fields takes about twice as long as the same steps written out one after another.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def generated_function(
    lines: Iterable[str], names: Mapping[str, Any] | None = None, *, name: str
) -> Callable[..., Any]:
    """A function of `row` with these lines as its body; tracebacks show its name and source."""
    source = "\n".join(["def generated(row):", *(f"    {line}" for line in lines)])
    file = f"<generated: {name}>"
    namespace = dict(names or {})
    exec(compile(source, file, "exec"), namespace)  # noqa: S102 - it holds the names of fields, and those are this package's own
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    made: Callable[..., Any] = namespace["generated"]
    return made
