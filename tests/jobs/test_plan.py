"""Test dry runs: rows are validated and counted, and no call is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from killed_jobs import Watched, saved, session_on, upsert_on

from planhat_async import Notes, Outcome, Session, Tickets
from planhat_async.errors import UnknownOutcomeError
from planhat_async.jobs.journal_file import JournalError
from planhat_async.jobs.plan import Plan, plan_upsert
from planhat_async.jobs.upsert_job import UpsertJob
from planhat_async.sandbox import Sandbox


def ticket(source_id: str) -> dict[str, Any]:
    return {"sourceId": source_id, "email": "a@b.example", "domains": ["b.example"]}


async def test_a_plan_counts_what_would_be_sent() -> None:
    """It contains rows, invalid rows with reasons, repeated keys, chunks and bytes; no session needs to be open."""
    rows = [*map(ticket, "abcab"), {"title": "keyless"}, ticket("a")]
    plan = await plan_upsert(Tickets(Session("none")), rows, chunk_size=2)
    assert (plan.result.rows, plan.result.invalid, plan.result.unsent) == (7, 1, 6)
    assert plan.result.not_stored == {Outcome.INVALID: (range(5, 6),)}
    assert (plan.n_duplicates, plan.longest_queue, plan.n_keyless) == (3, 3, 0)
    assert plan.n_chunks == 3
    assert plan.n_bytes == 6 * len('{"sourceId":"a","email":"a@b.example","domains":["b.example"]},') + 3


async def test_a_plan_counts_rows_without_a_key() -> None:
    """Planhat creates them each time they are sent."""
    plan = await plan_upsert(Notes(Session("none")), [{"companyId": "5f4e3d2c1b0a998877665544", "subject": "Hi"}] * 3)
    assert (plan.n_keyless, plan.n_duplicates, plan.longest_queue, plan.n_chunks) == (3, 0, 1, 1)


async def test_a_plan_of_no_rows_has_no_calls() -> None:
    """It sends no bytes and takes no time."""
    plan = await plan_upsert(Notes(Session("none")), [])
    assert (plan.n_chunks, plan.n_bytes, plan.seconds(200)) == (0, 0, 0.0)


@pytest.mark.parametrize(("n_chunks", "seconds"), [(1, 0.0), (200, 0.0), (201, 60.0), (400, 60.0), (401, 120.0)])
def test_a_plan_estimates_the_duration(n_chunks: int, seconds: float) -> None:
    """The calls of one minute are sent at once, the next ones a minute later."""
    assert Plan(n_chunks=n_chunks).seconds(200) == seconds


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_a_plan_of_a_job_excludes_completed_chunks(planhat: Sandbox, tmp_path: Path) -> None:
    """Answered chunks need no call; the journal is not changed and may be in use."""
    path, left = tmp_path / "job.db", tmp_path / "left" / "job.db"
    rows = [*map(ticket, "abcd"), {"title": "keyless"}, *map(ticket, "efgh")]
    left.parent.mkdir()
    async with session_on(planhat, Watched(planhat.url, after=lambda _: job.stop())) as session:
        job = UpsertJob(Tickets(session), rows, journal=path, chunk_size=2, concurrency=1)
        async with job:
            async for _ in job:
                pass
            saved(path, left)
    before, tickets = content_of(left.parent), Tickets(Session("none", base_url=planhat.url))
    plan = await plan_upsert(tickets, rows, journal=left, chunk_size=2)
    assert content_of(left.parent) == before
    assert (plan.result.rows, plan.result.stored, plan.result.invalid, plan.result.unsent) == (9, 2, 1, 6)
    assert (plan.n_chunks, plan.n_duplicates) == (3, 0)
    assert (await upsert_on(planhat, Tickets, rows, path, concurrency=4)).stored == 8
    plan = await plan_upsert(tickets, rows, journal=path, chunk_size=2)
    assert (plan.n_chunks, plan.n_bytes, plan.result.stored, plan.result.unsent) == (0, 0, 8, 0)
    with pytest.raises(JournalError, match="chunk_size is 3, was 2"):
        await plan_upsert(tickets, rows, journal=path, chunk_size=3)
    # The first chunk compared is named; compared one after another, that is chunk 1.
    with pytest.raises(JournalError, match="the input has changed: chunk 1"):
        await plan_upsert(tickets, rows[1:], journal=path, chunk_size=2, concurrency=1)
    with pytest.raises(JournalError, match="an earlier run has read more"):
        await plan_upsert(tickets, rows[:2], journal=path, chunk_size=2)


async def test_a_plan_of_a_new_job_contains_all_rows(tmp_path: Path) -> None:
    """No journal is created."""
    for is_there in (False, True):
        plan = await plan_upsert(
            Notes(Session("none")), [{"companyId": "5f4e3d2c1b0a998877665544"}], journal=tmp_path / "job.db"
        )
        assert plan.result.unsent == 1
        assert [path.stat().st_size for path in tmp_path.iterdir()] == [0] * is_there  # noqa: ASYNC240
        (tmp_path / "job.db").touch()


@pytest.mark.parametrize(
    ("options", "unknown", "n_chunks"),
    [({}, 2, 0), ({"resend_unknown": True}, 0, 1), ({"verify_by": ["subject"]}, 2, 0)],
)
async def test_a_plan_sends_unknown_rows_on_request_only(
    planhat: Sandbox, tmp_path: Path, options: dict[str, Any], unknown: int, n_chunks: int
) -> None:
    """Rows to be verified are unknown until then."""
    path, rows = (
        tmp_path / "job.db",
        [{"companyId": "5f4e3d2c1b0a998877665544", "subject": f"note {n}"} for n in range(4)],
    )

    def lose(at: int) -> None:
        if not at:
            raise UnknownOutcomeError("no answer", method="PUT", path="/")

    await upsert_on(planhat, Notes, rows, path, Watched(planhat.url, before=lose))
    notes = Notes(Session("none", base_url=planhat.url))
    plan = await plan_upsert(notes, rows, journal=path, chunk_size=2, **options)
    assert (plan.result.rows, plan.result.created, plan.result.unknown, plan.n_chunks) == (4, 2, unknown, n_chunks)
