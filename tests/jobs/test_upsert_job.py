"""Test how a rerun of a job treats rows sent before, however the earlier run ended."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest
from killed_jobs import Watched, saved, session_on, upsert_on

from planhat_async import ChunkResult, Notes, Outcome, Tasks, Tickets, UpsertResult
from planhat_async._http.wire import Request
from planhat_async.batching.chunk_ledger import Recorded
from planhat_async.batching.chunks import Chunk
from planhat_async.errors import AuthenticationError, UnknownOutcomeError
from planhat_async.jobs.entries import ChunkState, Run
from planhat_async.jobs.job_identity import refuse_other_job
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.journal_file import JournalError, JournalFile
from planhat_async.jobs.ledger import JournalLedger
from planhat_async.jobs.upsert_job import UpsertJob, run_upsert
from planhat_async.sandbox import Sandbox

LOST = UnknownOutcomeError("no answer", method="PUT", path="/")


def tickets(n_rows: int, **more: Any) -> list[dict[str, Any]]:
    return [{"sourceId": f"t{n}", "email": "a@b.example", "domains": ["b.example"], **more} for n in range(n_rows)]


def notes(n_rows: int) -> list[dict[str, Any]]:
    return [{"companyId": "5f4e3d2c1b0a998877665544", "subject": f"note {n}"} for n in range(n_rows)]


def counted(result: UpsertResult) -> dict[str, int]:
    return {name: n_rows for name, n_rows in result.counts().items() if n_rows}


def subjects(planhat: Sandbox) -> list[str]:
    return sorted(note["subject"] for note in planhat.records("notes"))


def title_of(planhat: Sandbox, row: dict[str, Any]) -> str:
    [found] = [one["title"] for one in planhat.records("tickets") if one["sourceId"] == row["sourceId"]]
    return str(found)


def n_writes(planhat: Sandbox) -> int:
    return sum(call.method == "PUT" for call in planhat.requests)


def fail_at(number: int, error: Exception) -> Any:
    def check(at: int) -> None:
        if at == number:
            raise error

    return check


def before_writes(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Call a function before each write to a journal, in the journal's thread."""
    write = JournalFile.write

    def patched(self: JournalFile, statements: Any, *, precedes_send: bool = False) -> None:
        action()
        write(self, statements, precedes_send=precedes_send)

    monkeypatch.setattr(JournalFile, "write", patched)


def fill_disk_after(monkeypatch: pytest.MonkeyPatch, left: list[None]) -> None:
    """Let as many writes succeed as the list is long."""

    def use_room() -> None:
        if not left:
            error = sqlite3.OperationalError("said")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        left.pop()

    before_writes(monkeypatch, use_room)


async def run_to_end(job: UpsertJob) -> None:
    async with job:
        async for _ in job:
            pass


async def states(path: Path) -> list[ChunkState]:
    async with await Journal.open(path) as journal:
        return [entry.state for entry in journal.entries.values()]


async def test_a_completed_job_sends_no_rows_again(planhat: Sandbox, tmp_path: Path) -> None:
    """The rerun has the result and the problems of the first run."""
    path, rows = tmp_path / "job.db", [*tickets(4), {"title": "keyless"}, *tickets(7)[4:]]
    results = [await upsert_on(planhat, Tickets, rows, path, concurrency=4, chunk_size=3) for _ in range(2)]
    assert [counted(result) for result in results] == [{"created": 7, "invalid": 1}] * 2
    assert results[0].problems == results[1].problems
    assert results[0].not_stored == results[1].not_stored == {Outcome.INVALID: (range(4, 5),)}
    assert n_writes(planhat) == 3


async def test_each_chunk_is_yielded_as_it_ends(planhat: Sandbox, tmp_path: Path) -> None:
    """This includes the chunks of earlier runs."""
    ended: list[ChunkResult] = []
    for _ in range(2):
        ended.clear()
        await upsert_on(planhat, Tickets, tickets(4), tmp_path / "job.db", on_chunk=ended.append)
        assert [chunk.number for chunk in ended] == [0, 1]


async def test_a_job_that_is_stopped_before_it_begins_sends_no_rows(planhat: Sandbox, tmp_path: Path) -> None:
    """The job is not done."""
    async with session_on(planhat) as session:
        job = UpsertJob(Tickets(session), tickets(4), journal=tmp_path / "job.db")
        job.stop()
        await run_to_end(job)
    assert (job.is_done, n_writes(planhat)) == (False, 0)


async def test_without_a_journal_each_run_sends_all_rows(planhat: Sandbox) -> None:
    """A rerun does not know which rows were sent."""
    for _ in range(2):
        async with session_on(planhat) as session:
            result = await run_upsert(Tickets(session), tickets(4), chunk_size=2)
            assert result.ok
    assert n_writes(planhat) == 4


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(4))
async def test_a_killed_job_of_keyed_rows_resumes(planhat: Sandbox, tmp_path: Path, moment: str, number: int) -> None:
    """Answered chunks are not sent again; chunks in flight are."""
    path, rows = tmp_path / "job.db", tickets(8)
    network = Watched(planhat.url)
    setattr(network, moment, lambda at: at == number and saved(path, path.with_name("left.db")))
    await upsert_on(planhat, Tickets, rows, path, network)
    result = await upsert_on(planhat, Tickets, rows, path.with_name("left.db"))
    assert (result.created, result.unreported, result.rows) == (2 * number, 8 - 2 * number, 8)
    assert n_writes(planhat) == 4 + 4 - number
    assert len(planhat.records("tickets")) == 8


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_keyless_rows_that_were_in_flight_at_a_kill_are_unknown(
    planhat: Sandbox, tmp_path: Path, moment: str
) -> None:
    """They are listed and never sent again by default; rows not sent before are sent."""
    path, left = tmp_path / "job.db", tmp_path / "left.db"

    network = Watched(planhat.url)
    setattr(network, moment, lambda at: at == 1 and saved(path, left))
    async with (
        session_on(planhat, network) as session,
        UpsertJob(Notes(session), notes(4), journal=path, chunk_size=2, concurrency=1) as job,
    ):
        async for _ in job:
            if network.n_writes == 2:
                break
    for _ in range(2):
        result = await upsert_on(planhat, Notes, notes(6), left)
        assert counted(result) == {"created": 4, "unknown": 2}
        assert result.not_stored == {Outcome.UNKNOWN: (range(2, 4),)}
    assert subjects(planhat) == [f"note {n}" for n in range(6)]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(4))
async def test_a_journal_copied_without_its_log_causes_no_duplicates(
    planhat: Sandbox, tmp_path: Path, moment: str, number: int
) -> None:
    """The main file holds every chunk before it is sent; a chunk without an end is unknown."""
    path, left = tmp_path / "job.db", tmp_path / "left.db"

    def kill(at: int) -> None:
        if at == number:
            left.write_bytes(path.read_bytes())
            raise LOST

    def stand_still(at: int) -> None:
        if at > number:
            raise LOST
        if moment == "before":
            kill(at)

    network = Watched(planhat.url, before=stand_still, after=kill)
    await upsert_on(planhat, Notes, notes(8), path, network)
    result = await upsert_on(planhat, Notes, notes(8), left)
    assert (result.rows, result.created + result.unknown) == (8, 8)
    assert len(subjects(planhat)) == len({*subjects(planhat)}) >= result.created


async def killed_notes(planhat: Sandbox, path: Path, *, arrives: bool) -> None:
    """Kill a job of six notes while the second of three chunks is in flight, and has arrived or not."""
    whole = path.with_name("whole.db")

    def kill(at: int) -> None:
        if at == 1:
            saved(whole, path)
            raise LOST

    network = Watched(planhat.url)
    setattr(network, "after" if arrives else "before", kill)
    async with (
        session_on(planhat, network) as session,
        UpsertJob(Notes(session), notes(6), journal=whole, chunk_size=2, concurrency=1) as job,
    ):
        async for chunk in job:
            if chunk.number == 1:
                break


async def test_unknown_rows_are_sent_again_on_request(planhat: Sandbox, tmp_path: Path) -> None:
    """Rows that had arrived are duplicated then, which is why this is optional."""
    path = tmp_path / "job.db"
    await killed_notes(planhat, path, arrives=True)
    result = await upsert_on(planhat, Notes, notes(6), path, concurrency=4, resend_unknown=True)
    assert counted(result) == {"created": 6}
    assert subjects(planhat) == sorted([f"note {n}" for n in range(6)] + ["note 2", "note 3"])


@pytest.mark.parametrize("arrives", [True, False])
async def test_unknown_rows_are_verified_by_unique_values(planhat: Sandbox, tmp_path: Path, *, arrives: bool) -> None:
    """Found rows are created, missing ones are sent: in the end each row exists once."""
    path = tmp_path / "job.db"
    await killed_notes(planhat, path, arrives=arrives)
    looked_for: dict[str, Any] = {"verify_by": ["subject"], "verify_wait": 0.0}
    result = await upsert_on(planhat, Notes, notes(6), path, concurrency=4, **looked_for)
    assert counted(result) == {"created": 6}
    assert subjects(planhat) == [f"note {n}" for n in range(6)]
    assert await states(path) == [ChunkState.ANSWERED] * 3


async def test_an_unsent_row_is_sent_by_the_next_run(planhat: Sandbox, tmp_path: Path) -> None:
    """This includes a row without a key, and one refused because of a wrong token."""
    path = tmp_path / "job.db"
    refused = AuthenticationError("wrong token", status=401)
    first = await upsert_on(planhat, Notes, notes(6), path, Watched(planhat.url, before=fail_at(1, refused)))
    second = await upsert_on(planhat, Notes, notes(6), path)
    assert first.stopped_by is not None
    assert counted(second) == {"created": 6}
    assert subjects(planhat) == [f"note {n}" for n in range(6)]


async def test_writes_to_one_key_keep_their_order_across_runs(planhat: Sandbox, tmp_path: Path) -> None:
    """Rows after one that is sent again are sent again too, even if they were answered."""
    path, rows = tmp_path / "job.db", [*tickets(2, title="old"), *tickets(2, title="new")]
    first = await upsert_on(planhat, Tickets, rows, path, Watched(planhat.url, before=fail_at(0, LOST)))
    assert counted(first) == {"created": 2, "unknown": 2}
    second = await upsert_on(planhat, Tickets, rows, path)
    assert second.ok
    assert {ticket["title"] for ticket in planhat.records("tickets")} == {"new"}


async def test_writes_to_one_key_keep_their_order_when_a_rerun_is_stopped(planhat: Sandbox, tmp_path: Path) -> None:
    """The run after it sends the remaining rows; rows without a common key are not sent again."""
    path, (other, mine) = tmp_path / "job.db", tickets(2)
    rows = [mine | {"title": "old"}, mine | {"title": "new"}, other]
    first = await upsert_on(planhat, Tickets, rows, path, chunk_size=1)
    assert first.ok
    async with await Journal.open(path) as journal:
        doubtful = attrs.evolve(journal.entries[0], state=ChunkState.SENDING, pending=(range(1),), counts={})
        await journal.save(doubtful)
    network = Watched(planhat.url, after=lambda _: job.stop())
    async with session_on(planhat, network) as session:
        job = UpsertJob(Tickets(session), rows, journal=path, chunk_size=1, concurrency=1)
        await run_to_end(job)
    assert await states(path) == [ChunkState.ANSWERED] * 3
    assert title_of(planhat, mine) == "old"
    for n_sent in (5, 5):
        result = await upsert_on(planhat, Tickets, rows, path, chunk_size=1)
        assert (result.ok, title_of(planhat, mine), n_writes(planhat)) == (True, "new", n_sent)


async def test_a_stopped_job_waits_for_chunks_in_flight(planhat: Sandbox, tmp_path: Path) -> None:
    """No row is unknown, and the next run sends the rest."""
    path = tmp_path / "job.db"
    async with session_on(planhat) as session:
        async with UpsertJob(Notes(session), notes(8), journal=path, chunk_size=2, concurrency=1) as job:
            async for _ in job:
                job.stop()
        # The second chunk had begun when the first was yielded.
        assert (job.result.created, job.result.unknown) == (4, 0)
        result = await run_upsert(Notes(session), notes(8), journal=path, chunk_size=2, concurrency=1)
    assert counted(result) == {"created": 8}
    assert n_writes(planhat) == 4


@pytest.mark.parametrize("at", [0, 1])
async def test_a_job_that_is_stopped_with_its_last_chunk_is_done(planhat: Sandbox, tmp_path: Path, at: int) -> None:
    """No row remains, and the journal records the end of the input."""

    def stop(number: int) -> None:
        if number == at:
            job.stop()

    path = tmp_path / "job.db"
    async with session_on(planhat, Watched(planhat.url, before=stop)) as session:
        job = UpsertJob(Tickets(session), tickets(4), journal=path, chunk_size=2, concurrency=1)
        await run_to_end(job)
    assert (job.is_done, job.result.stored) == (at == 1, 2 + 2 * at)
    journal = await Journal.load(path)
    assert [run.ended_by for run in journal.runs] == [None if job.is_done else "stopped"]
    assert ("n_chunks" in journal.job) == job.is_done


@pytest.mark.parametrize("way", ["stopped", "refused", "left", "changed"])
async def test_rows_a_run_did_not_reach_have_the_outcomes_in_the_journal(
    planhat: Sandbox, tmp_path: Path, way: str
) -> None:
    """Rows stored by an earlier run are not reported as unsent if this run ends before it reaches them."""
    path, rows = tmp_path / "job.db", [*tickets(9), {"title": "keyless"}]
    first = await upsert_on(planhat, Tickets, rows, path, Watched(planhat.url, before=fail_at(0, LOST)))
    assert counted(first) == {"created": 7, "unknown": 2, "invalid": 1}
    refused = AuthenticationError("wrong token", status=401)
    network = Watched(planhat.url)
    if way == "refused":
        network.before = fail_at(0, refused)
    elif way == "stopped":
        network.after = lambda _: job.stop()
    elif way == "changed":
        rows[2] = rows[2] | {"title": "other"}
    async with session_on(planhat, network) as session:
        job = UpsertJob(Tickets(session), rows, journal=path, chunk_size=2, concurrency=1)
        with pytest.raises(JournalError) if way == "changed" else nullcontext():
            async with job:
                async for _ in job:
                    if way == "left":
                        break
    expected = {"created": 7, "invalid": 1} | ({"unknown": 2} if way == "refused" else {"created": 9})
    assert counted(job.result) == expected
    assert (job.result.rows, job.result.n_chunks) == (10, len(await states(path)))
    assert job.result.stopped_by is (refused if way == "refused" else None)


def ticket(key: str, **values: Any) -> dict[str, Any]:
    """A ticket that can be created."""
    return {"sourceId": key, "email": "a@b.example", "domains": ["b.example"], **values}


def lose_first(number: int) -> None:
    if number == 0:
        raise LOST


async def test_a_rerun_sends_only_the_rows_that_are_unknown(planhat: Sandbox, tmp_path: Path) -> None:
    """The other rows of their chunk keep their outcomes, and what was changed in Planhat meanwhile stays."""
    path = tmp_path / "job.db"
    rows = [ticket(f"t{n}", title="new") for n in range(4)]
    network = Watched(planhat.url, before=lambda number: lose_first(number - 1))
    assert counted(await upsert_on(planhat, Tickets, rows, path, network)) == {"created": 2, "unknown": 2}
    async with session_on(planhat) as session:
        await Tickets(session).upsert_many([{**rows[0], "title": "edited"}])
    network = Watched(planhat.url)
    second = await upsert_on(planhat, Tickets, rows, path, network)
    assert (counted(second), network.n_writes) == ({"created": 4}, 1)
    assert {one["sourceId"]: one["title"] for one in planhat.records("tickets")}["t0"] == "edited"


async def test_a_row_that_lacks_what_a_new_record_needs_is_sent_again_on_request_only(
    planhat: Sandbox, tmp_path: Path
) -> None:
    """Planhat has dropped it without a word: sent again unchanged, it would be dropped again."""
    planhat.add_company("5f4e3d2c1b0a998877665544", domains=["b.example"])
    path = tmp_path / "job.db"
    rows = [ticket("t0"), {"sourceId": "t1", "title": "new"}, ticket("t2", domains=["c.example"]), ticket("t3")]
    first = await upsert_on(planhat, Tickets, rows, path)
    assert counted(first) == {"created": 2, "rejected": 1, "unknown": 1}
    assert [problem.position for problem in first.problems] == [1, 2]
    for options, n_writes in (({}, 0), ({"resend_unknown": True}, 1)):
        network = Watched(planhat.url)
        again = await upsert_on(planhat, Tickets, rows, path, network, **options)
        assert (counted(again), network.n_writes) == (counted(first), n_writes)
        assert [problem.position for problem in again.problems] == [1, 2]


@pytest.mark.parametrize("is_incomplete", [False, True])
async def test_rows_behind_one_that_is_sent_again_are_sent_again(
    planhat: Sandbox, tmp_path: Path, is_incomplete: bool
) -> None:
    """The last row of a key counts, also where other rows of its chunk are unknown, so that it is open in any case."""
    path = tmp_path / "job.db"
    other = {"sourceId": "C", "title": "x"} if is_incomplete else ticket("C")
    rows = [ticket("A", title="old"), ticket("B"), other, ticket("A", title="new")]
    for network in (Watched(planhat.url, before=lose_first), Watched(planhat.url), Watched(planhat.url)):
        await upsert_on(planhat, Tickets, rows, path, network)
        assert [one["title"] for one in planhat.records("tickets") if one["sourceId"] == "A"] == ["new"]


async def test_an_ambiguous_row_stays_unknown(planhat: Sandbox, tmp_path: Path) -> None:
    """A later run would take the record of its equal for it, and count as stored what is not."""
    rows = [{"companyId": "5f4e3d2c1b0a998877665544", "subject": "same"}] * 2

    def lose_second(number: int) -> None:
        if number == 1:
            raise LOST

    for network in (Watched(planhat.url, before=lose_second, after=lose_first), Watched(planhat.url)):
        options: dict[str, Any] = {"chunk_size": 1, "verify_by": ["subject"], "verify_wait": 0}
        result = await upsert_on(planhat, Notes, rows, tmp_path / "job.db", network, **options)
        assert (counted(result), len(planhat.records("notes"))) == ({"created": 1, "unknown": 1}, 1)


@pytest.mark.parametrize("way", ["stopped", "refused", "left"])
@pytest.mark.parametrize("n_before", [1, 4])
async def test_rows_that_were_read_but_not_begun_are_counted_once(
    planhat: Sandbox, tmp_path: Path, way: str, n_before: int
) -> None:
    """Their chunks of an earlier run may have been cut differently."""
    path, taken = tmp_path / "job.db", set[int]()
    key = [{"sourceId": f"t{n}"} if n % 3 else {} for n in range(40)]

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(40):
            taken.add(n)
            yield {"companyId": "5f4e3d2c1b0a998877665544", "action": "Call", **key[n]} if n % 5 else {}

    async def run(network: Watched) -> UpsertJob:
        async with session_on(planhat, network) as session:
            job = UpsertJob(Tasks(session), rows(), journal=path, chunk_size=3, concurrency=1)
            jobs.append(job)
            async with job:
                async for _ in job:
                    if way == "left" and len(jobs) == 2 and network.n_writes:
                        break
        return job

    jobs: list[UpsertJob] = []
    refused = AuthenticationError("wrong token", status=401)

    def stop(at: int) -> None:
        if at == n_before:
            jobs[0].stop()

    first = await run(Watched(planhat.url, before=fail_at(0, LOST), after=stop))
    assert sum(counted(first.result).values()) == len(taken)
    async with await Journal.open(path) as journal:
        known = {n for entry in journal.entries.values() for one in entry.positions for n in one}
        answered = journal.entries[0]
        (unknown,) = (group for group in answered.groups if group.outcome is Outcome.UNKNOWN)
        lost = attrs.evolve(
            answered,
            state=ChunkState.SENDING,
            pending=unknown.positions,
            counts={name: n for name, n in answered.counts.items() if name != Outcome.UNKNOWN},
            groups=tuple(group for group in answered.groups if group is not unknown),
        )
        await journal.save(lost)
    taken.clear()
    network = Watched(planhat.url)
    if way == "refused":
        network.before = fail_at(0, refused)
    elif way == "stopped":
        network.after = lambda _: jobs[1].stop()
    second = await run(network)
    assert second.earlier
    assert second.result.rows == len(taken | known)
    third = await run(Watched(planhat.url))
    assert (third.result.rows, third.result.invalid) == (40, 8)
    assert third.result.stored + third.result.unknown == 32


async def test_a_cancelled_job_distinguishes_unsent_from_unknown_rows(planhat: Sandbox, tmp_path: Path) -> None:
    """Rows in flight are unknown; the next run sends the others, although they have no keys."""
    path = tmp_path / "job.db"
    held = asyncio.Event()

    class Holding(Watched):
        async def send(self, request: Request, **options: Any) -> Any:
            if request.method == "GET":
                return await super().send(request, **options)
            held.set()
            return await asyncio.get_running_loop().create_future()

    async with session_on(planhat, Holding(planhat.url)) as session:
        task = asyncio.create_task(run_upsert(Notes(session), notes(6), journal=path, chunk_size=2, concurrency=1))
        await held.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    result = await upsert_on(planhat, Notes, notes(6), path)
    assert counted(result) == {"created": 4, "unknown": 2}
    assert subjects(planhat) == [f"note {n}" for n in range(2, 6)]


async def test_a_job_whose_end_is_cancelled_closes_its_journal(
    planhat: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation comes while the end of the run is written; another process may use the journal afterwards."""
    path, opened = tmp_path / "job.db", list[Journal]()
    begun, going_on = threading.Event(), threading.Event()
    save_run = Journal.save_run

    def wait() -> None:
        begun.set()
        going_on.wait()

    async def end(self: Journal, run: Run) -> None:
        opened.append(self)
        if run.ended is not None:
            before_writes(monkeypatch, wait)
        await save_run(self, run)

    monkeypatch.setattr(Journal, "save_run", end)
    async with session_on(planhat) as session:
        task = asyncio.create_task(run_upsert(Notes(session), notes(2), journal=path))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, going_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {journal.is_closed for journal in opened} == {True}
    assert await states(path) == [ChunkState.ANSWERED]


async def test_a_closed_job_raises_an_error_not_raised_before(planhat: Sandbox, tmp_path: Path) -> None:
    """Its journal holds the error that ended the run."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from tickets(4)
        raise OSError("the input is gone")

    async with session_on(planhat) as session:
        job = UpsertJob(Tickets(session), rows(), journal=tmp_path / "job.db", chunk_size=2, concurrency=1)
        with pytest.raises(OSError, match="the input is gone"):
            async with job:
                await anext(job)
    assert job.result.rows == 4
    journal = await Journal.load(tmp_path / "job.db")
    assert [run.ended_by for run in journal.runs] == ["the input is gone"]


async def test_an_invalid_option_creates_no_journal(planhat: Sandbox, tmp_path: Path) -> None:
    """It adds no run to an existing journal either."""
    path = tmp_path / "job.db"
    async with session_on(planhat) as session:
        with pytest.raises(ValueError, match="concurrency"):
            await run_upsert(Tickets(session), tickets(1), journal=path, concurrency=0)
        with pytest.raises(
            TypeError, match=r"^a job has no option 'colour'; it has changed_only, .*, journal, .*wait$"
        ):
            await run_upsert(Tickets(session), tickets(1), journal=path, colour=1)  # type: ignore[call-arg]
        assert not path.exists()
        assert (await run_upsert(Tickets(session), tickets(1), journal=path)).created == 1
        with pytest.raises(ValueError, match="concurrency"):
            await run_upsert(Tickets(session), tickets(1), journal=path, concurrency=0)
    assert len((await Journal.load(path)).runs) == 1


async def test_any_iterable_is_a_source(planhat: Sandbox, tmp_path: Path) -> None:
    """An async one works too, as long as it yields the same rows in each run."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for row in tickets(5):
            yield row

    def plainly() -> Iterator[dict[str, Any]]:
        yield from tickets(5)

    for source in (rows(), plainly(), rows()):
        async with session_on(planhat) as session:
            result = await run_upsert(Tickets(session), source, journal=tmp_path / "job.db", chunk_size=2)
            assert counted(result) == {"created": 5}
    assert n_writes(planhat) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (tickets(4, title="other"), "chunk 1, of the rows from 1 to 2, is not what it was"),
        ([*tickets(3), *tickets(5)[4:]], "chunk 2, of the rows from 3 to 4, is not what it was"),
        (tickets(6), "it had 4 rows, and now has more"),
        (tickets(2), "it ends after 2 rows, an earlier run has read more"),
        ([], "it ends after 0 rows, an earlier run has read more"),
    ],
)
async def test_an_input_that_has_changed_is_refused(
    planhat: Sandbox, tmp_path: Path, rows: list[Any], message: str
) -> None:
    """The message names the rows, and no row is sent."""
    async with session_on(planhat) as session:
        await run_upsert(Tickets(session), tickets(4), journal=tmp_path / "job.db", chunk_size=2)
        with pytest.raises(JournalError, match=f"the input has changed: {message}"):
            await run_upsert(Tickets(session), rows, journal=tmp_path / "job.db", chunk_size=2, concurrency=1)
    assert n_writes(planhat) == 2


async def test_a_job_of_another_kind_is_refused(planhat: Sandbox, tmp_path: Path) -> None:
    """The message lists every difference, and no row is read."""
    async with session_on(planhat) as session:
        await run_upsert(Tickets(session), tickets(4), journal=tmp_path / "job.db", chunk_size=2)
        with pytest.raises(JournalError, match=r"another job: model is tasks, was tickets; chunk_size is 3, was 2\."):
            await run_upsert(Tasks(session), [], journal=tmp_path / "job.db", chunk_size=3)
    async with Sandbox() as other, session_on(other) as session:
        with pytest.raises(JournalError, match=f"base_url is {other.url}, was {planhat.url}"):
            await run_upsert(Tickets(session), tickets(4), journal=tmp_path / "job.db", chunk_size=2)


def test_differences_are_listed_by_importance() -> None:
    """First what is sent and where, then the file, then how it is read, then how it is cut."""
    journal = Journal(Path("job.db"))
    journal.job = {"chunk_size": 5, "bytes": 7, "columns": {"b": "x"}, "model": "tickets", "base_url": "u", "n_rows": 9}
    with pytest.raises(JournalError) as refused:
        refuse_other_job(
            journal, {"model": "notes", "base_url": "v", "bytes": 8000, "chunk_size": 6, "time_zone": "UTC"}
        )
    assert str(refused.value) == (
        "job.db is the journal of another job: model is notes, was tickets; base_url is v, was u; "
        "size in bytes is 8,000, was 7; columns is not given, was {'b': 'x'}; time_zone is UTC, was not given; "
        "chunk_size is 6, was 5. Put back what it was, or begin another job with another journal"
    )


async def test_a_concurrent_second_run_is_refused(planhat: Sandbox, tmp_path: Path) -> None:
    """The first run continues."""
    async with (
        session_on(planhat) as session,
        UpsertJob(Tickets(session), tickets(4), journal=tmp_path / "job.db") as job,
    ):
        with pytest.raises(JournalError, match=f"process {os.getpid()} is using this journal"):
            await run_upsert(Tickets(session), tickets(4), journal=tmp_path / "job.db")
        assert [chunk.created async for chunk in job] == [4]


@pytest.mark.parametrize("number", range(2, 8))
async def test_no_chunk_is_sent_after_the_journal_cannot_be_written(
    planhat: Sandbox, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says why, and the result is complete; a later run sends the rest without duplicates."""
    fill_disk_after(monkeypatch, [None] * number)
    path = tmp_path / "job.db"
    async with session_on(planhat) as session:
        job = UpsertJob(Notes(session), notes(6), journal=path, chunk_size=2, concurrency=1)
        with pytest.raises(JournalError, match=r"job\.db: the disk is full: nothing more is sent"):
            await run_to_end(job)
        monkeypatch.undo()
        n_sent = len(planhat.records("notes"))
        assert n_sent == job.result.created == 2 * ((number - 1) // 2)
        result = await run_upsert(Notes(session), notes(6), journal=path, chunk_size=2, concurrency=1)
    # Rows that were answered without a record of it are unknown.
    assert (result.created + result.unknown, result.unknown) == (6, 2 * ((number - 1) % 2 == 0))
    assert subjects(planhat) == [f"note {n}" for n in range(6)]


async def test_answers_that_did_not_fit_on_the_disk_are_written_once_there_is_space(
    planhat: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answered rows without a key are not in doubt then, and the run has ended."""
    free_log, left = Journal.free_log, [None] * 5

    async def make_room(self: Journal) -> None:
        await free_log(self)
        left.extend([None] * 9)

    fill_disk_after(monkeypatch, left)
    monkeypatch.setattr(Journal, "free_log", make_room)
    path = tmp_path / "job.db"
    async with session_on(planhat) as session:
        with pytest.raises(JournalError, match="the disk is full"):
            await run_upsert(Notes(session), notes(6), journal=path, chunk_size=2, concurrency=1)
        assert await states(path) == [ChunkState.ANSWERED] * 2
        monkeypatch.undo()
        result = await run_upsert(Notes(session), notes(6), journal=path, chunk_size=2, concurrency=1)
    assert counted(result) == {"created": 6}
    journal = await Journal.load(path)
    assert [run.ended is None for run in journal.runs] == [False, False]
    assert journal.job["model"] == "notes"


async def test_totals_include_all_runs_of_the_job(planhat: Sandbox, tmp_path: Path) -> None:
    """They contain calls, attempts and seconds."""
    for _ in range(3):
        async with session_on(planhat) as session:
            async with UpsertJob(Tickets(session), tickets(4), journal=tmp_path / "job.db", chunk_size=2) as job:
                async for _ in job:
                    pass
            cost = job.cost(seconds=1.0)
            assert (cost.calls, cost.attempts) == (2, 2)
            assert cost.seconds >= 1.0


async def test_the_event_loop_does_not_wait_for_the_disk(
    planhat: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All work of SQLite and the digests run in the journal's own thread."""
    names: set[str] = set()

    def digested(_: Any) -> str:
        names.add(threading.current_thread().name)
        return ""

    before_writes(monkeypatch, lambda: names.add(threading.current_thread().name))
    monkeypatch.setattr("planhat_async.jobs.ledger.digest_of", digested)
    await upsert_on(planhat, Tickets, tickets(4), tmp_path / "job.db", concurrency=4)
    assert names == {"journal_0"}


@pytest.mark.parametrize("keeps", [False, True])
async def test_an_error_that_ends_a_job_is_kept_without_quoted_values(
    planhat: Sandbox, tmp_path: Path, *, keeps: bool
) -> None:
    """It may quote a row."""
    rows = [{"sourceId": "secret", "email": "a@b.example", "titel": "x"}]
    options: dict[str, Any] = {"journal": tmp_path / "job.db", "keep_values": keeps, "on_invalid": "raise"}
    async with session_on(planhat) as session:
        with pytest.raises(ValueError, match="'titel'"):
            await run_upsert(Tickets(session), rows, **options)
    (run,) = (await Journal.load(tmp_path / "job.db")).runs
    assert ("titel" in (run.ended_by or "")) is keeps


async def test_the_journal_contains_no_row_and_no_token(planhat: Sandbox, tmp_path: Path) -> None:
    """By default, it does not contain the values that reasons quote either."""
    rows: list[Any] = [
        *tickets(2, title="secret title"),
        {"sourceId": "secret key", "email": "x@b.example", "titel": 1},
    ]
    for keeps, name in ((False, "a.db"), (True, "b.db")):
        await upsert_on(planhat, Tickets, rows, tmp_path / name, chunk_size=5000, concurrency=4, keep_values=keeps)
        async with await Journal.open(tmp_path / name) as journal:
            ((group,),) = [entry.groups for entry in journal.entries.values()]
        assert ("titel" in group.reason) is keeps
        held = (tmp_path / name).read_bytes()
        assert b"secret title" not in held
        assert b"a@b.example" not in held
        assert planhat.token.encode() not in held


@pytest.mark.parametrize("n_more", [0, 3])
async def test_an_answer_is_kept_if_writing_it_is_cancelled(
    planhat: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_more: int
) -> None:
    """Several Ctrl-C may come while a slow disk stores the ends of chunks; no outcome is lost."""
    path, begin, end, ending = tmp_path / "job.db", JournalLedger.begin_chunk, JournalLedger.end_chunk, asyncio.Event()
    gate = threading.Event()

    async def begun(self: JournalLedger, chunk: Chunk) -> Recorded | None:
        known = await begin(self, chunk)
        n_begun.append(chunk.number)
        return known

    async def noted(self: JournalLedger, result: ChunkResult) -> None:
        n_ended.append(result.number)
        ending.set() if len(n_ended) == 3 else None
        await end(self, result)

    n_begun: list[int] = []
    n_ended: list[int] = []
    monkeypatch.setattr(JournalLedger, "begin_chunk", begun)
    monkeypatch.setattr(JournalLedger, "end_chunk", noted)
    before_writes(monkeypatch, lambda: len(n_begun) == 3 and gate.wait(60))
    async with session_on(planhat) as session:
        job = UpsertJob(Notes(session), notes(6), journal=path, chunk_size=2)
        going = asyncio.create_task(run_to_end(job))
        await asyncio.wait_for(ending.wait(), 60)
        job.stop()
        going.cancel()
        for n in range(n_more):
            asyncio.get_running_loop().call_later(0.02 * (n + 1), going.cancel)
        asyncio.get_running_loop().call_later(0.1, gate.set)
        with pytest.raises(asyncio.CancelledError):
            await going
    assert counted(job.result) == {"created": 6}
    assert await states(path) == [ChunkState.ANSWERED] * 3


async def test_positions_of_rows_are_in_the_file_and_not_in_memory(planhat: Sandbox, tmp_path: Path) -> None:
    """If rows with and without a key alternate, each row would be a range of its own."""
    path = tmp_path / "job.db"
    async with session_on(planhat) as session, UpsertJob(Notes(session), notes(6), journal=path, chunk_size=2) as job:
        async for _ in job:
            pass
        assert job._journal is not None
        assert [entry.positions for entry in job._journal.entries.values()] == [()] * 3
    held = (await Journal.load(path)).entries.values()
    assert [entry.positions for entry in held] == [(range(2),), (range(2, 4),), (range(4, 6),)]


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_job_with_a_deleted_journal_sends_no_more_and_reports_every_row(
    planhat: Sandbox, tmp_path: Path, at: int, *, is_replaced: bool
) -> None:
    """It raises an error, even after the last chunk; answered rows are still reported."""
    path, copy = tmp_path / "job.db", tmp_path / "copy.db"
    copy.write_bytes(b"")

    def lose(number: int) -> None:
        if number == at:
            copy.replace(path) if is_replaced else path.unlink()

    async with session_on(planhat, Watched(planhat.url, before=lose)) as session:
        job = UpsertJob(Notes(session), notes(6), journal=path, chunk_size=2, concurrency=1)
        with pytest.raises(JournalError, match=r"the journal was .* while its job ran, so nothing more is sent"):
            await run_to_end(job)
    assert n_writes(planhat) == at + 1
    assert job.result.created == 2 * at + 2
    assert job.result.rows == job.result.created + job.result.unsent
    assert (path.read_bytes() == b"") if is_replaced else not path.exists()


async def test_a_chunk_cancelled_before_it_is_sent_is_withdrawn(
    planhat: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry was already on the disk; the next run sends its keyless rows."""
    path, save = tmp_path / "job.db", Journal.save
    written, held = asyncio.Event(), asyncio.Event()

    async def slow(self: Journal, entry: Any, run: Run | None = None, *, precedes_send: bool = False) -> None:
        await save(self, entry, run, precedes_send=precedes_send)
        if precedes_send:
            written.set()
            await held.wait()

    monkeypatch.setattr(Journal, "save", slow)
    async with session_on(planhat) as session:
        task = asyncio.create_task(run_upsert(Notes(session), notes(2), journal=path))
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await states(path) == []
    monkeypatch.setattr(Journal, "save", save)
    assert counted(await upsert_on(planhat, Notes, notes(2), path, chunk_size=5000, concurrency=4)) == {"created": 2}


async def test_a_second_job_on_a_session_counts_its_own_calls(planhat: Sandbox, tmp_path: Path) -> None:
    """Earlier calls of the session do not count, with or without a journal."""
    async with session_on(planhat) as session:
        for name in ("one.db", "two.db", None, None):
            path = None if name is None else tmp_path / name
            job = UpsertJob(Tickets(session), tickets(4), journal=path, chunk_size=2)
            await run_to_end(job)
            cost = job.cost(seconds=1.0)
            assert (cost.calls, cost.attempts) == (2, 2)
            if path is not None:
                (run,) = (await Journal.load(path)).runs
                assert (run.calls, run.attempts) == (2, 2)
