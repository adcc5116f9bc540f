"""Jobs that look up ids: once, before the first row, and the same in every run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from killed_jobs import ONCE, Watched, session_on
from made_ids import id_of

from planhat_async import Companies, Company, Notes, PlanhatError, Session, Tickets, UpsertResult
from planhat_async.jobs import FieldMapping, FileSource, JournalError, Lookup, ThreadedSource
from planhat_async.jobs.mapping.lookups import LookupValue
from planhat_async.jobs.plan import plan_upsert
from planhat_async.jobs.resolved_rows import resolved_rows
from planhat_async.jobs.upsert_job import UpsertJob, run_upsert
from planhat_async.models import Note, Ticket
from planhat_async.records import Record
from planhat_async.sandbox import Sandbox

ACME, GLOBEX, INITECH = id_of("a"), id_of("b"), id_of("c")
LOOKUPS = {"company_id": Lookup("companies", by="external_id")}
COLUMNS: dict[type[Record], dict[str, str]] = {
    Note: {"subject": "Text", "company_id": "Account"},
    Ticket: {"source_id": "ID", "email": "Mail", "company_id": "Account"},
}


@pytest.fixture
def planhat_with_companies(planhat: Sandbox) -> Sandbox:
    planhat.add_company(ACME, external_id="acme", name="Acme")
    planhat.add_company(GLOBEX, external_id="globex", name="Globex")
    return planhat


def notes_in(folder: Path, *accounts: str) -> FileSource:
    """A file with a note for each account."""
    path = folder / "notes.csv"
    path.write_text("Text,Account\n" + "".join(f"note {n},{account}\n" for n, account in enumerate(accounts)))
    return FileSource(path, FieldMapping.parse(Note, columns=COLUMNS[Note], lookups=LOOKUPS))


def stored(planhat: Sandbox) -> dict[str, str]:
    """The company of each note."""
    return {note["subject"]: note["companyId"] for note in planhat.records("notes")}


def lists(planhat: Sandbox) -> int:
    """How often companies were listed."""
    return sum((call.method, call.path) == ("GET", "/companies") for call in planhat.requests)


def reasons(result: UpsertResult) -> list[tuple[int | None, str, str]]:
    return [(problem.position, problem.outcome, problem.reason) for problem in result.problems]


UNKNOWN_42 = (1, "invalid", "company_id: no company has external_id '42'")


@pytest.mark.parametrize("is_threaded", [False, True])
async def test_a_job_looks_ids_up_once(
    planhat_with_companies: Sandbox, session: Session, tmp_path: Path, *, is_threaded: bool
) -> None:
    """Rows whose value names no company are invalid; a blank value is a missing one."""
    file = notes_in(tmp_path, "acme", "42", "globex", "acme", "")
    source = ThreadedSource(file, file.description(), file.lookups) if is_threaded else file
    result = await run_upsert(Notes(session), source, chunk_size=1)
    missing = (4, "invalid", "one of company_id or company_external_id is required")
    assert (result.created, reasons(result)) == (3, [UNKNOWN_42, missing])
    assert stored(planhat_with_companies) == {"note 0": ACME, "note 2": GLOBEX, "note 3": ACME}
    assert lists(planhat_with_companies) == 1


async def test_two_columns_share_a_lookup(planhat: Sandbox, session: Session, tmp_path: Path) -> None:
    """The list is read once for both."""
    planhat.add("users", {"email": "a@b"})
    path = tmp_path / "companies.csv"
    path.write_text("Name,First,Second\nAcme,a@b,a@b\n")
    columns = {"name": "Name", "owner": "First", "co_owner": "Second"}
    by_email = Lookup("users", by="email")
    mapping = FieldMapping.parse(Company, columns=columns, lookups={"owner": by_email, "co_owner": by_email})
    assert (await run_upsert(Companies(session), FileSource(path, mapping))).created == 1
    [user], [company] = planhat.records("users"), planhat.records("companies")
    assert (company["owner"], company["coOwner"]) == (user["_id"], user["_id"])
    assert [call.path for call in planhat.requests] == ["/users", "/companies"]


async def test_a_rerun_finds_what_the_first_run_found(planhat_with_companies: Sandbox, tmp_path: Path) -> None:
    """Although a company was added and another renamed meanwhile: so chunks are the same, and none is sent twice."""
    planhat, journal = planhat_with_companies, tmp_path / "job.db"
    file = notes_in(tmp_path, "acme", "42", "globex", "acme", "42", "globex")
    async with session_on(planhat, Watched(planhat.url, after=lambda _: job.stop())) as session:
        job = UpsertJob(Notes(session), file, journal=journal, chunk_size=1, concurrency=1)
        async with job:
            async for _ in job:
                pass
    assert stored(planhat) == {"note 0": ACME}
    planhat.add_company(INITECH, external_id="42", name="Initech")
    planhat.add_company(GLOBEX, external_id="globex-2", name="Globex")
    async with session_on(planhat) as session:
        plan = await plan_upsert(Notes(session), file, journal=journal, chunk_size=1, concurrency=1)
        assert (plan.n_chunks, plan.result.invalid, plan.not_looked_up) == (3, 2, ())
        result = await run_upsert(Notes(session), file, journal=journal, chunk_size=1, concurrency=1)
    assert (result.created, reasons(result)) == (4, [UNKNOWN_42, (4, *UNKNOWN_42[1:])])
    assert stored(planhat) == {"note 0": ACME, "note 2": GLOBEX, "note 3": ACME, "note 5": GLOBEX}
    assert lists(planhat) == 1


async def test_a_journal_holds_ids_and_no_value(planhat_with_companies: Sandbox, tmp_path: Path) -> None:
    """A value is known by its digest."""
    async with session_on(planhat_with_companies) as session:
        await run_upsert(Notes(session), notes_in(tmp_path, "acme", "42"), journal=tmp_path / "job.db")
    content = sqlite3.connect(tmp_path / "job.db")
    [(ids,)] = content.execute("SELECT value FROM job WHERE name = 'ids'")
    everything = "\n".join(content.iterdump())
    content.close()
    assert sorted(json.loads(ids)["companies by external_id"].values()) == [ACME, GLOBEX]
    assert "globex" not in everything
    assert "'42'" not in everything


async def test_another_lookup_is_another_job(planhat_with_companies: Sandbox, tmp_path: Path) -> None:
    """The message names the difference."""
    file, journal = notes_in(tmp_path, "acme"), tmp_path / "job.db"
    by_name = FieldMapping.parse(Note, columns=COLUMNS[Note], lookups={"company_id": Lookup("companies", by="name")})
    async with session_on(planhat_with_companies) as session:
        await run_upsert(Notes(session), file, journal=journal)
        with pytest.raises(JournalError, match="lookups company_id is companies by name, was companies by external_id"):
            await run_upsert(Notes(session), FileSource(file.path, by_name), journal=journal)


async def test_a_list_that_cannot_be_read_sends_no_row(planhat_with_companies: Sandbox, tmp_path: Path) -> None:
    """The error says so, and the next run begins as the first."""
    planhat, file = planhat_with_companies, notes_in(tmp_path, "acme")
    planhat.inject("error_200@1")
    async with session_on(planhat) as session:
        with pytest.raises(PlanhatError) as caught:
            await run_upsert(Notes(session), file, journal=tmp_path / "job.db")
        assert caught.value.__notes__ == ["companies by external_id could not be read, so no row was sent"]
        assert stored(planhat) == {}
        assert (await run_upsert(Notes(session), file, journal=tmp_path / "job.db")).created == 1


async def test_a_plan_sends_nothing_and_says_what_it_does_not_know(tmp_path: Path) -> None:
    """Rows are counted as if every value named one record; bytes are those that will be sent."""
    session = Session("none", retry=ONCE)
    plan = await plan_upsert(Notes(session), notes_in(tmp_path, "acme", "42", ""))
    assert (plan.not_looked_up, plan.result.unsent, plan.result.invalid) == (("company_id",), 2, 1)
    row = '{"subject":"note 0","companyId":"5f4e3d2c1b0a998877665544","type":"note"},'
    assert plan.n_bytes == 2 * len(row) + 1
    assert (await plan_upsert(Notes(session), [])).not_looked_up == ()


async def test_a_plan_tells_keys_apart_that_are_not_looked_up(tmp_path: Path) -> None:
    """Rows for one record are one after another, those for different ones are not."""
    path = tmp_path / "t.csv"
    path.write_text("Ticket,Title\n1,a\n2,b\n1,c\n")
    mapping = FieldMapping.parse(
        Ticket, columns={"id": "Ticket", "title": "Title"}, lookups={"id": Lookup("tickets", by="source_id")}
    )
    plan = await plan_upsert(Tickets(Session("none")), FileSource(path, mapping))
    assert (plan.n_duplicates, plan.longest_queue) == (1, 2)


async def test_rows_that_no_job_resolves_are_not_sent(
    planhat_with_companies: Sandbox, session: Session, tmp_path: Path
) -> None:
    """A plain upsert of a file with a lookup does not take keys for ids."""
    result = await Notes(session).upsert_many(notes_in(tmp_path, "acme"))
    assert reasons(result) == [(0, "invalid", "company_id: text or a whole number, not LookupValue")]
    assert planhat_with_companies.requests == []


def find(_: Lookup, value: str) -> str:
    return value.upper()


def test_closing_the_rows_closes_the_source() -> None:
    """Its file is not left open."""
    ended: list[str] = []

    def rows() -> Generator[Any, None, None]:
        try:
            yield from ({"company_id": LookupValue(value)} for value in "ab")
        finally:
            ended.append("closed")

    resolved: Any = resolved_rows(rows(), LOOKUPS, find)
    assert next(resolved) == {"company_id": "A"}
    resolved.close()
    assert ended == ["closed"]


async def test_closing_asynchronous_rows_closes_the_source() -> None:
    """Its thread ends."""
    ended: list[str] = []

    async def rows() -> AsyncGenerator[Any, None]:
        try:
            for value in "ab":
                yield {"company_id": LookupValue(value)}
        finally:
            ended.append("closed")

    resolved: Any = resolved_rows(rows(), LOOKUPS, find)
    assert await anext(resolved) == {"company_id": "A"}
    await resolved.aclose()
    assert ended == ["closed"]
