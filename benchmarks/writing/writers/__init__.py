"""Ways to write tickets: each module writes so many, and says how many the server has acknowledged.

A module imports what it measures at its top, so that importing is over when measuring begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

CHUNK_SIZE = 5000
"""Rows a call."""

N_AT_A_TIME = 4
"""Calls in flight, where a writer has more than one."""

TOKEN = "any"  # noqa: S105 - the server asks for none

T = TypeVar("T")


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """As many rows at a time as one call takes."""
    rest = iter(rows)
    # A generator's variable would hold each chunk until the next one is asked for.
    return iter(lambda: list(islice(rest, CHUNK_SIZE)), [])
