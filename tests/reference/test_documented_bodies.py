"""REFERENCE, "Documented fields": the bodies on Planhat's pages, sent and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from planhat_async import Note, Notes, Task, Tasks, Ticket, Tickets
from planhat_async._convert import fields_of
from reference.conftest import Serve
from reference.page_server import ID, Call, PageServer, Said, always, says

MODELS: dict[str, tuple[Any, type[Note | Task | Ticket]]] = {
    "note": (Notes, Note),
    "task": (Tasks, Task),
    "ticket": (Tickets, Ticket),
}


def documented(name: str) -> Any:
    """A body of Planhat's documentation."""
    return json.loads((Path(__file__).parents[1] / "data" / f"{name}.json").read_text())


NOT_DOCUMENTED = {"note": set[str](), "task": set[str](), "ticket": set[str]()}
"""Fields of the examples that no table names."""


def held(record: Any) -> dict[str, Any]:
    """The documented fields that a record has, by Planhat's names."""
    names = {name: field.wire for name, field in fields_of(type(record)).items()}
    return {wire: value for name, wire in names.items() if (value := getattr(record, name)) not in (None, {})}


def check_read(name: str, record: Any, body: dict[str, Any]) -> None:
    """Every field of a body is where it belongs: a documented one in its attribute, any other in `extra`."""
    present = {field for field, value in body.items() if value is not None and value != {}}
    known = {field.wire for field in fields_of(type(record)).values()}
    assert held(record).keys() == present & known
    assert record.extra.keys() == body.keys() - known == NOT_DOCUMENTED[name] & body.keys()
    assert record.custom == body.get("custom", {})


@pytest.mark.parametrize("name", ["note", "task"])
@pytest.mark.parametrize("call", ["get", "create", "update"])
async def test_a_documented_record_is_read_whole(page_server: Serve, name: str, call: str) -> None:
    """D: what each page shows as its answer; no field is lost, none is read as another."""
    repository, _ = MODELS[name]
    body = documented(f"{name}-{call}.response")
    planhat = await page_server(always(body))
    model = repository(planhat.session)
    match call:
        case "get":
            record = await model.get(body["_id"])
        case "create":
            record = await model.create(documented(f"{name}-create.request"))
        case _:
            record = await model.update(body["_id"], documented(f"{name}-update.request"))
    check_read(name, record, body)


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_a_documented_list_is_read_whole(page_server: Serve, name: str) -> None:
    """D: what each page shows as its list.

    The examples contradict their own queries (`limit=2` with four rows; `s`, `cid`, `l` for names), and the notes and
    tickets come newest first while the tasks come oldest first: they show what records look like, not how lists work.
    """
    repository, _ = MODELS[name]
    body = documented(f"{name}-list.response")
    planhat = await page_server(always(body))
    records = await repository(planhat.session).page()
    assert [record.id for record in records] == [row["_id"] for row in body]
    for record, row in zip(records, body, strict=True):
        check_read(name, record, row)


@pytest.mark.parametrize("name", ["note", "task"])
@pytest.mark.parametrize("call", ["create", "update"])
async def test_a_documented_body_is_sent_as_it_stands(page_server: Serve, name: str, call: str) -> None:
    """D: what each page shows as its request passes every check, and is changed in nothing.

    `task-create.request` writes a time as `.00Z`, which is sent as it is; the server normalises it.
    """
    repository, _ = MODELS[name]
    body = documented(f"{name}-{call}.request")
    planhat = await page_server(always({"_id": ID}))
    model = repository(planhat.session)
    await (model.create(body) if call == "create" else model.update(ID, body))
    assert planhat.calls[0].sent == body


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_a_documented_bulk_upsert_comes_out_as_documented(page_server: Serve, name: str) -> None:
    """D: the rows leave as each page shows them, and its answer says that all were created.

    `ticket-bulk-upsert.request` sends `name` and `agentEmail`, which no table has, and an `agentEmail` of null.
    """
    repository, _ = MODELS[name]
    rows, answer = documented(f"{name}-bulk-upsert.request"), documented(f"{name}-bulk-upsert.response")
    planhat = await page_server(always(answer))
    (chunk,) = [chunk async for chunk in repository(planhat.session).upsert_chunks(rows)]
    assert planhat.calls[0].sent == rows
    assert (chunk.created, chunk.rows, chunk.ok) == (len(rows), len(rows), True)
    assert chunk.created_ids == tuple(answer.get("upsertedIds", ()))


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_a_documented_deletion_is_done(page_server: Serve, name: str) -> None:
    """D: the deleted note or ticket, or `{"n":1,"ok":1,"deletedCount":1}` for a task."""
    repository, _ = MODELS[name]
    planhat = await page_server(always(documented(f"{name}-delete.response")))
    assert await repository(planhat.session).delete_many([ID]) == [True]


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_undocumented_fields_are_kept(page_server: Serve, name: str) -> None:
    """L: answers hold more than the tables; whatever it is, it is in `extra`, and it is never written."""
    repository, _ = MODELS[name]
    surprise: dict[str, Any] = {"newField": {"a": [1, None]}, "x y": "z", "customer": 7}
    planhat = await page_server(always([{"_id": ID, "companyId": ID, "description": "d", **surprise}]))
    (record,) = await repository(planhat.session).page()
    assert record.extra == surprise
    await _written_back(planhat, repository, attrs.evolve(record, id=ID))
    assert planhat.calls[-1].method == "PUT"
    assert not planhat.calls[-1].sent[0].keys() & surprise.keys()


async def _written_back(planhat: PageServer, repository: Any, record: Any) -> None:
    if isinstance(record, Ticket):
        record.email, record.source_id = "a@b.c", "1"
    await repository(planhat.session).upsert_many([record])


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("note", "date", "undefined"),
        ("task", "repeatDays", "three"),
        ("ticket", "history", "none"),
        ("note", "users", 7),
    ],
)
async def test_a_value_of_another_type_is_kept_as_it_came(
    page_server: Serve, name: str, field: str, value: Any
) -> None:
    """L: what is stored is not checked, so a documented field may hold anything; then it is in `extra`, not lost."""
    repository, _ = MODELS[name]

    def one(_: Call) -> Said:
        return says([{"_id": ID, field: value}])

    planhat = await page_server(one)
    (record,) = await repository(planhat.session).page()
    kept = {**held(record), **record.extra}
    assert (record.id, kept[field]) == (ID, value)


async def test_bodies_for_notes_are_conversations(page_server: Serve) -> None:
    """D: a note is a conversation, and the fields of both pages are its own.

    The examples of conversations send `useSubject` and `ownerId`, which the table of notes does not have: a mapping
    with one is refused by name, because a field that Planhat does not know is dropped silently.
    """
    planhat = await page_server(always({"_id": ID}))
    row = {"companyId": ID, "type": "note", "subject": "New conversation", "useSubject": True}
    with pytest.raises(ValueError, match="useSubject"):
        await Notes(planhat.session).create(row)
    assert planhat.calls == []
