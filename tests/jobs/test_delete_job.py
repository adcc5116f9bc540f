"""A deletion as a job: what becomes of each row, and that no run after an interruption loses or repeats one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes import TOKEN, FakeTransport

from planhat_async import RateLimits, RetryPolicy, Session, Tickets
from planhat_async._http.wire import Response
from planhat_async.errors import AuthenticationError, NotFoundError, PermissionDeniedError, UnknownOutcomeError
from planhat_async.jobs.delete_job import DeleteJob, deletion_in, plan_delete, run_delete
from planhat_async.jobs.deletions import MAX_FAILURES, DeleteResult
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.journal_file import JournalError, JournalFile
from planhat_async.jobs.upsert_job import run_upsert
from planhat_async.results import Problem, Unreadable
from planhat_async.sandbox import Sandbox

ABSENT = "f" * 24
DELETED = Response(status=200, body=b'{"n":1}')
LOST = UnknownOutcomeError("no answer")


def stocked(planhat: Sandbox, n_tickets: int) -> list[str]:
    """The `_id`s of so many tickets in the sandbox."""
    rows = [{"sourceId": f"t{n}", "email": "a@b.example", "domains": ["b.example"]} for n in range(n_tickets)]
    return [str(planhat.add("tickets", row)["_id"]) for row in rows]


def keys(n_keys: int) -> list[str]:
    """Keys of no record in particular."""
    return [f"{number:024x}" for number in range(n_keys)]


def deleted(planhat: Sandbox) -> list[str]:
    """The keys of all DELETE requests, in the order of the requests."""
    return [call.path.rpartition("/")[2] for call in planhat.requests if call.method == "DELETE"]


def session_on(*answers: Response | Exception | None) -> tuple[Session, FakeTransport]:
    """A session whose attempts have these answers, none of which is tried again."""
    transport = FakeTransport([*answers])
    limits = RateLimits(per_minute=10_000, per_second=10_000)
    return Session(TOKEN, transport=transport, retry=RetryPolicy(attempts=1), limits=limits), transport


async def outcomes(path: Path) -> list[str]:
    """The outcomes in a journal, in the order of the rows."""
    async with await Journal.open(path) as journal:
        return await journal.read(
            lambda file: [one for (one,) in file.execute("SELECT outcome FROM deletions ORDER BY position")]
        )


async def test_each_row_has_one_outcome(planhat: Sandbox, session: Session) -> None:
    """Records, mappings and texts name a record; a key that is repeated is one row, whatever its case."""
    ids = stocked(planhat, 3)
    record = await anext(Tickets(session).iter())
    rows = [ids[0], ids[0].upper(), {"_id": ids[1]}, {"id": ids[2]}, record, ABSENT, "extid-1", {}, 5, Unreadable("x")]
    result = await run_delete(Tickets(session), rows)
    assert result.counts() == {"deleted": 3, "missing": 1, "rejected": 0, "invalid": 4, "unknown": 0, "unsent": 0}
    assert (result.rows, result.repeated, result.ok) == (8, 2, False)
    kinds = "a deletion of tickets takes an _id"
    assert [(group.reason, group.positions) for group in result.problem_groups] == [
        (f"'extid-1' is not an _id (24 hex digits): {kinds}, not extid-KEY or srcid-KEY", (range(6, 7),)),
        ("id is missing", (range(7, 8),)),
        ("a key is a string, not int: 5", (range(8, 9),)),
        ("x", (range(9, 10),)),
    ]
    assert planhat.records("tickets") == []
    assert sorted(deleted(planhat)) == sorted([*ids, ABSENT])


async def test_a_job_that_is_run_again_sends_nothing(planhat: Sandbox, session: Session, tmp_path: Path) -> None:
    """The result is that of the whole job, and so is the cost."""
    ids = stocked(planhat, 3)
    rows = [*ids, ABSENT, ids[0]]
    jobs = [DeleteJob(Tickets(session), rows, journal=tmp_path / "job.db") for _ in range(2)]
    results = [await job.run() for job in jobs]
    assert results[0] == results[1]
    assert (results[1].counts()["deleted"], results[1].missing, results[1].repeated, results[1].ok) == (3, 1, 1, True)
    # One more if the missing record is answered first: that the model's list can be read.
    assert {job.cost(seconds=0).calls for job in jobs} in ({4}, {5})
    assert [job.is_done for job in jobs] == [True, True]
    assert len(deleted(planhat)) == 4


@pytest.mark.slow
async def test_any_iterable_is_a_source() -> None:
    """Also an asynchronous one, and one of more rows than are read at a time."""

    async def stream() -> AsyncIterator[str]:
        for one in keys(1100):
            yield one

    session, transport = session_on(*[DELETED] * 1103)
    async with session:
        result = await run_delete(Tickets(session), stream(), concurrency=20)
        assert (result.deleted, result.rows) == (1100, 1100)
        assert (await run_delete(Tickets(session), iter(keys(3)))).deleted == 3
    assert {one.request.path for one in transport.sent} == {f"/tickets/{key}" for key in keys(1100)}


@pytest.mark.parametrize("rows", [ABSENT, 5])
async def test_what_is_no_iterable_of_keys_is_refused(session: Session, rows: Any) -> None:
    """One key is a text, of which each character would be a row."""
    with pytest.raises(TypeError, match="keys must be an iterable of keys"):
        DeleteJob(Tickets(session), rows)


async def test_nothing_is_deleted_before_the_input_is_read(planhat: Sandbox, session: Session, tmp_path: Path) -> None:
    """An error of the input leaves every record; the next run reads it from its beginning."""
    ids = stocked(planhat, 2)

    def broken() -> Any:
        yield ids[0]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await run_delete(Tickets(session), broken(), journal=tmp_path / "job.db")
    assert deleted(planhat) == []
    assert (await run_delete(Tickets(session), ids, journal=tmp_path / "job.db")).deleted == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([ABSENT], "the input is not what it was when the job began"),
        (["oops", "oops"], "the input is not what it was when the job began"),
    ],
)
async def test_an_input_that_has_changed_is_refused(
    planhat: Sandbox, session: Session, tmp_path: Path, change: list[str], message: str
) -> None:
    """By a run, and by its plan; nothing is deleted."""
    journal = tmp_path / "job.db"
    await run_delete(Tickets(session), keys(2), journal=journal)
    before = len(deleted(planhat))
    for call in (run_delete, plan_delete):
        with pytest.raises(JournalError, match=message):
            await call(Tickets(session), change, journal=journal)
    assert len(deleted(planhat)) == before


async def test_a_journal_of_an_upsert_is_refused_and_the_other_way_round(session: Session, tmp_path: Path) -> None:
    """The message says which is which."""
    await run_delete(Tickets(session), [], journal=tmp_path / "d.db")
    await run_upsert(Tickets(session), [], journal=tmp_path / "u.db")
    with pytest.raises(JournalError, match="is the journal of a deletion, not of an upsert: name another file"):
        await run_upsert(Tickets(session), [], journal=tmp_path / "d.db")
    with pytest.raises(JournalError, match="is the journal of an upsert, not of a deletion: name another file"):
        await run_delete(Tickets(session), [], journal=tmp_path / "u.db")


async def test_a_row_without_an_answer_is_unknown_and_sent_again(tmp_path: Path) -> None:
    """If the record is missing by then, it was deleted; a 404 without such a history is of a missing one."""
    missing = Response(status=404, body=b"{}")
    first, _ = session_on(LOST, DELETED, missing)
    async with first:
        result = await run_delete(Tickets(first), keys(3), journal=tmp_path / "job.db", concurrency=1)
    assert (result.unknown, result.deleted, result.missing, result.ok) == (1, 1, 1, False)
    second, transport = session_on(missing, Response(status=200, body=b"[]"))
    async with second:
        result = await run_delete(Tickets(second), keys(3), journal=tmp_path / "job.db", concurrency=1)
    assert (result.unknown, result.deleted, result.missing, result.ok) == (0, 2, 1, True)
    assert [one.request.path for one in transport.sent] == [f"/tickets/{keys(1)[0]}", "/tickets"]


async def test_a_count_of_0_means_that_the_record_is_missing(tmp_path: Path) -> None:
    """The job goes on; after a lost answer the record was deleted by then."""
    none = Response(status=200, body=b'{"n":0,"ok":1,"deletedCount":0}')
    first, _ = session_on(LOST, none, DELETED)
    async with first:
        result = await run_delete(Tickets(first), keys(3), journal=tmp_path / "job.db", concurrency=1)
    assert (result.unknown, result.missing, result.deleted, result.stopped_by) == (1, 1, 1, None)
    second, _ = session_on(none)
    async with second:
        result = await run_delete(Tickets(second), keys(3), journal=tmp_path / "job.db", concurrency=1)
    assert (result.missing, result.deleted, result.ok) == (1, 2, True)


@pytest.mark.parametrize("body", [b'{"error":"No such path"}', b"404 page not found"])
async def test_a_404_without_a_list_is_not_of_a_record(tmp_path: Path, body: bytes) -> None:
    """A wrong path, or a model that the token may not use: the run ends, and the next one sends the rows again."""
    first, transport = session_on(*[Response(status=404, body=body)] * 2)
    async with first:
        result = await run_delete(Tickets(first), keys(9), journal=tmp_path / "job.db", concurrency=1)
    assert (result.missing, result.unsent, len(transport.sent), result.ok) == (0, 9, 2, False)
    assert isinstance(result.stopped_by, NotFoundError)
    second, _ = session_on(*[DELETED] * 9)
    async with second:
        result = await run_delete(Tickets(second), keys(9), journal=tmp_path / "job.db", concurrency=1)
    assert (result.deleted, result.ok) == (9, True)


async def test_a_page_of_html_after_a_retry_does_not_say_that_a_record_was_deleted() -> None:
    """The first attempt was answered 503, and the second one by a proxy."""
    transport = FakeTransport([Response(status=503, body=b""), Response(status=404, body=b"<html>maintenance</html>")])
    retry = RetryPolicy(attempts=2, wait_initial=0.001, wait_max=0.001)
    async with Session(TOKEN, transport=transport, retry=retry) as session:
        result = await run_delete(Tickets(session), keys(1))
    assert (result.deleted, result.unknown) == (0, 1)


async def test_a_row_with_two_ids_is_invalid(session: Session) -> None:
    """A deletion cannot be undone."""
    result = await run_delete(Tickets(session), [{"_id": keys(2)[0], "id": keys(2)[1]}])
    assert [(one.reason, one.n_rows) for one in result.problem_groups] == [("id and _id are different", 1)]


async def test_what_is_rejected_has_a_reason_and_is_sent_again_by_the_next_run(tmp_path: Path) -> None:
    """Rows with the same reason share it: the key is not part of it."""
    no = Response(status=403, body=b'{"error":"locked"}')
    first, _ = session_on(DELETED, no, no)
    found: list[Problem] = []
    async with first:
        job = DeleteJob(Tickets(first), keys(3), journal=tmp_path / "job.db", concurrency=1, on_problem=found.append)
        result = await job.run()
    (group,) = result.problem_groups
    assert (result.rejected, group.n_rows, group.positions) == (2, 2, (range(1, 3),))
    assert group.reason.endswith(
        '/tickets/… answered 403 (the token may not do this; it may still do other things): {"error":"locked"}'
    )
    assert [(one.position, one.key) for one in found] == [(1, keys(3)[1]), (2, keys(3)[2])]
    second, transport = session_on(DELETED, DELETED)
    async with second:
        assert (await run_delete(Tickets(second), keys(3), journal=tmp_path / "job.db")).deleted == 3
    assert len(transport.sent) == 2


@pytest.mark.parametrize(
    ("answer", "n_calls", "outcome", "error"),
    [
        pytest.param(Response(status=401, body=b"{}"), 1, "unsent", AuthenticationError, id="wrong token"),
        pytest.param(Response(status=404, body=b"<html>"), 1, "unsent", Exception, id="not Planhat"),
        pytest.param(Response(status=302, body=b""), 1, "unsent", Exception, id="redirect"),
        pytest.param(
            Response(status=403, body=b"{}"), MAX_FAILURES, "rejected", PermissionDeniedError, id="never allowed"
        ),
        pytest.param(LOST, MAX_FAILURES, "unknown", UnknownOutcomeError, id="out of order"),
    ],
)
async def test_a_run_ends_where_going_on_is_of_no_use(
    answer: Any, n_calls: int, outcome: str, error: type[Exception]
) -> None:
    """The rows after it are unsent, and the error is kept."""
    session, transport = session_on(*[answer] * 100)
    async with session:
        result = await run_delete(Tickets(session), keys(100), concurrency=1)
    assert (len(transport.sent), result.rows, result.ok) == (n_calls, 100, False)
    assert isinstance(result.stopped_by, error)
    n_unsent = 100 if outcome == "unsent" else 100 - n_calls
    assert result.counts() == {**DeleteResult().counts(), outcome: n_calls, "unsent": n_unsent}


async def test_refusals_of_single_records_do_not_end_a_run() -> None:
    """Once a record was deleted, the token may delete records."""
    session, _ = session_on(DELETED, *[Response(status=403, body=b"{}")] * 99)
    async with session:
        result = await run_delete(Tickets(session), keys(100), concurrency=1)
    assert (result.deleted, result.rejected, result.stopped_by) == (1, 99, None)


async def test_a_job_that_is_stopped_ends_what_is_in_flight(planhat: Sandbox, tmp_path: Path) -> None:
    """Its answer counts; what was not sent is unsent, in the journal too, and is sent by the next run."""
    ids = stocked(planhat, 10)
    async with Session(planhat.token, base_url=planhat.url) as session:
        job = DeleteJob(Tickets(session), ids, journal=tmp_path / "job.db", concurrency=2)
        planhat.inject("slow:0.2@1")
        running = asyncio.create_task(job.run())
        while not planhat.requests:  # noqa: ASYNC110 - what arrives sets no event
            await asyncio.sleep(0.001)
        job.stop()
        result = await running
        assert result.deleted + result.unsent == 10
        assert (result.unsent > 0, job.is_done) == (True, False)
        assert await outcomes(tmp_path / "job.db") == ["deleted"] * result.deleted + ["unsent"] * result.unsent
        assert (await run_delete(Tickets(session), ids, journal=tmp_path / "job.db")).deleted == 10
    assert sorted(deleted(planhat)) == sorted(ids)


async def test_a_job_that_is_stopped_before_it_has_read_its_input_deletes_nothing(session: Session) -> None:
    """Nor does it know of any row."""
    job = DeleteJob(Tickets(session), keys(3))
    job.stop()
    assert ((await job.run()).rows, job.is_done) == (0, False)


async def test_a_job_that_is_cancelled_knows_what_was_sent(tmp_path: Path) -> None:
    """What was in flight is unknown, what was only marked in the journal is unsent again."""
    session, transport = session_on(DELETED, None)
    async with session:
        job = DeleteJob(Tickets(session), keys(5), journal=tmp_path / "job.db", concurrency=1)
        running = asyncio.create_task(job.run())
        while len(transport.sent) < 2:  # noqa: ASYNC110 - its event is set by the first
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await outcomes(tmp_path / "job.db") == ["deleted", "unknown", "unsent", "unsent", "unsent"]
    assert (job.result.deleted, job.result.unknown, job.result.unsent) == (1, 1, 3)
    assert (await deletion_in(tmp_path / "job.db")).counts() == job.result.counts()


async def test_where_the_journal_cannot_be_written_nothing_more_is_sent(
    planhat: Sandbox, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says so; the next run goes on, and every record is deleted once."""
    ids = stocked(planhat, 20)
    write, n_before = JournalFile.write, 12

    def full(self: JournalFile, *statements: Any, **options: Any) -> None:
        nonlocal n_before
        n_before -= 1
        if n_before < 0:
            raise sqlite3.OperationalError("disk full")
        write(self, *statements, **options)

    monkeypatch.setattr(JournalFile, "write", full)
    job = DeleteJob(Tickets(session), ids, journal=tmp_path / "job.db", concurrency=1)
    with pytest.raises(JournalError, match="disk full"):
        await job.run()
    assert 0 < job.result.deleted == len(deleted(planhat)) < 20
    monkeypatch.setattr(JournalFile, "write", write)
    assert (await run_delete(Tickets(session), ids, journal=tmp_path / "job.db")).deleted == 20
    assert set(deleted(planhat)) == set(ids)


async def test_a_plan_sends_nothing_and_leaves_the_journal_as_it_is(
    planhat: Sandbox, session: Session, tmp_path: Path
) -> None:
    """It says what the next run would send."""
    ids = stocked(planhat, 3)
    rows, journal = [*ids, "oops", ids[0]], tmp_path / "job.db"
    plan = await plan_delete(Tickets(session), rows, journal=journal)
    assert (plan.rows, plan.to_send, plan.invalid, plan.repeated, journal.exists()) == (4, 3, 1, 1, False)
    assert (planhat.requests, len(planhat.records("tickets"))) == ([], 3)
    await run_delete(Tickets(session), rows, journal=journal)
    plan = await plan_delete(Tickets(session), rows, journal=journal)
    assert (plan.to_send, plan.deleted, plan.invalid) == (0, 3, 1)
