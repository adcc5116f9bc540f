"""A page of the site that is made from the source."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple


class SitePage(NamedTuple):
    """A page in Markdown."""

    path: str
    """Its path within `docs`, where it would be if it were written by hand."""
    title: str
    """Its name in the navigation."""
    text: str
    """Its Markdown."""


def cell(text: str) -> str:
    """A text as the cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown; the cells are Markdown too."""
    lines = [head, tuple("---" for _ in head), *(tuple(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def codes(names: list[str] | tuple[str, ...], between: str = ", ") -> str:
    """Names in code font."""
    return between.join(map(code, names))


def code(text: str) -> str:
    """A text in code font, also in a cell of a table, where a bar would end the cell."""
    return f"<code>{html.escape(text)}</code>".replace("|", "&#124;") if "|" in text else f"`{text}`"
