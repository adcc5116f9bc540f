"""Test companies: a model of one file in the client and one declaration in the sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeTransport

from planhat_async import Companies, Company, NotFoundError, Session, Tickets, extid, srcid
from planhat_async._http.wire import Response
from planhat_async.records.documentation import documentation_of
from planhat_async.repositories.queries import queries_of
from planhat_async.sandbox import Sandbox
from planhat_async.testing import make_record


@pytest.fixture
async def planhat() -> AsyncIterator[Sandbox]:
    async with Sandbox(per_minute=None, per_second=None) as planhat:
        yield planhat


@pytest.fixture
async def companies(planhat: Sandbox) -> AsyncIterator[Companies]:
    async with Session(planhat.token, base_url=planhat.url) as session:
        yield Companies(session)


async def test_every_call_works_as_documented(companies: Companies) -> None:
    """Companies are created, found by each kind of key, updated, listed and deleted."""
    made = await companies.create(Company(name="Acme", external_id="acme", source_id="7", domains=["acme.example"]))
    assert made.id is not None
    assert [await companies.get(key) for key in (made.id, extid("acme"), srcid("7"))] == [made] * 3
    assert (await companies.update(extid("acme"), {"phase": "Onboarding"})).phase == "Onboarding"
    assert [company.name async for company in companies.iter(select=["name"])] == ["Acme"]
    assert [company.id for company in await companies.page(company_id="extid-acme")] == [made.id]
    await companies.delete(made.id)
    with pytest.raises(NotFoundError):
        await companies.get(made.id)


async def test_a_company_needs_a_name_and_no_company(companies: Companies) -> None:
    """A row that may update needs neither."""
    with pytest.raises(ValueError, match=r"^name is required$"):
        await companies.create({"externalId": "acme"})
    result = await companies.upsert_many([{"name": "Acme", "externalId": "acme"}, {"externalId": "b"}, {"phase": "x"}])
    assert (result.created, result.rejected, result.invalid) == (1, 1, 1)


async def test_rows_are_matched_on_each_of_their_keys(companies: Companies) -> None:
    """The order is `_id`, `sourceId`, `externalId`."""
    made = [make_record(Company, number, domains=[f"{number}.example"]) for number in range(300)]
    assert (await companies.upsert_many(made)).created == 300
    again = await companies.upsert_many([{"externalId": one.external_id, "phase": "Live"} for one in made])
    assert (again.updated, again.created) == (300, 0)
    assert {company.phase async for company in companies.iter(page_size=100)} == {"Live"}


async def test_a_source_id_is_not_an_external_id() -> None:
    """An external id in an answer does not match a row with that source id."""
    answer = {"created": 1, "updated": 0, "nonupdates": 0, "insertsKeys": [{"_id": "b" * 24, "externalId": "1"}]}
    refused = {"createdErrors": [{"sourceId": "1", "error": "no"}], **answer}
    unchanged = {"created": 0, "updated": 0, "nonupdates": 1}
    transport = FakeTransport(
        [
            Response(status=400, body=json.dumps(refused).encode()),
            Response(status=200, body=json.dumps(unchanged).encode()),
        ]
    )
    async with Session("token", transport=transport) as session:
        rows = [{"name": "A", "sourceId": "1"}, {"name": "B", "externalId": "1"}]
        result = await Companies(session).upsert_many(rows)
    assert (result.created, result.rejected, result.problems[0].position) == (1, 1, 0)


async def test_an_error_that_names_two_rows_belongs_to_the_first_match() -> None:
    """The order is Planhat's: `_id`, `sourceId`, `externalId`."""
    refused = {"created": 0, "updated": 1, "nonupdates": 0, "updatedErrors": [{"externalId": "2", "sourceId": "1"}]}
    transport = FakeTransport([Response(status=206, body=json.dumps(refused).encode())])
    async with Session("token", transport=transport) as session:
        rows = [{"name": "B", "externalId": "2"}, {"name": "A", "sourceId": "1"}]
        result = await Companies(session).upsert_many(rows)
    assert [(one.outcome, one.position) for one in result.problems] == [("rejected", 1)]


async def test_companies_named_in_two_ways_are_listed_once(planhat: Sandbox, companies: Companies) -> None:
    """Their keys may need several URLs, and only some fields may be selected."""
    made = [planhat.add("companies", {"name": f"c{n}", "externalId": f"company-{n:03}"}) for n in range(130)]
    keys = [*(one["_id"] for one in made), *(extid(one["externalId"]) for one in made)]
    assert len(queries_of(Companies.model, {"company_id": keys})) > 1
    for options in ({}, {"select": ["name"]}):
        found = [company.id async for company in companies.iter(company_id=keys, **options)]  # type: ignore[arg-type]
        assert sorted(filter(None, found)) == sorted(one["_id"] for one in made)


async def test_tickets_can_name_a_created_company(planhat: Sandbox, companies: Companies) -> None:
    """Any of its keys works; once a company exists, unknown companies are refused."""
    made = await companies.create(Company(name="Acme", external_id="acme", domains=["acme.example"]))
    rows: list[dict[str, Any]] = [
        {"source_id": "1", "email": "a@b.example", "company_external_id": "acme"},
        {"source_id": "2", "email": "a@acme.example", "domains": ["acme.example"]},
        {"source_id": "3", "email": "a@b.example", "company_external_id": "unknown"},
    ]
    result = await Tickets(companies.session).upsert_many(rows)
    assert (result.created, result.rejected) == (2, 1)
    assert {ticket["companyId"] for ticket in planhat.records("tickets")} == {made.id}


async def test_companies_are_saved_with_other_records(planhat: Sandbox, companies: Companies, tmp_path: Path) -> None:
    """Snapshots and files contain them."""
    await companies.upsert_many(make_record(Company, number) for number in range(3))
    held, snapshot = planhat.records("companies"), planhat.snapshot()
    planhat.save(tmp_path / "all.jsonl")
    for one in held:
        await companies.delete(one["_id"])
    assert planhat.records("companies") == []
    planhat.restore(snapshot)
    assert planhat.records("companies") == held
    async with Sandbox() as other:
        other.load(tmp_path / "all.jsonl")
        assert other.records("companies") == held


def test_every_field_is_documented() -> None:
    """The documentation is under the field, where editors find it."""
    documented = documentation_of(Company)
    assert all(documented[name].endswith(".") for name in Company.__annotations__)


async def test_an_external_id_is_sent_as_text(companies: Companies) -> None:
    """Planhat's example of a bulk upsert sends a number, which is returned as text."""
    result = await companies.upsert_many([{"name": "Acme", "externalId": 1234}, {"name": "Bolt", "externalId": True}])
    assert (result.created, result.invalid) == (1, 1)
    assert [problem.reason for problem in result.problems] == ["external_id: text or a whole number, not True"]
    assert (await companies.get(extid("1234"))).external_id == "1234"
