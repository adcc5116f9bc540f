"""Test upserts over a faulty network."""

from __future__ import annotations

import pytest
from faulted_upserts import N_NOTES, N_TICKETS, positions, write_notes, write_tickets
from faults import Fault

from planhat_async import Outcome

pytestmark = pytest.mark.slow

SMALL, FULL = 100, 500
"""Rows a chunk."""


@pytest.mark.parametrize(("n_rows", "chunk_size"), [(8_000, SMALL), (N_TICKETS, FULL)])
async def test_keyed_rows_are_all_stored_once_despite_faults(n_rows: int, chunk_size: int) -> None:
    """The last write of each key is stored; rows that Planhat refused are reported by position."""
    run = await write_tickets(n_rows, chunk_size=chunk_size)
    assert run.stored == run.expected
    assert set(run.n_faults) == {*Fault}
    assert positions(run.result, Outcome.REJECTED, Outcome.UNKNOWN) == set(range(999, n_rows, 1000))
    assert run.result.rows == n_rows


@pytest.mark.parametrize(("n_rows", "chunk_size"), [(10_000, SMALL), (N_NOTES, FULL // 2)])
async def test_no_keyless_row_is_stored_twice_and_every_missing_one_is_reported(n_rows: int, chunk_size: int) -> None:
    """Unknown rows may be stored; every other row is stored, and no row twice."""
    run = await write_notes(n_rows, chunk_size=chunk_size)
    unknown = {f"note {n}" for n in positions(run.result, Outcome.UNKNOWN)}
    assert set(run.n_faults) == {*Fault}
    assert not run.doubled()
    assert run.missing().keys() <= unknown
    assert run.missing()
    assert (run.result.created, run.result.unknown) == (n_rows - len(unknown), len(unknown))


@pytest.mark.parametrize(("n_rows", "chunk_size"), [(10_000, SMALL), (N_NOTES, FULL // 2)])
async def test_verified_keyless_rows_are_all_stored_once(n_rows: int, chunk_size: int) -> None:
    """A lost answer leaves no row in doubt."""
    run = await write_notes(n_rows, chunk_size=chunk_size, is_verified=True)
    assert set(run.n_faults) == {*Fault}
    assert run.stored == run.expected
    assert (run.result.created, run.result.ok, len(run.result.problems)) == (n_rows, True, 0)
