"""The cost of creating the rows without sending them, and of an idle event loop on this machine."""

from __future__ import annotations

import asyncio

from benchmarks.writing.tickets import dicts, of_any_shape, records


async def make_dicts(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Create mappings."""
    return sum(1 for _ in dicts(n_rows))


async def make_records(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Create records."""
    return sum(1 for _ in records(n_rows))


async def make_nothing(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Wait for a second."""
    await asyncio.sleep(1)
    return n_rows


async def make_any_shape(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Create mappings with other fields from row to row."""
    return sum(1 for _ in of_any_shape(n_rows))
