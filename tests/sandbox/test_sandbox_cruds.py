"""Test the sandbox with an independent client: `cruds` and its interface to Planhat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import urllib3
from cruds.interfaces.planhat import Planhat
from cruds.interfaces.planhat.exception import PlanhatUpsertError

from planhat_async.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as planhat:
        planhat.add_company("5fd76c4daf9f4601dd313b05", external_id="acme", name="Acme", domains=["acme.com"])
        yield planhat


@pytest.fixture
def cruds(sandbox: Sandbox) -> Iterator[Any]:
    client = Planhat(api_token=sandbox.token)
    client.client.host = f"{sandbox.url}/"
    yield client
    client.client.manager.clear()


@pytest.mark.parametrize(
    ("name", "title", "fields"), [("note", "subject", {"type": "note"}), ("task", "action", {"mainType": "task"})]
)
async def test_notes_and_tasks(sandbox: Sandbox, cruds: Any, name: str, title: str, fields: dict[str, str]) -> None:
    """Records are created, read, listed in pages, upserted in bulk and deleted."""
    model = getattr(cruds, name)
    row = {"companyId": "extid-acme", **fields}

    def use() -> None:
        created = model.create({**row, title: "one by one"})
        assert (created["companyName"], created[title]) == ("Acme", "one by one")
        assert model.get_by_id(created["_id"])[title] == "one by one"
        rows = [{**row, title: f"no. {n}"} for n in range(3)]
        answer = model.bulk_upsert([*rows, {"_id": created["_id"], title: "changed"}], raise_on_error=True)
        assert (answer["created"], answer["updated"], len(answer["upsertedIds"])) == (3, 1, 3)
        (page,) = model.get_list(select=title)
        assert [record[title] for record in page] == ["no. 2", "no. 1", "no. 0", "changed"]
        for record in page:
            model.delete(record["_id"])

    await asyncio.to_thread(use)
    assert sandbox.records(f"{name}s") == []


async def test_tickets(sandbox: Sandbox, cruds: Any) -> None:
    """Tickets are upserted in bulk, listed, upserted again and deleted."""
    rows = [
        {"sourceId": str(n), "email": "ada@acme.com", "domains": ["acme.com"], "title": f"no. {n}"} for n in range(3)
    ]

    def use() -> None:
        assert cruds.ticket.bulk_upsert(rows) == {"created": 3, "updated": 0}
        assert cruds.ticket.bulk_upsert([{**rows[0], "title": "changed"}]) == {"created": 0, "updated": 1}
        (page,) = cruds.ticket.get_list(select="subject, externalId")
        assert [ticket["subject"] for ticket in page] == ["no. 2", "no. 1", "changed"]
        for ticket in page:
            assert cruds.ticket.delete(ticket["_id"])["externalId"] == ticket["externalId"]

    await asyncio.to_thread(use)
    assert sandbox.records("tickets") == []


async def test_a_status_sync_of_tickets(sandbox: Sandbox, cruds: Any) -> None:
    """An existing ticket is updated by its `sourceId` alone, without `email` or company; other fields stay."""
    row = {"sourceId": "7", "email": "ada@acme.com", "domains": ["acme.com"], "title": "T", "status": "open"}

    def use() -> None:
        assert cruds.ticket.bulk_upsert([row], raise_on_error=True) == {"created": 1, "updated": 0}
        (before,) = sandbox.records("tickets")
        answer = cruds.ticket.bulk_upsert([{"sourceId": "7", "status": "closed"}], raise_on_error=True)
        assert answer == {"created": 0, "updated": 1}
        (after,) = sandbox.records("tickets")
        assert after == before | {"status": "closed", "updateDate": after["updateDate"]}

    await asyncio.to_thread(use)


async def test_pages_of_cruds_are_the_whole_list(sandbox: Sandbox, cruds: Any) -> None:
    """It requests further pages as long as they are full."""
    cruds._delay = 0
    expected = [sandbox.add("tasks", {"action": str(n)})["_id"] for n in range(25)]

    def use() -> list[list[Any]]:
        return list(cruds.task.get_list(limit=10))

    pages = await asyncio.to_thread(use)
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [task["_id"] for page in pages for task in page] == expected[::-1]


@pytest.mark.parametrize("name", ["note", "task"])
async def test_the_update_of_cruds_is_not_documented(sandbox: Sandbox, cruds: Any, name: str) -> None:
    """It sends a PATCH, which Planhat does not document; the answer is a 405, and the record is unchanged."""
    before = sandbox.add(f"{name}s", {"companyId": "c"})

    def use() -> None:
        with pytest.raises(urllib3.exceptions.HTTPError, match="status code 405"):
            getattr(cruds, name).update(before["_id"], {"companyId": "d"})

    await asyncio.to_thread(use)
    assert sandbox.records(f"{name}s") == [before]
    assert sandbox.requests[-1].method == "PATCH"


async def test_cruds_detects_refused_rows(cruds: Any) -> None:
    """Its own check of a bulk answer finds the lists of errors of a 206 and of a 400."""

    def use() -> None:
        for rows in ([{"companyId": "extid-acme"}, {"companyId": "extid-nobody"}], [{"action": "no company"}]):
            with pytest.raises(PlanhatUpsertError, match="createdErrors"):
                cruds.task.bulk_upsert(rows, raise_on_error=True)

    await asyncio.to_thread(use)
