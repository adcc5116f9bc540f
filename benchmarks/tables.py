"""Numbers as text, in aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.subjects import Subject

NOTHING = "-"


def number(value: float | None, n_digits: int) -> str:
    """Return a number, or a sign for a missing one."""
    return NOTHING if value is None else f"{value:,.{n_digits}f}"


def aligned(head: Sequence[str], body: Iterable[Sequence[str]], *, is_text: bool = False) -> str:
    """Return a line for each row; all columns but the first are numbers, unless they are text."""
    lines = [head, *body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if is_text or column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def notes(subjects: Iterable[Subject]) -> str:
    """Return a description of each subject."""
    return aligned(
        ("what it does", "with"), ((one.name, f"{one.versions()}: {one.note}") for one in subjects), is_text=True
    )
