"""The route of a request: its path with placeholders for keys, for logs and traces."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z]{1,20}|\{\w+\}")
"""A word of the API or a placeholder; a key has digits, hyphens or other characters, or is longer."""


def route_of(path: str) -> str:
    """The path with `{id}` for each segment that may be a key; the first one never is."""
    first, *others = path.removeprefix("/").split("/")
    return "/".join(["", first, *(one if _NAME.fullmatch(one) else "{id}" for one in others)])
