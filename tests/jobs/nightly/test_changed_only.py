"""Test upserts that skip the rows that earlier jobs have stored."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from fakes import TOKEN
from killer import Calls, Killed, Killer

from planhat_async import Companies, Notes, RetryPolicy, Session, Tickets, UpsertResult
from planhat_async.batching.chunks import Row
from planhat_async.jobs import JournalError, StateError, UpsertJob, plan_upsert, run_upsert
from planhat_async.jobs.journal_file import JournalFile
from planhat_async.jobs.nightly.stored_rows import SentRow, stored_among
from planhat_async.jobs.nightly.stored_rows_file import StoredRowsFile
from planhat_async.results import ChunkResult, Outcome, Problem
from planhat_async.sandbox import MemorySandbox
from planhat_async.testing import SandboxTransport

ROWS = 12


@pytest.fixture
async def planhat() -> MemorySandbox:
    """Return a sandbox in memory."""
    return MemorySandbox(token=TOKEN, per_minute=None, per_second=None)


@pytest.fixture
async def session(planhat: MemorySandbox) -> AsyncIterator[Session]:
    """Yield a session on it, which does not repeat calls."""
    transport = SandboxTransport(planhat)
    async with Session(planhat.token, transport=transport, retry=RetryPolicy(attempts=1)) as opened:
        yield opened


def tickets(n_rows: int = ROWS, **titles: str) -> list[dict[str, Any]]:
    """Rows with these titles, by key."""
    common = {"email": "ada@acme.example", "company_external_id": "acme"}
    return [{"source_id": str(key), "title": titles.get(f"t{key}", "as ever"), **common} for key in range(n_rows)]


def titles(planhat: MemorySandbox) -> dict[str, str]:
    return {record["sourceId"]: record["title"] for record in planhat.records("tickets")}


def sent(planhat: MemorySandbox) -> list[int | None]:
    """The number of rows of each bulk upsert so far."""
    return [call.n_rows for call in planhat.requests if call.method == "PUT"]


async def test_only_rows_that_differ_are_sent(planhat: MemorySandbox, session: Session, tmp_path: Path) -> None:
    """They fill chunks, whose results add up to the input; the file is for its owner alone."""
    state, repository = tmp_path / "state", Tickets(session)
    assert await run_upsert(repository, tickets(), changed_only=state, chunk_size=5) == UpsertResult(
        created=ROWS, n_chunks=3
    )
    assert sent(planhat) == [5, 5, 2]
    assert (await run_upsert(repository, tickets(), changed_only=state)).counts()["skipped"] == ROWS
    assert sent(planhat) == [5, 5, 2]
    chunks: list[ChunkResult] = []
    edited = tickets(ROWS + 1, t3="other", t9="other")
    result = await run_upsert(repository, edited, changed_only=state, chunk_size=2, on_chunk=chunks.append)
    assert (result.created, result.updated, result.skipped, result.ok) == (1, 2, ROWS - 2, True)
    assert sent(planhat)[3:] == [2, 1]
    assert sorted(position for chunk in chunks for one in chunk.positions for position in one) == [*range(ROWS + 1)]
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["state", "state-lock"]


async def test_rows_without_a_key_are_always_sent(planhat: MemorySandbox, session: Session, tmp_path: Path) -> None:
    """Each is created each time, with or without the option."""
    rows = [{"company_id": "5f4e3d2c1b0a998877665544", "subject": "a", "type": "note"}]
    for _ in range(2):
        result = await run_upsert(Notes(session), rows, changed_only=tmp_path / "state")
        assert (result.created, result.skipped) == (1, 0)
    assert sent(planhat) == [1, 1]


async def test_of_rows_with_one_key_the_last_counts(planhat: MemorySandbox, session: Session, tmp_path: Path) -> None:
    """If one of them is sent, so are those behind it, in their order; equal ones are skipped."""
    state, repository = tmp_path / "state", Tickets(session)
    twice = [*tickets(1, t0="first"), *tickets(1, t0="second")]
    for n_before in (0, 2):
        result = await run_upsert(repository, twice, changed_only=state)
        assert (result.stored - result.skipped, result.skipped) == (2, 0)
        assert titles(planhat) == {"0": "second"}
        assert len(sent(planhat)) == n_before + 2
    result = await run_upsert(repository, [*tickets(1, t0="second")] * 3, changed_only=state)
    assert (result.skipped, len(sent(planhat))) == (3, 4)


async def test_a_record_that_another_of_its_keys_has_changed_is_sent(
    planhat: MemorySandbox, session: Session, tmp_path: Path
) -> None:
    """Each key of a row must have been stored last from a row with its bytes."""
    state, repository = tmp_path / "state", Companies(session)
    both = {"source_id": "s", "external_id": "e", "name": "Acme"}
    for row, is_skipped in [(both, False), (both, True), ({"external_id": "e", "name": "B"}, False), (both, False)]:
        assert (await run_upsert(repository, [row], changed_only=state)).skipped == is_skipped
    assert [company["name"] for company in planhat.records("companies")] == ["Acme"]


async def test_a_row_that_is_rejected_or_unknown_is_sent_by_the_next_job(
    planhat: MemorySandbox, session: Session, tmp_path: Path
) -> None:
    """Also if it is then as it was stored before: Planhat may have what was sent in between."""
    state, repository = tmp_path / "state", Tickets(session)
    assert (await run_upsert(repository, tickets(2), changed_only=state)).ok
    planhat.inject("reset_after")
    lost = await run_upsert(repository, tickets(2, t1="lost"), changed_only=state)
    assert (lost.skipped, lost.unknown, lost.rows) == (1, 1, 2)
    planhat.inject()
    assert titles(planhat)["1"] == "lost"
    result = await run_upsert(repository, tickets(2), changed_only=state)
    assert (result.skipped, result.ok, titles(planhat)) == (1, True, {"0": "as ever", "1": "as ever"})
    bad = [*tickets(1), {**tickets(2)[1], "company_external_id": "nowhere"}]
    planhat.add("companies", {"externalId": "acme", "name": "Acme"})
    for _ in range(2):
        result = await run_upsert(repository, bad, changed_only=state)
        assert (result.skipped, result.rejected) == (1, 1), result
    assert (await run_upsert(repository, tickets(2), changed_only=state)).skipped == 1


def test_a_result_that_does_not_name_its_rows_proves_none_stored() -> None:
    """Any row of the chunk may be the one that is not."""
    rows = [SentRow.of(Row(position, (f"sourceId={position}",), b"{}")) for position in range(3)]
    named = ChunkResult(number=0, created=2, rejected=1, skipped=5)
    named.problems.append(Problem(outcome=Outcome.REJECTED, reason="bad", position=1))
    assert stored_among(rows, named) == [rows[0], rows[2]]
    nameless = ChunkResult(number=0, created=2, rejected=1)
    nameless.problems.append(Problem(outcome=Outcome.REJECTED, reason="bad"))
    assert stored_among(rows, nameless) == []


async def test_a_dry_run_counts_what_would_be_sent(session: Session, tmp_path: Path) -> None:
    """It changes neither file, and needs no token; with a journal it counts what the job has left."""
    state, repository = tmp_path / "state", Tickets(session)
    assert (await plan_upsert(repository, tickets(), changed_only=state)).result.unsent == ROWS
    assert not state.exists()
    await run_upsert(repository, tickets(), changed_only=state)
    edited = tickets(t1="x", t2="y")
    options: dict[str, Any] = {"changed_only": state, "journal": tmp_path / "a.db", "chunk_size": 1}
    async with UpsertJob(repository, edited, **options, concurrency=1) as job:
        assert (await anext(job)).updated == 1
        job.stop()
    before = state.read_bytes()
    unopened = Tickets(Session("none", base_url=session.base_url))
    resumed = await plan_upsert(unopened, edited, **options)
    assert (resumed.result.skipped, resumed.result.updated, resumed.n_chunks) == (ROWS - 2, 1, 1)
    other = await plan_upsert(unopened, edited, changed_only=state)
    assert (other.result.skipped, other.result.unsent) == (ROWS - 1, 1)
    assert state.read_bytes() == before


async def test_the_rows_of_all_runs_of_a_job_add_up(session: Session, tmp_path: Path) -> None:
    """Also if a later run is stopped after some chunks: skipped rows are counted once."""
    state, repository = tmp_path / "state", Tickets(session)
    await run_upsert(repository, tickets(), changed_only=state)
    edited = tickets(t1="a", t4="b", t8="c")
    options: dict[str, Any] = {"changed_only": state, "journal": tmp_path / "a.db", "chunk_size": 1, "concurrency": 1}
    assert (await run_upsert(repository, edited, **options)).rows == ROWS
    for n_chunks in range(4):
        async with UpsertJob(repository, edited, **options) as job:
            for _ in range(n_chunks):
                await anext(job)
            job.stop()
            async for _ in job:
                pass
        assert (job.result.updated, job.result.skipped, job.result.rows) == (3, ROWS - 3, ROWS)


async def test_a_job_that_is_resumed_in_part_does_not_forget_the_last_row_of_a_key(
    planhat: MemorySandbox, session: Session, tmp_path: Path
) -> None:
    """Its first chunk comes again, and its journal says that it was stored; a later chunk has overwritten it."""
    state, repository = tmp_path / "state", Tickets(session)
    rows = [*tickets(2, t0="first"), *tickets(1, t0="second")]
    options: dict[str, Any] = {"changed_only": state, "chunk_size": 1, "concurrency": 1, "journal": tmp_path / "j.db"}
    await run_upsert(repository, rows, **options)
    async with UpsertJob(repository, rows, **options) as job:
        async for _ in job:
            job.stop()
    assert job.earlier
    assert titles(planhat)["0"] == "second"
    result = await run_upsert(repository, tickets(2, t0="first"), changed_only=state)
    assert (result.updated, result.skipped, titles(planhat)["0"]) == (1, 1, "first")


@pytest.mark.slow
@pytest.mark.parametrize(("has_journal", "steps"), [(True, range(1, 32, 2)), (False, range(2, 20, 3))])
async def test_a_job_that_is_killed_at_any_step_ends_as_if_it_had_not_been(
    planhat: MemorySandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_journal: bool, steps: range
) -> None:
    """With a journal or without; the job of the next night then skips every row."""
    killer = Killer()
    for owner, name in [
        (JournalFile, "write"),
        (StoredRowsFile, "begin_job"),
        (StoredRowsFile, "doubt"),
        (StoredRowsFile, "keep"),
    ]:
        killer.guard(monkeypatch, owner, name)
    async with Session(planhat.token, transport=Calls(planhat, killer)) as session:
        repository = Tickets(session)
        for n_steps in steps:
            options: dict[str, Any] = {"changed_only": tmp_path / f"{n_steps}", "chunk_size": 2, "concurrency": 2}
            await run_upsert(repository, tickets(t0=str(n_steps)), **options)
            rows = tickets(t1=f"{n_steps}", t4="x", t5=f"{n_steps}", t7=f"{n_steps}")
            journal = tmp_path / f"{n_steps}.db" if has_journal else None
            killer.n_left = n_steps
            with suppress(Killed):
                await run_upsert(repository, rows, journal=journal, **options)
            killer.n_left = None
            result = await run_upsert(repository, rows, journal=journal, **options)
            assert (result.ok, result.rows) == (True, ROWS)
            assert titles(planhat) == {row["source_id"]: row["title"] for row in rows}
            n_sent = len(sent(planhat))
            assert (await run_upsert(repository, rows, **options)).skipped == ROWS
            assert len(sent(planhat)) == n_sent


async def test_a_state_that_does_not_fit_is_refused(session: Session, tmp_path: Path) -> None:
    """Rows would be left out that Planhat does not have."""
    state, repository = tmp_path / "state", Tickets(session)
    await run_upsert(repository, tickets(), changed_only=state)
    with pytest.raises(StateError, match="model is notes, was tickets"):
        await run_upsert(Notes(session), [], changed_only=state)
    tolerant = MemorySandbox(per_minute=None, per_second=None)
    async with Session("tok-other", transport=SandboxTransport(tolerant)) as other:
        with pytest.raises(StateError, match="was written with another token"):
            await run_upsert(Tickets(other), tickets(), changed_only=state)
        assert (await run_upsert(Tickets(other), tickets(), changed_only=state, same_tenant=True)).skipped == ROWS
    file = StoredRowsFile(state)
    with pytest.raises(StateError, match=f"process {os.getpid()} is using this state"):
        await run_upsert(repository, tickets(), changed_only=state)
    file.close()
    for content, message in [(b"x" * 5000, "is damaged, or not the state of upserts: move it away to begin again")]:
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(StateError, match=message):
            await run_upsert(repository, tickets(), changed_only=tmp_path / "other")
        with pytest.raises(StateError, match=message):
            await plan_upsert(repository, tickets(), changed_only=tmp_path / "other")
        assert (tmp_path / "other").read_bytes() == content
    with closing(sqlite3.connect(tmp_path / "sqlite")) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(StateError, match="is a SQLite file of another kind"):
        await run_upsert(repository, tickets(), changed_only=tmp_path / "sqlite")
    with pytest.raises(StateError, match="is not a regular file"):
        await run_upsert(repository, tickets(), changed_only=tmp_path)
    with pytest.raises(StateError, match="there is no folder"):
        await run_upsert(repository, tickets(), changed_only=tmp_path / "none" / "state")


async def test_a_journal_and_a_state_that_do_not_belong_together_are_refused(
    planhat: MemorySandbox, session: Session, tmp_path: Path
) -> None:
    """The job would skip other rows in each of its runs."""
    state, journal, repository = tmp_path / "state", tmp_path / "a.db", Tickets(session)
    await run_upsert(repository, tickets(), changed_only=state, journal=journal)
    with pytest.raises(JournalError, match=r"changed_only is not given, was \w+ job 1"):
        await run_upsert(repository, tickets(), journal=journal)
    await run_upsert(repository, tickets(), changed_only=state)
    for job in (run_upsert, plan_upsert):
        with pytest.raises(
            StateError, match="is not as it was when the job of this journal began: another job has beg"
        ):
            await job(repository, tickets(), changed_only=state, journal=journal)
        with pytest.raises(StateError, match="or it is another file"):
            await job(repository, tickets(), changed_only=tmp_path / "lost", journal=journal)
    await run_upsert(repository, tickets(), journal=tmp_path / "b.db")
    for job in (run_upsert, plan_upsert):
        with pytest.raises(JournalError, match="a job that began without changed_only"):
            await job(repository, tickets(), changed_only=state, journal=tmp_path / "b.db")
    assert sent(planhat) == [ROWS, ROWS]
