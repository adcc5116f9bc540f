"""What the rows themselves cost, which are made and go nowhere, and what the machine does to an idle event loop."""

from __future__ import annotations

import asyncio

from benchmarks.writing.tickets import dicts, records


async def make_dicts(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Make mappings."""
    return sum(1 for _ in dicts(n_rows))


async def make_records(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Make records."""
    return sum(1 for _ in records(n_rows))


async def make_nothing(url: str, n_rows: int) -> int:  # noqa: ARG001 - it sends nothing
    """Let a second pass."""
    await asyncio.sleep(1)
    return n_rows
