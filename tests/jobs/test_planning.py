"""Dry runs: everything is checked and counted, and nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async import Notes, Outcome, Session, Tickets
from planhat_async.jobs.planning import Plan, plan_upsert


def ticket(source_id: str) -> dict[str, Any]:
    return {"sourceId": source_id, "email": "a@b.example", "domains": ["b.example"]}


async def test_a_plan_counts_what_would_be_sent() -> None:
    """Rows, invalid ones with their reasons, keys that repeat, chunks and bytes; no session need be open."""
    rows = [*map(ticket, "abcab"), {"sourceId": "z"}, ticket("a")]
    plan = await plan_upsert(Tickets(Session("none")), rows, chunk_size=2)
    assert (plan.result.rows, plan.result.invalid, plan.result.unsent) == (7, 1, 6)
    assert plan.result.not_stored == {Outcome.INVALID: (range(5, 6),)}
    assert (plan.n_duplicates, plan.longest_queue, plan.n_keyless) == (3, 3, 0)
    assert plan.n_chunks == 3
    assert plan.n_bytes == 6 * len('{"sourceId":"a","email":"a@b.example","domains":["b.example"]},') + 3


async def test_a_plan_counts_rows_without_a_key() -> None:
    """They are created each time they are sent."""
    plan = await plan_upsert(Notes(Session("none")), [{"companyId": "c", "subject": "Hi"}] * 3)
    assert (plan.n_keyless, plan.n_duplicates, plan.longest_queue, plan.n_chunks) == (3, 0, 1, 1)


async def test_a_plan_of_nothing_is_nothing() -> None:
    """No call."""
    plan = await plan_upsert(Notes(Session("none")), [])
    assert (plan.n_chunks, plan.n_bytes, plan.seconds(200)) == (0, 0, 0.0)


@pytest.mark.parametrize(("n_chunks", "seconds"), [(1, 0.0), (200, 0.0), (201, 60.0), (400, 60.0), (401, 120.0)])
def test_a_plan_knows_how_long_the_pace_takes(n_chunks: int, seconds: float) -> None:
    """A minute's calls go out at once, the next ones a minute later."""
    assert Plan(n_chunks=n_chunks).seconds(200) == seconds
