"""Numbers that options accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer


def whole_number(least: int, most: int | None = None) -> Callable[[Any], int]:
    """What reads a whole number within these limits, both included."""
    limits = f"of at least {least:,}" if most is None else f"from {least:,} to {most:,}"

    def number(text: Any) -> int:
        try:
            found = int(text)
        except ValueError:
            found = least - 1
        if found < least or (most is not None and found > most):
            raise typer.BadParameter(f"{text!r} is not a whole number {limits}")
        return found

    return number


def seconds_of(least: float) -> Callable[[Any], float]:
    """What reads a number of seconds that is not below `least`."""

    def duration(text: Any) -> float:
        try:
            found = float(text)
        except ValueError:
            found = least - 1
        if not least <= found < float("inf"):
            raise typer.BadParameter(f"{text!r} is not a number of seconds of at least {least:g}")
        return found

    return duration
