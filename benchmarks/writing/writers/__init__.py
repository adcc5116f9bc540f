"""Ways to write tickets: each module writes a number of them and returns how many the server acknowledged.

A module imports its subject at the top, so that importing is not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

CHUNK_SIZE = 5000
"""Rows a call."""

N_AT_A_TIME = 4
"""Calls in flight, if a writer has more than one."""

TOKEN = "any"  # noqa: S105 - the server asks for none

T = TypeVar("T")


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield as many rows at a time as one call accepts."""
    rest = iter(rows)
    # A generator's variable would hold each chunk until the next one is requested.
    return iter(lambda: list(islice(rest, CHUNK_SIZE)), [])
