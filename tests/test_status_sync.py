"""Test upserts against a small server that does exactly what Planhat's page on bulk upserts documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from attrs import define, field
from fakes import FakeTransport

from planhat_async import NotSentError, Outcome, RetryPolicy, Session, Tasks, Ticket, Tickets, UpsertError, UpsertResult
from planhat_async._http.transport import Timeouts
from planhat_async._http.wire import Request, Response, Token
from planhat_async.repositories import UpdatedSince

ACME = "5f4e3d2c1b0a998877665544"


@define
class Page:
    """Matches rows on `_id`, then `sourceId`; silently drops a new ticket without e-mail or company."""

    needed: tuple[tuple[str, ...], ...] = (("email",), ("companyId", "companyExternalId", "domains"))
    may_update: bool = True
    names_stored: bool = False
    has_counts: bool = True
    records: list[dict[str, Any]] = field(factory=list)
    by_key: dict[tuple[str, Any], dict[str, Any]] = field(factory=dict)
    sent: list[list[dict[str, Any]]] = field(factory=list)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        assert token.header()
        assert timeouts.total > 0
        rows = msgspec.json.decode(request.body or b"")
        self.sent.append(rows)
        created, updated, refused = [], [], []
        for row in rows:
            keys = [(name, row[name]) for name in ("_id", "sourceId") if name in row]
            known = next((self.by_key[key] for key in keys if key in self.by_key), None)
            if known is not None and not self.may_update:
                refused.append({"sourceId": row.get("sourceId"), "error": "may not update"})
            elif known is not None:
                updated.append(known | row if known | row != known else None)
                known |= row
            elif all(any(row.get(name) for name in group) for group in self.needed):
                created.append({"_id": f"{len(self.records):024x}", **row})
                self.add(created[-1])
        answer: dict[str, Any] = {"created": len(created), "updated": len([one for one in updated if one])}
        answer = answer if self.has_counts else {}
        if self.names_stored:
            keys_of = [{name: one[name] for name in ("_id", "sourceId") if name in one} for one in created]
            answer |= {"insertsKeys": keys_of, "updatesKeys": [one for one in updated if one]}
        if refused:
            answer["permissionErrors"] = refused
        return Response(status=403 if refused else 200, body=msgspec.json.encode(answer))

    def add(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        self.by_key |= {(name, record[name]): record for name in ("_id", "sourceId") if name in record}

    async def close(self) -> None: ...


def ticket(source_id: str, **fields: Any) -> dict[str, Any]:
    return {"sourceId": source_id, "email": "a@b.example", "companyExternalId": "acme", "status": "open", **fields}


async def upsert(page: Page, rows: Any, repository: Any = Tickets, **options: Any) -> UpsertResult:
    async with Session("token", transport=page) as session:
        result: UpsertResult = await repository(session).upsert_many(rows, **options)
        return result


def counted(result: UpsertResult) -> dict[str, int]:
    return {name: n_rows for name, n_rows in result.counts().items() if n_rows}


@pytest.mark.parametrize("row", [{"sourceId": "1", "status": "closed"}, Ticket(source_id="1", status="closed")])
async def test_a_ticket_is_updated_by_its_source_id_alone(row: Any) -> None:
    """The most common job sends a status without e-mail and company, which could move the ticket."""
    page = Page()
    await upsert(page, [ticket("1")])
    result = await upsert(page, [row])
    assert (counted(result), page.records[0]["status"]) == ({"updated": 1}, "closed")
    assert page.sent[-1] == [{"sourceId": "1", "status": "closed"}]


async def test_a_ticket_is_updated_by_its_id_alone() -> None:
    """This works like updating by its source id."""
    page = Page()
    await upsert(page, [ticket("1")])
    assert counted(await upsert(page, [{"id": page.records[0]["_id"], "status": "closed"}])) == {"updated": 1}


async def test_a_status_of_a_missing_ticket_is_not_stored() -> None:
    """Planhat drops it silently, and the result reports it; a complete unchanged ticket is accepted."""
    page = Page()
    await upsert(page, [ticket("1"), ticket("2")])
    result = await upsert(page, [ticket("1"), {"sourceId": "3", "status": "closed"}])
    assert (counted(result), len(page.records)) == ({"unreported": 1, "unknown": 1}, 2)
    assert result.not_stored == {Outcome.UNKNOWN: (range(1, 2),)}


async def test_a_repeating_task_is_updated_without_its_days() -> None:
    """They are required only for a creation."""
    page = Page(needed=(("companyId",),))
    rows = [{"sourceId": "1", "companyId": ACME, "action": "Call"}, {"sourceId": "1", "repeat": "custom"}]
    result = await upsert(page, rows, Tasks)
    assert (counted(result), page.records[0]["repeat"]) == ({"created": 1, "updated": 1}, "custom")


async def test_a_row_without_a_key_needs_the_fields_of_a_creation() -> None:
    """It is validated before it is sent."""
    page = Page()
    result = await upsert(page, [{"email": "a@b.example", "companyExternalId": "acme"}])
    assert (counted(result), result.problems[0].reason) == ({"invalid": 1}, "one of source_id or id is required")
    result = await upsert(page, [{"companyId": ACME, "repeat": "custom"}], Tasks)
    assert result.problems[0].reason == "repeat_days is required where repeat is 'custom'"
    assert page.sent == []


@pytest.mark.parametrize("has_counts", [True, False])
async def test_rows_that_a_token_may_create_but_not_update_are_created(*, has_counts: bool) -> None:
    """The second request may not update the rows that the first has created, but they are not rejected."""
    page = Page(may_update=False, names_stored=True, has_counts=has_counts)
    page.add({"_id": "f" * 24, **ticket("a")})
    result = await upsert(page, [ticket("a"), ticket("b"), ticket("c")])
    assert [[row["sourceId"] for row in rows] for rows in page.sent] == [["a", "b", "c"], ["b", "c"]]
    assert (counted(result), len(page.records)) == ({"created": 2, "rejected": 1}, 3)
    assert result.not_stored == {Outcome.REJECTED: (range(1),)}


async def test_rows_that_may_have_been_created_are_unknown_if_no_answer_names_them() -> None:
    """They are stored; only the first row is certainly not."""
    page = Page(may_update=False)
    page.add({"_id": "f" * 24, **ticket("a")})
    result = await upsert(page, [ticket("a"), ticket("b"), ticket("c")])
    assert (counted(result), len(page.records)) == ({"rejected": 1, "unknown": 2}, 3)


async def test_rows_without_a_key_are_counted_by_an_answer_without_counts() -> None:
    """Rows reported as dropped would be sent again and created twice."""
    page = Page(needed=(("companyId",),), names_stored=True, has_counts=False)
    result = await upsert(page, [{"companyId": ACME, "action": str(n)} for n in range(3)], Tasks)
    assert (counted(result), len(page.records)) == ({"created": 3}, 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"id": "crm-1", "status": "open"},
            "id 'crm-1' is not an _id (24 hex digits): put a key of your own in source_id",
        ),
        ({"id": "extid-1"}, 'extid("…") and srcid("…") are for calls'),
        ({"sourceId": "1", "companyId": "acme"}, "name the company by company_external_id or domains"),
        (Ticket(source_id="1", company_id="x" * 99), f"company_id '{'x' * 59}…' is not an _id"),
        ({"sourceId": "1", "companyId": "extid- "}, "is not an _id"),
        ({"id": "5f4e3d2c1b0a99887766554 ", "status": "open"}, "is not an _id"),
    ],
)
async def test_an_invalid_id_is_refused_before_it_is_sent(row: Any, message: str) -> None:
    """Planhat would find no record by it; the message shows the valid form."""
    page = Page()
    result = await upsert(page, [row])
    assert (counted(result), page.sent) == ({"invalid": 1}, [])
    assert message in result.problems[0].reason


@pytest.mark.parametrize("company", [ACME, ACME.upper(), "extid-acme", "srcid-7"])
async def test_a_company_may_be_named_in_several_ways(company: str) -> None:
    """For tasks, `extid("…")` and `srcid("…")` work too; many companies in one upsert are allowed."""
    rows = [
        {"sourceId": "a", "companyId": company},
        *({"sourceId": str(n), "companyId": f"{n:024x}"} for n in range(6000)),
    ]
    assert counted(await upsert(Page(needed=()), rows, Tasks)) == {"created": 6001}


async def test_a_single_call_validates_the_company_too() -> None:
    """It is not sent; a creation requires fields that an update does not."""
    page = Page()
    async with Session("token", transport=page) as session:
        with pytest.raises(ValueError, match=r"company_id 'acme' is not an _id .* name the company by extid"):
            await Tasks(session).create({"company_id": "acme", "action": "Call"})
        with pytest.raises(ValueError, match="company_id 'acme' is not an _id"):
            await Tasks(session).update("srcid-1", {"company_id": "acme"})
    assert page.sent == []


async def test_the_error_of_a_run_without_a_server_contains_the_reason() -> None:
    """The reason is its cause, and the result contains it too."""
    down = NotSentError("PUT /tickets: cannot connect to localhost:1")
    async with Session("token", transport=FakeTransport([down] * 9), retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(UpsertError) as caught:
            await Tickets(session).upsert_many([ticket("1")], raise_on_error=True)
    assert caught.value.__cause__ is caught.value.result.stopped_by is not None
    assert "1 of 1 rows were not stored: 1 unsent; stopped by NotSentError: PUT /tickets: cannot" in str(caught.value)
    assert "cannot connect to localhost:1" in repr(caught.value.result)


async def test_an_upsert_closes_a_listing_of_changes_that_it_reads() -> None:
    """A listing closed early is not complete, so the next one has to begin at the same time."""
    closed = []

    async def records() -> AsyncGenerator[Ticket, None]:
        try:
            for n in range(100):
                yield Ticket(source_id=str(n), status="closed")
        finally:
            closed.append(True)

    since = datetime(2024, 5, 31, tzinfo=UTC)
    walk = UpdatedSince(since, margin=60, records=records(), is_whole=lambda: True, server_start=lambda: None)
    async with Session("token", transport=Page()) as session, Tickets(session).upserting(walk, chunk_size=2) as run:
        await anext(run)
    assert (closed, walk.next_since) == ([True], since)
