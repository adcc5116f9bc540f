"""This library's `upsert_many` with dicts and with records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.writing.tickets import dicts, in_any_order, of_any_shape, records
from benchmarks.writing.writers import CHUNK_SIZE, N_AT_A_TIME, TOKEN
from planhat_async import RateLimits, Session, Ticket, Tickets

_LIMITS = RateLimits(per_minute=100_000, per_second=10_000, reserve=0)
"""Limits without effect: 200 calls a minute would determine the time for a million rows."""


async def write_dicts(url: str, n_rows: int) -> int:
    """Write mappings."""
    return await _write(url, dicts(n_rows))


async def write_any_order(url: str, n_rows: int) -> int:
    """Write mappings with keys in no order."""
    return await _write(url, in_any_order(n_rows))


async def write_any_shape(url: str, n_rows: int) -> int:
    """Write mappings with other fields from row to row."""
    return await _write(url, of_any_shape(n_rows))


async def write_records(url: str, n_rows: int) -> int:
    """Write records."""
    return await _write(url, records(n_rows))


async def _write(url: str, rows: Iterable[Ticket | Mapping[str, Any]]) -> int:
    async with Session(TOKEN, base_url=url, limits=_LIMITS) as session:
        result = await Tickets(session).upsert_many(rows, chunk_size=CHUNK_SIZE, concurrency=N_AT_A_TIME)
    return result.stored
