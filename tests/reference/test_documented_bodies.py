"""REFERENCE, "Documented fields": the bodies on Planhat's pages, sent and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from each_model import each, with_capability

from planhat_async import Notes, Record, Tasks, Tickets
from planhat_async._convert import fields_of
from planhat_async.repositories import Creates, Deletes, Gets, Lists, Repository, Updates, Upserts
from planhat_async.testing import make_record
from reference.conftest import Serve
from reference.page_server import ID, Call, PageServer, Said, always, says

DATA = Path(__file__).parents[1] / "data"
OF_CREATIONS = {"created", "insertsKeys", "upsertedIds"}
OF_CHANGES = {"updated", "updatesKeys", "nonupdates", "modified"}
"""Keys of an answer to a bulk upsert."""
NOT_DOCUMENTED: dict[str, set[str]] = {}
"""Fields of the examples that are in no table, by the name of the record's class."""


def name_of(repository: type[Repository[Any]]) -> str:
    """Return the name of a model's examples: its module's name."""
    return repository.model.record.__module__.rpartition(".")[2].replace("_", "-")


def documented(repository: type[Repository[Any]], example: str) -> Any:
    """Return a body of Planhat's documentation."""
    return json.loads((DATA / f"{name_of(repository)}-{example}.json").read_text())


def each_with(capability: type[Repository[Any]], *examples: str) -> pytest.MarkDecorator:
    """Run a test with each `repository` that has this capability and these examples."""
    found = [
        repository
        for repository in with_capability(capability)
        if all((DATA / f"{name_of(repository)}-{example}.json").exists() for example in examples)
    ]
    assert {Notes, Tasks, Tickets}.intersection(with_capability(capability)) <= {*found}
    return pytest.mark.parametrize("repository", found, ids=name_of)


def with_ids_as_text(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it leaves: D, an external id that is a number comes back as text, so it is sent as text."""
    row = {name: f"{value[:-4]}.000Z" if str(value).endswith(".00Z") else value for name, value in row.items()}
    numbers = {name: str(row[name]) for name in ("externalId", "extId", "sourceId") if type(row.get(name)) is int}
    return row | numbers


def as_sent(planhat: PageServer, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all calls in the order of the input; those with and without a key are in calls of their own."""
    return sorted((row for call in planhat.calls for row in call.sent), key=rows.index)


def held(record: Any) -> dict[str, Any]:
    """Return the documented fields that a record has, by Planhat's names."""
    names = {name: field.wire for name, field in fields_of(type(record)).items()}
    return {wire: value for name, wire in names.items() if (value := getattr(record, name)) not in (None, {})}


def check_read(record: Record, body: dict[str, Any]) -> None:
    """Check that documented fields are in their attributes and all others in `extra`."""
    present = {field for field, value in body.items() if value is not None and value != {}}
    known = {field.wire for field in fields_of(type(record)).values()}
    undocumented = NOT_DOCUMENTED.get(type(record).__name__, set())
    assert held(record).keys() == present & known
    assert record.extra.keys() == body.keys() - known == undocumented & body.keys()
    assert record.custom == (body.get("custom") or {})


@each_with(Gets, "get.response")
async def test_a_documented_record_is_read_completely(page_server: Serve, repository: Any) -> None:
    """D: the answer on each page; no field is lost or read as another."""
    body = documented(repository, "get.response")
    planhat = await page_server(always(body))
    check_read(await repository(planhat.session).get(body["_id"]), body)


@each_with(Creates, "create.request", "create.response")
async def test_a_documented_creation_is_sent_and_read_completely(page_server: Serve, repository: Any) -> None:
    """D: its body is valid and sent unchanged; no field of the answer is lost.

    The time in `task-create.request` ends with `.00Z`; it is sent as the server normalises it.
    """
    sent, body = documented(repository, "create.request"), documented(repository, "create.response")
    planhat = await page_server(always(body))
    check_read(await repository(planhat.session).create(sent), body)
    assert planhat.calls[0].sent == with_ids_as_text(sent)


@each_with(Updates, "update.request", "update.response")
async def test_a_documented_update_is_sent_and_read_completely(page_server: Serve, repository: Any) -> None:
    """D: its body is valid and sent unchanged; no field of the answer is lost."""
    sent, body = documented(repository, "update.request"), documented(repository, "update.response")
    planhat = await page_server(always(body))
    check_read(await repository(planhat.session).update(body["_id"], sent), body)
    assert planhat.calls[0].sent == with_ids_as_text(sent)


@each_with(Lists, "list.response")
async def test_a_documented_list_is_read_completely(page_server: Serve, repository: Any) -> None:
    """D: the list on each page.

    The examples contradict their own queries (`limit=2` with four rows; `s`, `cid`, `l` as names), and notes and
    tickets come newest first but tasks oldest first: they document the form of records, not the order of lists.
    """
    body = documented(repository, "list.response")
    planhat = await page_server(always(body))
    records = await repository(planhat.session).page()
    assert [record.id for record in records] == [row["_id"] for row in body]
    for record, row in zip(records, body, strict=True):
        check_read(record, row)


@each_with(Upserts, "bulk-upsert.request", "bulk-upsert.response")
async def test_a_documented_bulk_upsert_has_the_documented_outcome(page_server: Serve, repository: Any) -> None:
    """D: the counts and the created `_id`s are those of the answer, and every row has an outcome.

    Three examples hold rows with an `_id` and rows without. Those are sent in separate calls, so each call is
    answered with its part: rows without an `_id` were created, the others were there.
    """
    rows, answer = documented(repository, "bulk-upsert.request"), documented(repository, "bulk-upsert.response")

    def part(call: Call) -> Said:
        others = OF_CHANGES if any("_id" not in row for row in call.sent) else OF_CREATIONS
        return says({name: type(value)() if name in others else value for name, value in answer.items()})

    planhat = await page_server(part)
    result = await repository(planhat.session).upsert_many(rows)
    said = (answer["created"], answer["updated"], answer.get("nonupdates", 0))
    assert (result.created, result.updated, result.unchanged) == said
    assert (result.rows, result.ok) == (sum(said), True)


@each_with(Upserts, "bulk-upsert.request", "bulk-upsert.response")
async def test_the_ids_of_a_documented_bulk_upsert_are_told(page_server: Serve, repository: Any) -> None:
    """D: `upsertedIds` and `insertsKeys` name what was created."""
    rows, answer = documented(repository, "bulk-upsert.request"), documented(repository, "bulk-upsert.response")
    rows = [row for row in rows if "_id" not in row]
    planhat = await page_server(always(answer))
    (chunk,) = [chunk async for chunk in repository(planhat.session).upsert_chunks(rows)]
    assert chunk.created_ids == tuple(answer.get("upsertedIds", ()))


@each_with(Upserts, "bulk-upsert.request")
async def test_the_rows_of_a_documented_bulk_upsert_are_sent_unchanged(page_server: Serve, repository: Any) -> None:
    """D: every row is valid.

    `ticket-bulk-upsert.request` sends `name` and `agentEmail`, which are in no table, and an `agentEmail` of null.
    """
    rows = documented(repository, "bulk-upsert.request")
    planhat = await page_server(lambda call: says({"created": len(call.sent), "updated": 0, "nonupdates": 0}))
    assert (await repository(planhat.session).upsert_many(rows)).invalid == 0
    expected = [with_ids_as_text(row) for row in rows]
    assert as_sent(planhat, expected) == expected


@each_with(Deletes, "delete.response")
async def test_a_documented_deletion_succeeds(page_server: Serve, repository: Any) -> None:
    """D: the deleted note or ticket, or `{"n":1,"ok":1,"deletedCount":1}` for a task."""
    planhat = await page_server(always(documented(repository, "delete.response")))
    assert await repository(planhat.session).delete_many([ID]) == [True]


@each(Lists)
async def test_undocumented_fields_are_kept(page_server: Serve, repository: Any) -> None:
    """L: answers have more fields than the tables; all of them are in `extra` and never written."""
    surprise: dict[str, Any] = {"newField": {"a": [1, None]}, "x y": "z", "customer": 7}
    planhat = await page_server(always([{"_id": ID, **surprise}]))
    (record,) = await repository(planhat.session).page()
    assert record == repository.model.record(id=ID, extra=surprise)
    written = make_record(repository.model.record, id=ID, extra=record.extra)
    if issubclass(repository, Upserts):
        await repository(planhat.session).upsert_many([written])
        assert planhat.calls[-1].method == "PUT"
        assert not planhat.calls[-1].sent[0].keys() & surprise.keys()
    if issubclass(repository, Updates):
        planhat = await page_server(always({"_id": ID}))
        await repository(planhat.session).update(ID, written)
        assert not planhat.calls[-1].sent.keys() & surprise.keys()


@pytest.mark.parametrize(
    ("repository", "field", "value"),
    [
        (Notes, "date", "undefined"),
        (Tasks, "repeatDays", "three"),
        (Tickets, "history", "none"),
        (Notes, "users", 7),
    ],
)
async def test_a_value_of_another_type_is_kept_unchanged(
    page_server: Serve, repository: Any, field: str, value: Any
) -> None:
    """L: Planhat does not validate stored values, so a documented field may hold any value, which goes to `extra`."""

    def one(_: Call) -> Said:
        return says([{"_id": ID, field: value}])

    planhat = await page_server(one)
    (record,) = await repository(planhat.session).page()
    kept = {**held(record), **record.extra}
    assert (record.id, kept[field]) == (ID, value)


async def test_bodies_for_notes_are_conversations(page_server: Serve) -> None:
    """D: a note is a conversation, and has the fields of both pages.

    The examples of conversations send `useSubject` and `ownerId`, which the table of notes lacks: the client refuses
    such a field by name, because Planhat silently drops unknown fields.
    """
    planhat = await page_server(always({"_id": ID}))
    row = {"companyId": ID, "type": "note", "subject": "New conversation", "useSubject": True}
    with pytest.raises(ValueError, match="useSubject"):
        await Notes(planhat.session).create(row)
    assert planhat.calls == []
