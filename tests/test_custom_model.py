"""Test records at any path, as plain dicts, against a small server and the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes import TOKEN, FakeTransport
from made_ids import id_of

from planhat_async import CustomModel, Session, UnknownOutcomeError
from planhat_async._http.wire import Response
from planhat_async.sandbox import Sandbox


@pytest.fixture
async def planhat() -> AsyncIterator[Sandbox]:
    """Yield a sandbox whose assets represent a model that the client does not know."""
    async with Sandbox() as opened:
        yield opened


@pytest.fixture
async def assets(planhat: Sandbox) -> AsyncIterator[CustomModel]:
    """Yield the repository of an open session."""
    async with Session(planhat.token, base_url=planhat.url) as session:
        yield CustomModel(session, "/assets", match=("id", "source_id", "external_id"), needs=[["name"]])


async def test_records_are_plain_dicts(planhat: Sandbox, assets: CustomModel) -> None:
    """They have Planhat's names when written and read."""
    company = planhat.add("companies", {"name": "Acme"})["_id"]
    made = await assets.create({"name": "Press", "company_id": company, "externalId": "7"})
    assert (made["name"], made["companyId"], made["externalId"]) == ("Press", company, "7")
    changed = await assets.update(made["_id"], {"name": "Lathe"})
    assert changed["name"] == "Lathe"
    assert await assets.get(made["_id"]) == planhat.records("assets")[0]
    assert [record async for record in assets.iter()] == planhat.records("assets")
    assert await assets.page(limit=1) == planhat.records("assets")
    await assets.delete(made["_id"])
    assert await assets.all() == []


async def test_unknown_fields_are_sent(assets: CustomModel, planhat: Sandbox) -> None:
    """A bulk upsert sends them too, with an outcome for each row; values without a JSON form are invalid."""
    company = planhat.add("companies", {"name": "Acme"})["_id"]
    rows: list[Any] = [{"name": f"n{n}", "companyId": company, "source_id": str(n)} for n in range(7)]
    result = await assets.upsert_many([*rows, {"name": float("nan")}, {"companyId": company}, 7])
    assert (result.created, result.invalid, result.rows) == (7, 3, 10)
    assert [problem.reason for problem in result.problems] == [
        "name: not expressible in JSON: NaN, which is not a value: leave it out",
        "name is required",
        "a mapping, not int",
    ]
    again = await assets.upsert_many({**row, "name": "new"} for row in rows)
    assert again.updated == 7


async def test_a_row_without_a_key_is_never_sent_twice() -> None:
    """Only the keys that the caller names count, because the model is unknown."""
    transport = FakeTransport([UnknownOutcomeError("timed out")])
    async with Session(TOKEN, transport=transport) as session:
        result = await CustomModel(session, "/thing").upsert_many([{"sourceId": "1", "n": 1}])
    assert (result.unknown, len(transport.sent)) == (1, 1)
    assert transport.sent[0].request.body == b'[{"sourceId":"1","n":1}]'


async def test_a_row_without_an_answer_is_found_in_the_list(planhat: Sandbox) -> None:
    """A field of unknown type can be compared, also one that Planhat writes in another way, such as a time."""
    async with Session(planhat.token, base_url=planhat.url) as session:
        entries = CustomModel(session, "/timeentries")
        for day, field in enumerate(("date", "description"), 10):
            rows = [
                {"date": f"2024-05-{day}T0{n}:00:00+0{n}:00", "description": f"{day}.{n}", "hours": n}
                for n in range(1, 2 if field == "date" else 4)
            ]
            planhat.inject("reset_after@2")  # the first call reads the newest `_id`
            result = await entries.upsert_many(rows, verify_by=[field], verify_wait=0.0)
            assert (result.created, result.unknown) == (len(rows), 0)
    assert len(planhat.records("time_entries")) == 4
    assert [call.fault for call in planhat.requests].count("reset_after") == 2


async def test_any_success_is_accepted() -> None:
    """If an answer has no record, the sent fields are returned."""
    transport = FakeTransport([Response(status=200, body=b""), Response(status=200, body=b'{"_id":"1","x":[1]}')])
    async with Session(TOKEN, transport=transport) as session:
        things = CustomModel(session, "/thing")
        assert await things.create({"name": "a", "x": {"y": 1}}) == {"name": "a", "x": {"y": 1}}
        assert await things.get(id_of("k")) == {"_id": "1", "x": [1]}


async def test_a_list_of_unknown_limits_is_read_completely(planhat: Sandbox, assets: CustomModel) -> None:
    """Any fields can be used for sorting and selecting."""
    for n in range(5):
        planhat.add("assets", {"name": f"n{n}", "companyId": "c"})
    assert [one["name"] async for one in assets.iter(sort="-name", page_size=2)] == ["n4", "n3", "n2", "n1", "n0"]
    assert [sorted(one) async for one in assets.iter(select=["name"])] == [["_id", "name"]] * 5
    with pytest.raises(ValueError, match="has no field 'a,b'"):
        assets.iter(sort="a,b")
    with pytest.raises(TypeError, match=r"CustomModel\.iter\(\) has no option 'status'"):
        assets.iter(status="x")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "mycustommodel"}, "must begin with one slash"),
        ({"path": "/a/../b"}, "must not have a '.' or '..' segment"),
        ({"path": "/a", "match": ("email",)}, "match holds 'email'"),
        ({"path": "/a", "match": "id"}, "match must be an iterable of field names"),
        ({"path": "/a", "needs": ["name"]}, "needs must be an iterable of groups of field names"),
        ({"path": "/a", "needs": "name"}, "needs must be an iterable of groups of field names"),
        ({"path": "/a", "max_page": 1}, "max_page must be a whole number of at least 2"),
    ],
)
async def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    """Before anything is sent."""
    async with Session(TOKEN) as session:
        with pytest.raises((TypeError, ValueError), match=message):
            CustomModel(session, **arguments)
        assert repr(CustomModel(session, "/a")) == f"CustomModel({session!r}, '/a')"


async def test_a_record_may_have_a_field_that_is_named_error() -> None:
    """It is a field like any other in a model that is not known here."""
    body = b'{"_id":"1","error":"E42","success":false}'
    transport = FakeTransport([Response(status=200, body=body), Response(status=200, body=body)])
    async with Session(TOKEN, transport=transport) as session:
        things = CustomModel(session, "/thing")
        assert await things.create({"error": "E42"}) == {"_id": "1", "error": "E42", "success": False}
        assert (await things.get(id_of("k")))["error"] == "E42"
