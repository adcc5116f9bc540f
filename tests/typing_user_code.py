"""User code that only mypy reads, to test the types that users see."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, date, datetime
from typing import Any, assert_type

import aiohttp

from planhat_async import (
    Activity,
    Analytics,
    Asset,
    Assets,
    Campaign,
    Campaigns,
    ChecklistItem,
    ChunkResult,
    Churn,
    Churns,
    Companies,
    Company,
    Conversation,
    Conversations,
    CustomField,
    CustomFields,
    CustomModel,
    Deal,
    Deals,
    DecodeError,
    EndUser,
    EndUsers,
    Invoice,
    Invoices,
    Issue,
    Issues,
    KeyLookup,
    LeanCompanies,
    LeanCompany,
    License,
    Licenses,
    LineItem,
    LineItems,
    Metric,
    NoAnswerError,
    Note,
    Notes,
    Nps,
    NpsAnswer,
    Objective,
    Objectives,
    Opportunities,
    Opportunity,
    Outcome,
    Pacer,
    Person,
    Problem,
    ProblemGroup,
    Product,
    Products,
    Project,
    Projects,
    RateLimits,
    RetryPolicy,
    Sale,
    Sales,
    SendChunkResult,
    SendError,
    SendOptions,
    SendOutcome,
    SendProblem,
    SendProblemGroup,
    SendResult,
    SendRun,
    Session,
    SessionStats,
    StatusChange,
    StatusError,
    Task,
    Tasks,
    Ticket,
    Tickets,
    TimeEntries,
    TimeEntry,
    Timeouts,
    Timesheet,
    Timesheets,
    UpdatedSince,
    UpsertError,
    UpsertOptions,
    UpsertResult,
    User,
    Users,
    Workflow,
    Workflows,
    Workspace,
    Workspaces,
    extid,
    srcid,
    sync,
)
from planhat_async.jobs import UpsertJob, run_upsert
from planhat_async.repositories.arrow_lists import ArrowBatch
from planhat_async.sandbox import Fault, MemorySandbox, Sandbox
from planhat_async.testing import make_record
from planhat_async.testing.samples import make_ticket
from planhat_async.testing.sandbox_transport import SandboxTransport


async def opening(client: aiohttp.ClientSession) -> None:
    """Use all options of a session; a callable may return the token."""
    async with Session() as session:
        assert_type(session, Session)
        assert_type(session.stats, SessionStats)
        assert_type(session.stats.seconds_waited, float)
        assert_type(await session.request("GET", "/users", params={"limit": 1}), Any)
        await session.check()
    limits = RateLimits(per_minute=300, per_second=100, max_in_flight=10)
    policy = RetryPolicy(attempts=3, wait_initial=1, wait_max=10, total=60)
    Session(lambda: "token", base_url="https://api-eu1.planhat.com", limits=limits, retry=policy)
    Session("token", pacer=Pacer(limits), timeouts=Timeouts(connect=1, read=2, total=3), client_session=client)
    Session("token", proxy="http://proxy:3128", ca_file="ca.pem")
    Session("token", trust_env=True)
    Session("token", "https://api.planhat.com")  # type: ignore[call-arg]
    Session(token=7)  # type: ignore[arg-type]


def reading(note: Note, task: Task, ticket: Ticket) -> None:
    """Use fields: each may be absent and has its own type."""
    assert_type(note.id, str | None)
    assert_type(note.date, datetime | None)
    assert_type(note.users, list[Person] | None)
    assert_type(note.custom, dict[str, Any])
    assert_type(note.extra, dict[str, Any])
    assert_type(task.repeat_days, int | None)
    assert_type(task.checklist, list[ChecklistItem] | None)
    assert_type(ticket.time_spent, float | None)
    assert_type(ticket.history, list[StatusChange] | None)
    assert_type(Tasks.model.match, tuple[str, ...])
    assert note.updated_at  # type: ignore[attr-defined]
    Task("61006bc89a3e0b702ed8ea49")  # type: ignore[call-arg]
    Task(companyId="61006bc89a3e0b702ed8ea49")  # type: ignore[call-arg]
    Note(subject=7)  # type: ignore[arg-type]


async def single_calls(session: Session) -> None:
    """Use single calls: each repository has its own record; tickets have only deletion."""
    tasks, notes, tickets = Tasks(session), Notes(session), Tickets(session)
    assert_type(await tasks.get(srcid("7")), Task)
    assert_type(await notes.get(extid("7")), Note)
    assert_type(await tasks.get_many(["1", "2"]), list[Task | None])
    assert_type(await tasks.create(Task(action="Call")), Task)
    assert_type(await notes.create({"subject": "Call"}), Note)
    assert_type(await tasks.update("1", {"status": None}), Task)
    assert_type(await tickets.delete_many(iter(["1"])), list[bool])
    await tickets.delete("1")
    await tickets.get("1")  # type: ignore[attr-defined]
    await tickets.create(Ticket())  # type: ignore[attr-defined]
    await tasks.create(Note())  # type: ignore[arg-type]
    await tasks.get(7)  # type: ignore[arg-type]


async def listing(session: Session) -> None:
    """Use listings: options are checked by name and type for each model."""
    tasks, notes, tickets = Tasks(session), Notes(session), Tickets(session)
    async for task in tasks.iter(archived=False, company_id=["1", "2"], sort="-updated_at", max_records=10):
        assert_type(task, Task)
    assert_type(notes.iter(type=None), AsyncGenerator[Note, None])
    assert_type(tickets.pages(status="open", page_size=100), AsyncGenerator[list[Ticket], None])
    assert_type(notes.iter_json(select=("id", "custom.Phase")), AsyncGenerator[bytes, None])
    assert_type(await tasks.page(offset=10, limit=5), list[Task])
    assert_type(await tickets.all(search="refund"), list[Ticket])
    tasks.iter(status="open")  # type: ignore[call-arg]
    notes.iter(archived=True)  # type: ignore[call-arg]
    tickets.iter(page_size="100")  # type: ignore[arg-type]
    tasks.list()  # type: ignore[attr-defined]


async def every_model(session: Session) -> None:  # noqa: PLR0915 - a few lines for each model
    """Each repository has records of its own class."""
    assert_type(await Assets(session).get("1"), Asset)
    assert_type(await Assets(session).all(), list[Asset])
    assert_type(await Assets(session).upsert_many([Asset()]), UpsertResult)
    assert_type(await Campaigns(session).get("1"), Campaign)
    assert_type(await Campaigns(session).all(), list[Campaign])
    assert_type(await Campaigns(session).upsert_many([Campaign()]), UpsertResult)
    assert_type(await Churns(session).get("1"), Churn)
    assert_type(await Churns(session).all(), list[Churn])
    assert_type(await Churns(session).upsert_many([Churn()]), UpsertResult)
    assert_type(await Conversations(session).get("1"), Conversation)
    assert_type(await Conversations(session).all(), list[Conversation])
    assert_type(await Conversations(session).upsert_many([Conversation()]), UpsertResult)
    assert_type(await CustomFields(session).get("1"), CustomField)
    assert_type(await CustomFields(session).all(), list[CustomField])
    assert_type(await Deals(session).get("1"), Deal)
    assert_type(await Deals(session).all(), list[Deal])
    assert_type(await Deals(session).upsert_many([Deal()]), UpsertResult)
    assert_type(await EndUsers(session).get("1"), EndUser)
    assert_type(await EndUsers(session).all(), list[EndUser])
    assert_type(await EndUsers(session).upsert_many([EndUser()]), UpsertResult)
    assert_type(await Invoices(session).get("1"), Invoice)
    assert_type(await Invoices(session).all(), list[Invoice])
    assert_type(await Invoices(session).upsert_many([Invoice()]), UpsertResult)
    assert_type(await Issues(session).get("1"), Issue)
    assert_type(await Issues(session).all(), list[Issue])
    assert_type(await Issues(session).upsert_many([Issue()]), UpsertResult)
    assert_type(await LeanCompanies(session).all(), list[LeanCompany])
    assert_type(await Licenses(session).get("1"), License)
    assert_type(await Licenses(session).all(), list[License])
    assert_type(await Licenses(session).upsert_many([License()]), UpsertResult)
    assert_type(await LineItems(session).get("1"), LineItem)
    assert_type(await LineItems(session).all(), list[LineItem])
    assert_type(await LineItems(session).upsert_many([LineItem()]), UpsertResult)
    assert_type(await Nps(session).get("1"), NpsAnswer)
    assert_type(await Nps(session).all(), list[NpsAnswer])
    assert_type(await Nps(session).upsert_many([NpsAnswer()]), UpsertResult)
    assert_type(await Objectives(session).get("1"), Objective)
    assert_type(await Objectives(session).all(), list[Objective])
    assert_type(await Objectives(session).upsert_many([Objective()]), UpsertResult)
    assert_type(await Opportunities(session).get("1"), Opportunity)
    assert_type(await Opportunities(session).all(), list[Opportunity])
    assert_type(await Opportunities(session).upsert_many([Opportunity()]), UpsertResult)
    assert_type(await Products(session).get("1"), Product)
    assert_type(await Products(session).all(), list[Product])
    assert_type(await Products(session).upsert_many([Product()]), UpsertResult)
    assert_type(await Projects(session).get("1"), Project)
    assert_type(await Projects(session).all(), list[Project])
    assert_type(await Projects(session).upsert_many([Project()]), UpsertResult)
    assert_type(await Sales(session).get("1"), Sale)
    assert_type(await Sales(session).all(), list[Sale])
    assert_type(await Sales(session).upsert_many([Sale()]), UpsertResult)
    assert_type(await TimeEntries(session).get("1"), TimeEntry)
    assert_type(await TimeEntries(session).all(), list[TimeEntry])
    assert_type(await TimeEntries(session).upsert_many([TimeEntry()]), UpsertResult)
    assert_type(await Timesheets(session).get("1"), Timesheet)
    assert_type(await Timesheets(session).all(), list[Timesheet])
    assert_type(await Timesheets(session).upsert_many([Timesheet()]), UpsertResult)
    assert_type(await Users(session).get("1"), User)
    assert_type(await Users(session).all(), list[User])
    assert_type(await Users(session).upsert_many([User()]), UpsertResult)
    assert_type(await Workflows(session).all(), list[Workflow])
    assert_type(await Workspaces(session).get("1"), Workspace)
    assert_type(await Workspaces(session).all(), list[Workspace])
    assert_type(await Workspaces(session).upsert_many([Workspace()]), UpsertResult)
    assert_type(EndUsers(session).iter(archived=None, email="a@b.example"), AsyncGenerator[EndUser, None])
    assert_type(Churns(session).iter(churned_from=date(2026, 1, 1)), AsyncGenerator[Churn, None])
    assert_type(await Nps(session).page(max_age_days=30), list[NpsAnswer])
    assert_type(await LeanCompanies(session).all(status=["customer", "lost"]), list[LeanCompany])
    assert_type(await TimeEntries(session).duplicate(["1"]), tuple[str, ...])
    assert_type(Assets(session).iter_updated_since(datetime.now(UTC)), UpdatedSince[Asset])
    assert_type(Assets(session).iter_json_updated_since(datetime.now(UTC)), UpdatedSince[bytes])
    CustomFields(session).upsert_many([])  # type: ignore[attr-defined]
    await LeanCompanies(session).get("1")  # type: ignore[attr-defined]
    LeanCompanies(session).iter(page_size=1)  # type: ignore[call-arg]
    Assets(session).iter(status="open")  # type: ignore[call-arg]


async def upserting(session: Session, stream: AsyncIterator[dict[str, Any]]) -> None:
    """Use upserts: rows may come from any iterable, and every row has an outcome."""
    tickets = Tickets(session)
    result = await tickets.upsert_many([Ticket(source_id="7"), {"sourceId": "8"}], chunk_size=100, concurrency=1)
    assert_type(result, UpsertResult)
    assert_type((result.created, result.ok, result.rows), tuple[int, bool, int])
    assert_type(result.problems, list[Problem])
    assert_type(result.problems[0].position, int | None)
    assert_type(result.not_stored[Outcome.DROPPED], tuple[range, ...])
    assert_type(result.problem_groups, tuple[ProblemGroup, ...])
    async for chunk in tickets.upsert_chunks(stream):
        assert_type(chunk, ChunkResult)
        assert_type(chunk.ids_by_source_id, dict[str, str])
        assert_type(chunk.ids_by_external_id, dict[str, str])
    async with tickets.upserting(stream) as run:
        async for chunk in run:
            assert_type(chunk.created_ids, tuple[str, ...])
    assert_type(run.result, UpsertResult)
    options: UpsertOptions = {"verify_by": ["subject"], "verify_wait": 60, "isolate": True, "max_isolation_calls": 9}
    result = await Notes(session).upsert_many(stream, raise_on_error=True, **options)
    assert_type((result.isolation_calls, result.n_problems), tuple[int, int])
    tickets.upserting(stream, on_invalid="raise")
    assert_type((Ticket().to_dict(), Ticket().to_json(planhat_names=True)), tuple[dict[str, Any], str])
    tickets.arrow_batches(batch_rows=5, custom={"ARR": "float64"}, select=["title"])
    tickets.arrow_batches(custom=5)  # type: ignore[arg-type]
    tickets.upserting(stream, on_invalid="ignore")  # type: ignore[arg-type]
    tickets.upsert_chunks(stream, raise_on_error=True)  # type: ignore[call-arg]
    await tickets.upsert_many([Note()])  # type: ignore[list-item]
    await tickets.upsert_many(Ticket())  # type: ignore[arg-type]


def failing(error: Exception) -> None:
    """Use the attributes of each error."""
    match error:
        case StatusError():
            assert_type((error.status, error.body, error.retry_after), tuple[int, str, float | None])
        case NoAnswerError():
            assert_type((error.attempts, error.may_have_been_processed), tuple[int, bool])
        case DecodeError():
            assert_type((error.id, error.position), tuple[str | None, int | None])
        case UpsertError():
            assert_type(error.result, UpsertResult)
        case _:
            raise error


async def testing_against_a_sandbox() -> None:
    async with Sandbox(faults=[Fault("late", when=lambda call: call.method == "POST")], per_minute=None) as planhat:
        planhat.inject("reset_after=0.1")
        assert_type(planhat.requests[0].fault, str | None)
        planhat.restore(planhat.snapshot())
    memory = MemorySandbox(latency=0.1)
    Session(memory.token, transport=SandboxTransport(memory))
    assert_type(make_ticket(1, status="open"), Ticket)


async def walking(tasks: Tasks, tickets: Tickets) -> None:
    """List changed tasks and get the time for the next listing; resume a list after a record."""
    walk = tasks.iter_updated_since(datetime.now(UTC), margin=60, company_id="c", archived=None, select=["action"])
    assert_type(walk, UpdatedSince[Task])
    async for task in walk:
        assert_type(task, Task)
    assert_type(walk.next_since, datetime)
    await walk.aclose()
    tickets.iter(after="5f4e3d2c1b0a998877665544", start_offset=7, on_bad_record="skip")
    tickets.iter(on_bad_record="ignore")  # type: ignore[arg-type]
    tasks.iter_updated_since(datetime.now(UTC), sort="id")  # type: ignore[call-arg]
    tickets.iter_updated_since(datetime.now(UTC))  # type: ignore[attr-defined]


async def companies(session: Session) -> None:
    """Use companies: they have options, calls and fields like other models."""
    companies = Companies(session)
    assert_type(await companies.get(extid("acme")), Company)
    assert_type(await companies.get_many(["1"]), list[Company | None])
    assert_type(companies.iter(company_id=["1"], select=["name"]), AsyncGenerator[Company, None])
    assert_type((await companies.page(limit=1))[0].domains, list[str] | None)
    assert_type(await companies.upsert_many([Company(name="Acme"), {"name": "Bee"}]), UpsertResult)
    assert_type(make_record(Company, 1, name="Acme"), Company)
    lookup = await KeyLookup.load(companies, by="external_id", company_id=["1"])
    assert_type(lookup, KeyLookup)
    assert_type((lookup["42"], lookup.get("42")), tuple[str, str | None])
    await KeyLookup.load("companies", by="external_id")  # type: ignore[arg-type]
    companies.iter(status="customer")  # type: ignore[call-arg]
    await companies.create(Note())  # type: ignore[arg-type]


async def metrics_and_activities(session: Session, rows: AsyncIterator[dict[str, Any]]) -> None:
    """Records, mappings, or both, from any iterable."""
    options: SendOptions = {"chunk_size": 100, "max_bytes": 1000, "concurrency": 2}
    async with Analytics(session, "uuid", host="https://x.example", max_in_flight=2) as analytics:
        assert_type(await analytics.send_metrics([Metric(value=1), {"value": 1}], **options), SendResult)
        assert_type(await analytics.track(Activity(email="a")), SendResult)
        assert_type(await analytics.track(rows), SendResult)
        await analytics.identify(email="a")
        assert_type(analytics.read_metrics(company_id="c", since="2026-01-01"), AsyncGenerator[Metric, None])
        async with analytics.sending_metrics(rows) as run:
            assert_type(run, SendRun)
            async for chunk in run:
                assert_type(chunk, SendChunkResult)
        assert_type(run.result.problems, list[SendProblem])
        assert_type(run.result.problem_groups, tuple[SendProblemGroup, ...])
        assert_type(run.result.not_accepted, dict[SendOutcome, tuple[range, ...]])
        await analytics.send_metrics([5])  # type: ignore[list-item]
        await analytics.identify("a")  # type: ignore[call-arg]
        await analytics.send_metrics([], on_invalid="raise")  # type: ignore[call-arg]
    assert_type(SendError("m", result=run.result).result, SendResult)


def without_async(source: list[dict[str, Any]]) -> None:
    """Use the API without `async`: parameters and results are those of each model."""
    with sync.Session("token", base_url="https://api-eu1.planhat.com", limits=RateLimits()) as session:
        for task in session.tasks.iter(archived=False, page_size=100):
            assert_type(task, Task)
        assert_type(session.tasks.iter_json(), sync.Iteration[bytes])
        assert_type(session.tickets.all(status="open"), list[Ticket])
        assert_type(session.tasks.arrow_batches(batch_rows=10), sync.Iteration[ArrowBatch])
        assert_type(session.tasks.get("1"), Task)
        assert_type(session.notes.get_many(["1"]), list[Note | None])
        assert_type(session.companies.iter_updated_since(datetime.now(UTC)).next_since, datetime)
        assert_type(session.tasks.upsert_many(source, chunk_size=10), UpsertResult)
        with session.tasks.upserting(source) as run:
            for chunk in run:
                assert_type(chunk, ChunkResult)
        assert_type(run.result, UpsertResult)
        with session.tasks.open(UpsertJob, source, journal="job.db") as job:
            assert_type(next(job), ChunkResult)
        assert_type(job.run, UpsertJob)
        assert_type(job.result, UpsertResult)
        assert_type(session.tickets.run(run_upsert, source, journal="job.db"), UpsertResult)
        assert_type(session.of(lambda one: CustomModel(one, "/orders")).get("1"), dict[str, Any])
        session.tasks.iter(status="open")  # type: ignore[call-arg]
        session.tickets.get("1")  # type: ignore[misc, arg-type]
        session.tasks.run(run_upsert, source, jornal="job.db")  # type: ignore[call-arg]
    sync.Session("token", "https://api.planhat.com")  # type: ignore[call-arg]
