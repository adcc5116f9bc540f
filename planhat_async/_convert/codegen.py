"""Functions that are written out for each model, because every row passes through them.

A loop over a model's fields costs about twice as much as the same steps written out one after another.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def generated_function(
    lines: Iterable[str], names: Mapping[str, Any] | None = None, *, name: str, signature: str = "row"
) -> Callable[..., Any]:
    """A function with these lines as its body.

    Args:
        lines: The lines.
        names: What they may use.
        name: What it is, for tracebacks and debuggers, which show its source.
        signature: Its arguments.
    """
    source = "\n".join([f"def generated({signature}):", *(f"    {line}" for line in lines)])
    file = f"<generated: {name}>"
    namespace = dict(names or {})
    exec(compile(source, file, "exec"), namespace)  # noqa: S102 - it holds the names of fields, and those are this package's own
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    made: Callable[..., Any] = namespace["generated"]
    return made
