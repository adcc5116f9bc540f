"""Test every model's repository against the sandbox over its socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from each_model import changes_of, each, with_capability
from fakes import TOKEN, FakeTransport
from made_ids import id_of

from planhat_async import (
    BadRequestError,
    DecodeError,
    Note,
    Notes,
    NotFoundError,
    Outcome,
    RateLimits,
    Session,
    Task,
    Tasks,
    Ticket,
    Tickets,
    Unreadable,
    UpsertError,
    UpsertResult,
    extid,
)
from planhat_async._convert import fields_of
from planhat_async._http.wire import Response
from planhat_async.batching.upsert_run import UpsertRun
from planhat_async.records import UNKNOWN_LIMITS
from planhat_async.records.keys import EXTID, SRCID
from planhat_async.repositories import Deletes, Gets, Lists, Updates, Upserts
from planhat_async.repositories.queries import queries_of
from planhat_async.sandbox import Choices, Sandbox
from planhat_async.testing import make_record

FREE_TEXT = "a/b ?c#d%2Fe&f é[..]"
QUOTED = "a%2Fb%20%3Fc%23d%252Fe%26f%20%C3%A9%5B..%5D"
C1, C9 = id_of("c1"), id_of("c9")
ACME, NO_MEMBERS = "5f4e3d2c1b0a998877665544", "5f4e3d2c1b0a998877665545"


def calls(planhat: Sandbox) -> list[tuple[str, str, int]]:
    """Return method, path and status of each call."""
    return [(request.method, request.path, request.status) for request in planhat.requests]


def queries(planhat: Sandbox) -> list[dict[str, str]]:
    """Return the filters that were sent, without the parameters of every list."""
    usual = {"limit", "sort", "offset"}
    return [{name: value for name, value in r.query.items() if name not in usual} for r in planhat.requests]


def ids(records: list[Any]) -> list[str | None]:
    return [record.id for record in records]


def add(planhat: Sandbox, name: str, n_records: int, /, **fields: Any) -> list[str]:
    """Add records to the store and return their `_id`s."""
    return [planhat.add(name, {"companyId": "c1", **fields})["_id"] for _ in range(n_records)]


def ticket_rows(n_rows: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"source_id": f"s{n}", "email": "a@b.c", "company_id": ACME, **fields} for n in range(n_rows)]


def counted(result: UpsertResult) -> dict[str, int]:
    return {name: n_rows for name, n_rows in result.counts().items() if n_rows}


async def finish(run: UpsertRun) -> None:
    async with run:
        async for _ in run:
            pass


# Single records.


async def test_creating_a_note_returns_the_stored_record(planhat: Sandbox, session: Session) -> None:
    """The client adds its type."""
    note = await Notes(session).create(Note(company_id=ACME, subject="Call", custom={"mood": "good"}))
    (stored,) = planhat.records("notes")
    assert (note.id, note.type, note.subject, note.custom) == (stored["_id"], "note", "Call", {"mood": "good"})
    assert calls(planhat) == [("POST", "/conversations", 200)]


async def test_a_given_type_is_kept(planhat: Sandbox, session: Session) -> None:
    """Only a note without a type becomes a `note`."""
    await Notes(session).create({"companyId": ACME, "type": "QBR"})
    assert [note["type"] for note in planhat.records("notes")] == ["QBR"]


async def test_a_task_is_created_from_a_mapping_in_either_spelling(planhat: Sandbox, session: Session) -> None:
    """No type is added, because Planhat has a default of its own."""
    task = await Tasks(session).create({"company_id": ACME, "startTime": "2024-05-31T09:30:00Z", "action": "Call"})
    (stored,) = planhat.records("tasks")
    assert (task.id, task.start_time) == (stored["_id"], datetime(2024, 5, 31, 9, 30, tzinfo=UTC))
    assert (stored["startTime"], "type" in stored) == ("2024-05-31T09:30:00.000Z", False)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "company_id"),
        ({"company_id": ACME, "repeat": "custom"}, "repeat_days is required"),
        ({"company_id": ACME, "acton": "Call"}, "did you mean action"),
        ({"company_id": ACME, "companyId": ACME}, "given twice"),
        ({"company_id": ACME, "start_time": "soon"}, "start_time"),
        ({"company_id": ACME, "custom": {"x": object()}}, "not expressible in JSON"),
    ],
)
async def test_a_record_that_cannot_be_created_is_not_sent(
    planhat: Sandbox, session: Session, row: dict[str, Any], said: str
) -> None:
    """The error is a ValueError with the reason."""
    with pytest.raises(ValueError, match=said):
        await Tasks(session).create(row)
    assert planhat.requests == []


async def test_a_record_of_another_model_is_refused(planhat: Sandbox, session: Session) -> None:
    """A note is not a task."""
    with pytest.raises(TypeError, match="a Task or a mapping, not Note"):
        await Tasks(session).create(Note(company_id=ACME))  # type: ignore[arg-type]
    assert planhat.requests == []


@each(Gets)
async def test_a_record_is_fetched_by_its_id(planhat: Sandbox, session: Session, repository: type[Tasks]) -> None:
    """This takes one call; undocumented fields are in `extra`."""
    (key,) = add(planhat, repository.model.name, 1, subject="x", surprise=7)
    record = await repository(session).get(key)
    held = record.extra | {field.wire: getattr(record, name) for name, field in fields_of(type(record)).items()}
    assert (record.id, held["companyId"], record.extra["surprise"]) == (key, "c1", 7)
    assert [status for _, _, status in calls(planhat)] == [200]


@pytest.mark.parametrize(
    ("repository", "prefix"),
    [
        (repository, prefix)
        for repository in with_capability(Gets, Updates)
        for prefix in repository.model.get_keys
        if prefix in repository.model.update_keys
    ],
)
async def test_free_text_is_a_key(planhat: Sandbox, session: Session, repository: type[Tasks], prefix: str) -> None:
    """It is quoted, so that get and update address the record and no other path."""
    field = fields_of(repository.model.record)[{EXTID: "external_id", SRCID: "source_id"}[prefix]].wire
    key = prefix + FREE_TEXT
    (stored,) = add(planhat, repository.model.name, 1, **{field: FREE_TEXT})
    assert (await repository(session).get(key)).id == stored
    assert (await repository(session).update(key, {"custom": {"is": "new"}})).id == stored
    path = f"{repository.model.path}/{key[:6]}{QUOTED}"
    assert calls(planhat) == [("GET", path, 200), ("PUT", path, 200)]


@each(Updates)
async def test_an_update_sends_exactly_the_fields_of_a_mapping(
    planhat: Sandbox, session: Session, repository: type[Tasks]
) -> None:
    """`None` empties a field, no field is added, and the others stay."""
    model, (changed,) = repository.model, changes_of(repository)
    has_custom = fields_of(model.record)["custom"].is_writable
    (key,) = add(planhat, model.name, 1, **{changed: "old"}, type="email", custom={"a": 1}, sourceId="s")
    await repository(session).update(key, {changed: None, "custom": {"b": 2}} if has_custom else {changed: None})
    (stored,) = planhat.records("conversations" if model.name == "notes" else model.name)
    assert stored[changed] is None
    assert (stored["custom"], stored["type"], stored["sourceId"]) == (
        {"a": 1, **({"b": 2} if has_custom else {})},
        "email",
        "s",
    )


async def test_an_update_by_a_record_sends_its_set_fields() -> None:
    """Its `_id` is in the path, and generated fields are not sent."""
    transport = FakeTransport([Response(status=200, body=b'{"_id":"k"}')])
    async with Session(TOKEN, transport=transport) as session:
        await Tasks(session).update(id_of("k"), Task(id="k", action="Call", company_name="Tenet"))
    request = transport.sent[0].request
    assert (request.method, request.path, request.body) == ("PUT", f"/tasks/{id_of('k')}", b'{"action":"Call"}')
    assert request.is_keyed


async def test_a_write_with_an_unreadable_answer_may_have_been_processed() -> None:
    """The error says so: a creation must be verified before it is repeated."""
    async with Session(TOKEN, transport=FakeTransport([Response(status=200, body=b"[7]")] * 2)) as session:
        for write in (Tasks(session).create({"company_id": ACME}), Tasks(session).update(id_of("k"), {"action": "x"})):
            with pytest.raises(DecodeError) as caught:
                await write
            assert caught.value.may_have_been_processed


async def test_an_update_of_an_unknown_field_is_not_sent(planhat: Sandbox, session: Session) -> None:
    """Planhat would drop the field silently."""
    with pytest.raises(ValueError, match="did you mean status"):
        await Tasks(session).update(id_of("k"), {"statsu": "done"})
    assert planhat.requests == []


@each(Deletes)
async def test_a_deleted_record_stays_deleted(planhat: Sandbox, session: Session, repository: type[Tickets]) -> None:
    """Only the record with this key is deleted; a second deletion finds none."""
    name = repository.model.name
    key, other = add(planhat, name, 2)
    await repository(session).delete(key)
    assert [record["_id"] for record in planhat.records(name)] == [other]
    with pytest.raises(NotFoundError):
        await repository(session).delete(key)
    path = f"{repository.model.path}/{key}"
    assert calls(planhat) == [("DELETE", path, 200), ("DELETE", path, 404)]


@pytest.mark.parametrize(
    ("body", "was_there"),
    [
        (b"", True),
        (b'{"n":1,"ok":1,"deletedCount":1}', True),
        (b'{"n":0,"ok":1,"deletedCount":0}', False),
        (b"[]", True),
    ],
)
async def test_a_deletion_of_a_missing_record_is_not_found(body: bytes, *, was_there: bool) -> None:
    """Planhat answers with a 404 or a count of 0."""
    async with Session(TOKEN, transport=FakeTransport([Response(status=200, body=body)])) as session:
        assert await Tasks(session).delete_many([id_of("k")]) == [was_there]


@each(Gets, Updates)
async def test_a_missing_record_is_not_found(session: Session, repository: type[Tasks]) -> None:
    """The errors of get and update contain the path."""
    path = f"{repository.model.path}/{'f' * 24}"
    with pytest.raises(NotFoundError) as got:
        await repository(session).get("f" * 24)
    with pytest.raises(NotFoundError) as updated:
        await repository(session).update("f" * 24, {"custom": {"is": "x"}})
    assert (got.value.path, updated.value.path, updated.value.method) == (path, path, "PUT")


@pytest.mark.parametrize("key", ["", " ", "\t\n", ".", "..", "a/b", "extid-", "extid- ", "srcid-", "tasks?x=1"])
async def test_a_key_that_leads_to_another_path_is_refused(planhat: Sandbox, session: Session, key: str) -> None:
    """It would address the list, a bulk upsert, or another path; no call is made."""
    tasks, good = Tasks(session), "f" * 24
    for call in (
        tasks.get(key),
        tasks.update(key, {"action": "x"}),
        tasks.delete(key),
        tasks.get_many([good, key]),
        tasks.delete_many([good, key]),
        Tickets(session).delete(key),
    ):
        with pytest.raises(ValueError, match=r"blank|is not an _id"):
            await call
    assert planhat.requests == []


@pytest.mark.parametrize(
    ("repository", "method", "taken"),
    [
        (repository, method, getattr(repository.model, keys))
        for capability, methods, keys in (
            (Gets, ["get", "get_many"], "get_keys"),
            (Updates, ["update"], "update_keys"),
            (Deletes, ["delete", "delete_many"], "delete_keys"),
        )
        for repository in with_capability(capability)
        for method in methods
    ],
)
async def test_a_key_of_an_unsupported_kind_is_not_sent(
    repository: type[Tickets], method: str, taken: tuple[str, ...]
) -> None:
    """Planhat would answer 404; the kinds that each call accepts are documented."""
    transport = FakeTransport([None])
    async with Session(TOKEN, transport=transport) as session:
        call = getattr(repository(session), method)
        for key in [*(f"{prefix}1" for prefix in {EXTID, SRCID}.difference(taken)), "crm-1", f" {'f' * 24}"]:
            keys: Any = [[key]] if method.endswith("_many") else [key]
            said = rf"is not an _id \(24 hex digits\): {repository.__name__}\.{method.removesuffix('_many')}\(\) takes"
            with pytest.raises(ValueError, match=said):
                await call(*keys, *([{}] if method == "update" else []))
    assert transport.sent == []


async def test_an_id_in_upper_case_names_the_same_record(planhat: Sandbox, session: Session) -> None:
    """Hex digits are case-insensitive, and Planhat writes them in lower case."""
    (key,) = add(planhat, "tasks", 1, companyId=C1)
    assert (await Tasks(session).get(key.upper())).id == key
    assert ids(await Tasks(session).all(company_id=C1.upper(), after=id_of(1).upper(), archived=False)) == [key]


async def test_all_keys_are_validated_before_the_first_call() -> None:
    """A valid key is not requested if a later one is refused."""
    transport = FakeTransport([None])
    async with Session(TOKEN, transport=transport) as session:
        for call in (Tasks(session).get_many, Tasks(session).delete_many):
            with pytest.raises(ValueError, match="blank"):
                await call(["f" * 24, ""])
    assert transport.sent == []


async def test_a_key_that_is_not_text_is_refused(planhat: Sandbox, session: Session) -> None:
    """No call is made."""
    with pytest.raises(TypeError, match="a key is a string"):
        await Tasks(session).get_many(["f" * 24, 7])  # type: ignore[list-item]
    assert planhat.requests == []


# Many records, one call each.


@each(Gets)
async def test_many_records_are_fetched_in_order(planhat: Sandbox, session: Session, repository: type[Tasks]) -> None:
    """`None` stands for a missing record; a repeated key is fetched twice."""
    name = repository.model.name
    first, second = add(planhat, name, 2)
    found = await repository(session).get_many(iter([second, "f" * 24, first, second]))
    assert [record and record.id for record in found] == [second, None, first, second]
    assert len(planhat.requests) == 4


@each(Deletes)
async def test_many_records_are_deleted(planhat: Sandbox, session: Session, repository: type[Tickets]) -> None:
    """The result shows for each key whether the record existed."""
    name = repository.model.name
    first, second, third = add(planhat, name, 3)
    assert await repository(session).delete_many([third, "f" * 24, first]) == [True, False, True]
    assert [record["_id"] for record in planhat.records(name)] == [second]


async def test_no_keys_make_no_call(planhat: Sandbox, session: Session) -> None:
    """The result is an empty list."""
    assert (await Tasks(session).get_many([]), await Tasks(session).delete_many([])) == ([], [])
    assert planhat.requests == []


async def test_an_error_of_one_call_ends_the_others() -> None:
    """The caller gets the error itself, not in a group, and no call is left running."""
    transport = FakeTransport([Response(status=200, body=b'{"_id":"a"}'), Response(status=400), None])
    before = asyncio.all_tasks()
    async with asyncio.timeout(60), Session(TOKEN, transport=transport) as session:
        with pytest.raises(BadRequestError):
            await Tasks(session).get_many(map(id_of, "abc"))
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize("name", ["get_many", "delete_many"])
@pytest.mark.parametrize("keys", ["f" * 24, b"f" * 24, 5, None])
async def test_a_single_key_is_not_a_list_of_keys(planhat: Sandbox, session: Session, name: str, keys: Any) -> None:
    """No call is made."""
    with pytest.raises(TypeError, match=r"^keys must be an iterable of keys, not"):
        await getattr(Tasks(session), name)(keys)
    assert planhat.requests == []


# Lists.


@each(Lists)
@pytest.mark.parametrize("n_records", [0, 1, 5, 6, 11])
async def test_a_list_contains_every_record_once(
    planhat: Sandbox, session: Session, repository: type[Tasks], n_records: int
) -> None:
    """Each way of reading yields them in the order of their `_id`s, for no, one, a page of, and more records."""
    expected = add(planhat, repository.model.name, n_records)
    listed: Any = repository(session)
    size = {} if repository.model.limits is None else {"page_size": 5}
    pages = [ids(page) async for page in listed.pages(**size)]
    if not size:  # in the order of Planhat: the newest first
        expected.reverse()
    assert ids([record async for record in listed.iter(**size)]) == expected
    assert ids(await listed.all(**size)) == expected
    assert [json.loads(row)["_id"] async for row in listed.iter_json(**size)] == expected
    assert [key for page in pages for key in page] == expected
    assert max(map(len, pages), default=0) <= (5 if size else n_records)


@each(Lists)
@pytest.mark.parametrize("page_size", [None, 10**6])
async def test_a_short_list_costs_one_call(
    planhat: Sandbox, session: Session, repository: type[Tickets], page_size: int | None
) -> None:
    """The call requests the model's maximum; tasks are two lists.

    If the endpoint's default is unknown, a second call proves the end.
    """
    keys = add(planhat, repository.model.name, 3)
    limits = repository.model.limits
    listed: Any = repository(session)
    listed_ids = ids(await listed.all(**({} if limits is None else {"page_size": page_size})))
    assert listed_ids == (keys if limits is not None else keys[::-1])
    asked = {} if limits is None else {"sort": "_id", "limit": str(limits.most)}
    more = [{"sort": "_id", "limit": "3", "offset": "2"}] if limits is UNKNOWN_LIMITS else []
    assert [request.query for request in planhat.requests] == [
        {**dict(query.filters), **asked} for query in queries_of(repository.model, {})
    ] + more


async def test_raw_rows_are_unchanged(planhat: Sandbox, session: Session) -> None:
    """Rows are not decoded and encoded again: unknown fields and invalid times stay."""
    planhat.add("tasks", {"companyId": "c1", "startTime": "soon", "newField": [1, None]})
    rows = [json.loads(row) async for row in Tasks(session).iter_json()]
    assert rows == planhat.records("tasks")


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [({}, "note QBR"), ({"type": "note"}, "note QBR"), ({"type": "email"}, "email"), ({"type": "QBR"}, "QBR")],
)
async def test_notes_are_distinguished_from_other_conversations(
    planhat: Sandbox, session: Session, wanted: Any, listed: str
) -> None:
    """A note has the type `note` or a custom type, or the requested type."""
    for kind in ("note", "email", "ticket", "QBR"):
        planhat.add("notes", {"type": kind, "isCustomType": kind == "QBR"})
    assert [note.type for note in await Notes(session).all(**wanted)] == listed.split()
    assert queries(planhat) == [{}]  # Planhat has no such filter, so no parameter is sent


async def test_every_conversation_can_be_listed(planhat: Sandbox, session: Session) -> None:
    """`type=None` lists them, and `page` returns Planhat's unfiltered list."""
    expected = [planhat.add("notes", {"type": kind})["_id"] for kind in ("note", "email", "ticket")]
    assert ids(await Notes(session).all(type=None)) == expected
    assert ids(await Notes(session).page()) == expected


@pytest.mark.parametrize("archived_only", [True, False])
@pytest.mark.parametrize(
    ("archived", "listed", "sent"),
    [
        (None, [0, 2, 1], [{}, {"isArchived": "true"}]),
        (False, [0, 2], [{}]),
        (True, [1], [{"isArchived": "true"}]),
    ],
)
async def test_tasks_are_open_archived_or_both(
    archived: bool | None, listed: list[int], sent: list[dict[str, str]], *, archived_only: bool
) -> None:
    """Open ones come first; no task is repeated, even if Planhat's list of archived tasks contains open ones."""
    async with Sandbox(choices=Choices(archived_only=archived_only)) as planhat:
        keys = [planhat.add("tasks", {"isArchived": is_archived})["_id"] for is_archived in (False, True, False)]
        async with Session(planhat.token, base_url=planhat.url) as session:
            assert ids(await Tasks(session).all(archived=archived)) == [keys[n] for n in listed]
        assert queries(planhat) == sent


@pytest.mark.parametrize(("archived", "listed"), [(None, "open"), (False, "open"), (True, "done")])
async def test_a_page_of_tasks_is_open_by_default(
    planhat: Sandbox, session: Session, archived: bool | None, listed: str
) -> None:
    """One call reads one of Planhat's lists."""
    planhat.add("tasks", {"action": "open"})
    planhat.add("tasks", {"action": "done", "isArchived": True})
    assert [task.action for task in await Tasks(session).page(archived=archived)] == [listed]


@pytest.mark.parametrize(
    ("repository", "wanted", "sent"),
    [
        (Notes, {"company_id": C1}, {"companyId": C1}),
        (Notes, {"company_id": [C1, C9, C1.upper()]}, {"companyId": f"{C1},{C9}"}),
        (Tasks, {"company_id": C1, "archived": False}, {"companyId": C1}),
        (Tasks, {"enduser_ids": [C1, C9], "archived": False}, {"enduserIds": f"{C1},{C9}"}),
        (Tickets, {"company_id": C1}, {"companyId": C1}),
        (Tickets, {"status": "open"}, {"status": "open"}),
        (Tickets, {"email": "a+b@c.d"}, {"email": "a+b@c.d"}),
        (Tickets, {"search": "é & so on?"}, {"search": "é & so on?"}),
        (Tickets, {"status": "open", "email": None}, {"status": "open"}),
    ],
)
async def test_documented_filters_are_sent(
    planhat: Sandbox, session: Session, repository: type[Tickets], wanted: Any, sent: dict[str, str]
) -> None:
    """They have Planhat's names, and every way of listing yields only records that match all of them."""
    match = {"companyId": C1, "endusers": [{"id": C1}], "status": "open", "email": "a+b@c.d"}
    name = repository.__name__.lower()
    (key,) = add(planhat, name, 1, **match, snippet="this é & so on?")
    add(planhat, name, 1, companyId="c2", endusers=[{"id": "e2"}], status="closed", email="x@y.z", snippet="other")
    assert ids(await repository(session).all(**wanted)) == [key]
    assert ids(await repository(session).page(**wanted)) == [key]
    assert queries(planhat) == [sent, sent]


async def test_many_companies_are_split_over_several_calls(planhat: Sandbox, session: Session) -> None:
    """No URL is too long; records are yielded by group of companies."""
    companies = [f"{n:024x}" for n in range(100)]
    last, first = (planhat.add("tickets", {"companyId": companies[n]})["_id"] for n in (99, 0))
    assert ids(await Tickets(session).all(company_id=companies)) == [first, last]
    sent = [query["companyId"].split(",") for query in queries(planhat)]
    assert ([len(group) for group in sent], [one for group in sent for one in group]) == ([80, 20], companies)
    with pytest.raises(ValueError, match="too many ids for one call"):
        await Tickets(session).page(company_id=companies)


@pytest.mark.parametrize("max_records", [0, 1, 4, 5, 6, 99])
async def test_no_more_records_are_listed_than_requested(planhat: Sandbox, session: Session, max_records: int) -> None:
    """The maximum applies to both lists of tasks together."""
    keys = add(planhat, "tasks", 4) + add(planhat, "tasks", 3, isArchived=True)
    assert ids(await Tasks(session).all(max_records=max_records, page_size=2)) == keys[:max_records]


@pytest.mark.parametrize(("sort", "listed"), [("-status", "cba"), ("status", "abc"), ("-_id", "acb"), ("-id", "acb")])
async def test_a_list_has_the_requested_order(planhat: Sandbox, session: Session, sort: str, listed: str) -> None:
    """A field may have either spelling; `-` in front reverses the order."""
    for status in "bca":
        planhat.add("tickets", {"status": status})
    tickets = await Tickets(session).all(sort=sort)
    assert "".join(str(ticket.status) for ticket in tickets) == listed


async def test_only_selected_fields_are_fetched(planhat: Sandbox, session: Session) -> None:
    """The `_id` is included; fields for a filter are fetched but not yielded."""
    (key,) = add(planhat, "notes", 1, subject="Call", description="long")
    (note,) = await Notes(session).all(select=["subject"])
    assert note == Note(id=key, subject="Call")
    assert queries(planhat) == [{"select": "_id,subject,type,isCustomType"}]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"updated_since": "2024"}, TypeError),
        ({"stauts": "open"}, TypeError),
        ({"sort": "stauts"}, ValueError),
        ({"sort": 7}, TypeError),
        ({"company_id": [7]}, TypeError),
        ({"select": "status"}, TypeError),
        ({"select": ["stauts"]}, ValueError),
        ({"company_id": ""}, ValueError),
        ({"company_id": ["a,b"]}, ValueError),
        ({"page_size": 0}, ValueError),
        ({"page_size": -1}, ValueError),
        ({"concurrency": 0}, ValueError),
        ({"max_records": -1}, ValueError),
        ({"company_id": "acme"}, ValueError),
        ({"company_id": 5}, TypeError),
        ({"after": "crm-1"}, ValueError),
        ({"after": extid("1")}, ValueError),
        ({"after": 5}, TypeError),
        ({"after": ""}, ValueError),
        ({"concurrency": "4"}, TypeError),
        ({"concurrency": True}, TypeError),
        ({"page_size": "x"}, TypeError),
        ({"max_records": 2.0}, TypeError),
        ({"start_offset": None}, TypeError),
        ({"on_bad_record": []}, TypeError),
        ({"status": 5}, TypeError),
        ({"status": " "}, ValueError),
        ({"select": 5}, TypeError),
        ({"sort": 0}, TypeError),
    ],
)
async def test_unknown_list_options_are_refused_at_once(
    planhat: Sandbox, session: Session, wrong: Any, error: type[Exception]
) -> None:
    """Planhat would ignore them silently; the call raises, not the first step of the iteration."""
    tickets = Tickets(session)
    for listing in (tickets.iter, tickets.iter_json, tickets.pages, tickets.arrow_batches):
        with pytest.raises(error):
            listing(**wrong)
    with pytest.raises(error):
        await tickets.all(**wrong)
    assert planhat.requests == []


async def test_a_page_is_one_call(planhat: Sandbox, session: Session) -> None:
    """It has the given offset and limit, the latter at most the model's maximum."""
    keys = add(planhat, "tickets", 5)
    assert ids(await Tickets(session).page(offset=1, limit=2)) == keys[1:3]
    assert ids(await Tickets(session).page(limit=10**6)) == keys
    assert [request.query for request in planhat.requests] == [
        {"sort": "_id", "limit": "2", "offset": "1"},
        {"sort": "_id", "limit": "10000"},
    ]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"offset": -1}, ValueError),
        ({"limit": 0}, ValueError),
        ({"limit": -1}, ValueError),
        ({"limit": 2.5}, TypeError),
        ({"offset": True}, TypeError),
        ({"limit": "5"}, TypeError),
    ],
)
async def test_an_invalid_page_is_refused(
    planhat: Sandbox, session: Session, wrong: Any, error: type[Exception]
) -> None:
    """No call is made; the message names the option."""
    with pytest.raises(error, match=f"^{next(iter(wrong))} must be a whole number of at least"):
        await Tickets(session).page(**wrong)
    assert planhat.requests == []


@pytest.mark.parametrize("is_page", [False, True])
async def test_no_companies_have_no_records(planhat: Sandbox, session: Session, *, is_page: bool) -> None:
    """An empty list of ids makes no call and is not ignored."""
    add(planhat, "tickets", 1)
    tickets = Tickets(session)
    assert await (tickets.page(company_id=[]) if is_page else tickets.all(company_id=[])) == []
    assert planhat.requests == []


@pytest.mark.parametrize("option", [{"type": "email"}, {"max_records": 1}])
async def test_a_page_ignores_no_option(planhat: Sandbox, session: Session, option: Any) -> None:
    """An option that one call cannot support is refused."""
    add(planhat, "notes", 3)
    with contextlib.suppress(TypeError, ValueError):
        assert len(await Notes(session).page(**option)) <= option.get("max_records", 0)


async def note_ids(listing: AsyncGenerator[Any, None], read: list[str | None]) -> None:
    async for found in listing:
        read += ids(found if isinstance(found, list) else [found])


@pytest.mark.parametrize("name", ["iter", "pages"])
async def test_the_error_of_an_unreadable_record_has_its_position(name: str) -> None:
    """`iter` yields the records before it."""
    body = b'[{"_id":"a"},{"_id":"b"},[7]]'
    read: list[str | None] = []
    async with Session(TOKEN, transport=FakeTransport([Response(status=200, body=body)])) as session:
        with pytest.raises(DecodeError) as caught:
            await note_ids(getattr(Tickets(session), name)(), read)
    assert (read, caught.value.position) == (["a", "b"] if name == "iter" else [], 2)


async def test_the_error_of_an_unreadable_record_of_a_page_has_its_position() -> None:
    """Its position counts from the beginning of the list, not of the page."""
    transport = FakeTransport([Response(status=200, body=b'[{"_id":"a"},7]')])
    async with Session(TOKEN, transport=transport) as session:
        with pytest.raises(DecodeError) as caught:
            await Tickets(session).page(offset=10)
    assert caught.value.position == 11


@pytest.mark.parametrize(("name", "read"), [("iter", ["a", "b"]), ("pages", ["a", "b"]), ("all", ["a", "b"])])
async def test_an_unreadable_record_can_be_skipped(
    name: str, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and logged with its position."""
    transport = FakeTransport([Response(status=200, body=b'[{"_id":"a"},[7],{"_id":"b"}]')])
    async with Session(TOKEN, transport=transport) as session:
        tickets, found = Tickets(session), list[str | None]()
        if name == "all":
            found += ids(await tickets.all(on_bad_record="skip"))
        else:
            await note_ids(getattr(tickets, name)(on_bad_record="skip"), found)
        assert (found, session.stats.records_skipped, session.stats.sorts_ignored) == (read, 1, 0)
    assert "at position 1 cannot be read" in caplog.text


@pytest.mark.parametrize("options", [{}, {"select": ["subject"]}])
@pytest.mark.parametrize("name", ["iter", "iter_json", "pages"])
async def test_the_error_of_a_record_that_a_filter_cannot_read_has_its_position(
    name: str, options: dict[str, Any]
) -> None:
    """Single records before it are yielded; ways of listing that can skip records can skip this one."""
    body = b'[{"_id":"a","type":"note"},{"_id":"x","type":"email"},7,{"_id":"b","type":"note"}]'
    read: list[Any] = []

    async def read_all(session: Session, how: str) -> None:
        async for found in getattr(Notes(session), name)(on_bad_record=how, **options):
            read.extend(found if isinstance(found, list) else [found])

    async with Session(TOKEN, transport=FakeTransport([Response(status=200, body=body)] * 2)) as session:
        with pytest.raises(DecodeError) as caught:
            await read_all(session, "raise")
        assert (caught.value.position, len(read)) == (1, 0 if name == "pages" else 1)
        read.clear()
        await read_all(session, "skip")
        assert (len(read), session.stats.records_skipped) == (2, 1)


async def test_an_unreadable_row_does_not_change_the_order_of_a_long_list() -> None:
    """It may be anywhere: rows are split and identified in parts."""
    rows = [b'{"_id":"%024x"}' % n for n in range(3000)]
    rows[2000] = b"null"
    body = b"[" + b",".join(rows) + b"]"
    end = Response(status=200, body=b"[" + rows[-1] + b"]")
    async with Session(TOKEN, transport=FakeTransport([Response(status=200, body=body), end])) as session:
        assert len(await Tickets(session).all(on_bad_record="skip")) == 2999
        assert (session.stats.records_skipped, session.stats.sorts_ignored) == (1, 0)


async def test_the_error_of_an_unreadable_selected_record_has_its_id() -> None:
    """It has its position too; the `_id` was not selected."""
    transport = FakeTransport([Response(status=200, body=b'[{"_id":"a","title":"\xff"}]')])
    async with Session(TOKEN, transport=transport) as session:
        with pytest.raises(DecodeError) as caught:
            await Tickets(session).all(select=["title"])
    assert (caught.value.id, caught.value.position) == ("a", 0)


async def test_the_error_of_an_unreadable_list_contains_its_query() -> None:
    """It names the list and its parameters."""
    async with Session(TOKEN, transport=FakeTransport([Response(status=200, body=b"{}")])) as session:
        with pytest.raises(DecodeError, match=r"^GET /tickets: the answer is not a list"):
            await Tickets(session).all()


async def test_a_list_can_be_resumed(planhat: Sandbox, session: Session) -> None:
    """It continues at an offset, or exactly after the last record that was read."""
    keys = add(planhat, "tickets", 9)
    tickets = Tickets(session)
    assert ids(await tickets.all(start_offset=4, page_size=3)) == keys[4:]
    assert ids(await tickets.all(after=keys[4], page_size=3)) == keys[5:]
    assert ids(await tickets.all(after=keys[4], start_offset=5, page_size=3)) == keys[5:]
    await tickets.delete_many(keys[:3])
    assert ids(await tickets.all(after=keys[4], start_offset=5, page_size=3)) == keys[5:]


@pytest.mark.slow
async def test_every_record_is_yielded_once_while_others_come_and_go(planhat: Sandbox, session: Session) -> None:
    """Several pages are in flight over a socket: surviving records are yielded once, in order."""
    keys = add(planhat, "tickets", 600)
    doomed = keys[1::3]
    read: list[str | None] = []
    async with Session(planhat.token, base_url=planhat.url, limits=RateLimits(per_minute=100_000)) as other:
        async for ticket in Tickets(session).iter(page_size=20):
            read.append(ticket.id)
            if len(read) % 15 == 0 and doomed:
                await Tickets(other).delete_many(doomed[:5] + doomed[-5:])
                doomed = doomed[5:-5]
                add(planhat, "tickets", 10)
    assert read == sorted(set(filter(None, read)))
    surviving = {record["_id"] for record in planhat.records("tickets")} & set(keys)
    assert len(surviving) < 500
    assert surviving <= set(read)
    assert session.stats.joins_repaired > 0


async def test_no_record_of_companies_in_several_groups_is_repeated(planhat: Sandbox, session: Session) -> None:
    """One company may be named in two ways, once in each group."""
    planhat.add_company("5f4e3d2c1b0a998877665544", external_id="acme")
    add(planhat, "tasks", 3, companyId="5f4e3d2c1b0a998877665544")
    others = [f"{n:024x}" for n in range(100)]
    tasks = await Tasks(session).all(company_id=["extid-acme", *others, "5f4e3d2c1b0a998877665544"], archived=False)
    assert (len(tasks), len(planhat.requests)) == (3, 2)


async def test_a_list_can_be_closed_early(planhat: Sandbox, session: Session) -> None:
    """The session continues to work."""
    keys = add(planhat, "tickets", 40)
    async with aclosing(Tickets(session).iter(page_size=2)) as tickets:
        read = [(await anext(tickets)).id for _ in range(5)]
    assert read == keys[:5]
    assert len(planhat.requests) < 10
    assert ids(await Tickets(session).all()) == keys


@pytest.mark.parametrize(("name", "n_batches"), [("iter", 7), ("iter_json", 4), ("pages", 0)])
async def test_other_tasks_run_while_a_list_is_read(name: str, n_batches: int) -> None:
    """A page is split in pieces, and its rows are yielded in small batches, for any size."""
    rows = [{"_id": f"{n:024x}", "description": "x" * 2400} for n in range(400)]
    transport = FakeTransport([Response(status=200, body=json.dumps(rows).encode())])
    async with Session(TOKEN, transport=transport) as session, counted_turns() as turns:
        seen = [turns[0] async for _ in getattr(Tickets(session), name)()]
        assert min(seen) > 4
        assert len(set(seen)) >= n_batches
        assert turns[0] > 4 + 7 - (name == "iter_json") * 3


async def test_other_tasks_run_while_a_single_page_is_read() -> None:
    """They run during decoding, too."""
    rows = [{"_id": f"{n:024x}"} for n in range(2000)]
    transport = FakeTransport([Response(status=200, body=json.dumps(rows).encode())])
    async with Session(TOKEN, transport=transport) as session, counted_turns() as turns:
        assert len(await Tickets(session).page(offset=7)) == 2000
        assert turns[0] > 10


@contextlib.asynccontextmanager
async def counted_turns() -> AsyncIterator[list[int]]:
    """Count the turns of the event loop that another task gets."""
    turns = [0]

    async def tick() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    try:
        yield turns
    finally:
        ticking.cancel()


@pytest.mark.parametrize("name", ["iter", "iter_json", "pages", "arrow_batches", "iter_updated_since"])
async def test_a_closed_listing_ends_at_once(name: str) -> None:
    """No cleanup remains for garbage collection."""
    rows = [{"_id": f"{n:024x}", "updatedAt": "2024-05-31T00:00:00.000Z"} for n in range(500)]
    transport = FakeTransport([Response(status=200, body=json.dumps(rows).encode()), *[None] * 9])
    async with Session(TOKEN, transport=transport) as session:
        options: dict[str, Any] = {"page_size": 500, "archived": False, "concurrency": 4}
        options |= {"batch_rows": 100} if name == "arrow_batches" else {}
        since = [datetime(2024, 1, 1, tzinfo=UTC)] if name == "iter_updated_since" else []
        reading = getattr(Tasks(session), name)(*since, **options)
        await anext(reading)
        for _ in range(9):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) > 1
        await reading.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_last_page_may_be_cut_by_the_maximum(planhat: Sandbox, session: Session) -> None:
    """It is yielded all the same."""
    keys = add(planhat, "tickets", 9)
    assert [ids(page) async for page in Tickets(session).pages(page_size=4, max_records=2)] == [keys[:2]]
    assert [ids(page) async for page in Tickets(session).pages(page_size=4, max_records=5)] == [keys[:4], keys[4:5]]


def test_an_impossible_start_of_a_listing_is_refused_at_once() -> None:
    """No call is made."""
    tasks = Tasks(Session(TOKEN, transport=FakeTransport([])))
    with pytest.raises(ValueError, match="belong to one list"):
        tasks.iter(start_offset=1)


def test_the_repr_of_a_repository_names_model_and_session() -> None:
    """It contains no secret."""
    shown = repr(Tasks(Session(TOKEN, transport=FakeTransport([]))))
    assert shown == "Tasks(<Session https://api.planhat.com closed>)"


def test_a_repository_has_only_documented_calls() -> None:
    """The only single call for tickets is deletion, and no method is called `list`."""
    offered = {name for name in dir(Tickets) if not name.startswith("_")}
    assert offered == {
        *("all", "delete", "delete_many", "iter", "iter_json", "model", "page", "pages"),
        *("arrow_batches", "session", "to_arrow", "upsert_chunks", "upsert_many", "upserting"),
    }
    assert {name for name in dir(Notes) if not name.startswith("_")} - offered == {
        "create",
        "get",
        "get_many",
        "update",
    }


# Upserts.


@pytest.mark.parametrize(("n_rows", "sent"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])])
@pytest.mark.parametrize("is_async", [True, False])
async def test_any_number_of_rows_is_stored(
    planhat: Sandbox, session: Session, n_rows: int, sent: list[int], *, is_async: bool
) -> None:
    """No rows, one, a chunk and one more, from an iterable or an async generator, take one call a chunk."""

    async def stream() -> AsyncIterator[dict[str, Any]]:
        for row in ticket_rows(n_rows):
            yield row

    rows: Any = stream() if is_async else iter(ticket_rows(n_rows))
    result = await Tickets(session).upsert_many(rows, chunk_size=3, concurrency=1)
    assert (counted(result), result.ok) == ({"created": n_rows} if n_rows else {}, True)
    assert [request.n_rows for request in planhat.requests] == sent
    assert [ticket["externalId"] for ticket in planhat.records("tickets")] == [f"s{n}" for n in range(n_rows)]


async def test_records_and_mappings_can_be_mixed(planhat: Sandbox, session: Session) -> None:
    """Mappings in either spelling are sent unchanged, records with the fields that are set."""
    rows: list[Any] = [
        Ticket(source_id="1", email="a@b.c", company_id=ACME, title="One"),
        {"sourceId": "2", "email": "a@b.c", "domains": ["tenet.com"], "title": None},
        {"source_id": "3", "email": "a@b.c", "company_external_id": "tenet", "timeSpent": 1.5},
    ]
    result = await Tickets(session).upsert_many(rows)
    assert counted(result) == {"created": 3}
    stored = planhat.records("tickets")
    assert [ticket.get("title", "absent") for ticket in stored] == ["One", None, "absent"]
    assert stored[2]["timeSpent"] == 1.5


@pytest.mark.parametrize("choices", [Choices(), Choices(tickets_count_unchanged=True)])
async def test_the_same_tickets_create_no_duplicates(choices: Choices) -> None:
    """Every row is stored once; the counts of Planhat's short answer do not matter."""
    async with Sandbox(choices=choices) as planhat, Session(planhat.token, base_url=planhat.url) as session:
        await Tickets(session).upsert_many(ticket_rows(5))
        before = planhat.records("tickets")
        again = await Tickets(session).upsert_many(ticket_rows(5))
        assert (again.rows, again.created, again.ok) == (5, 0, True)
        assert planhat.records("tickets") == before


async def test_the_same_tasks_again_are_unchanged(planhat: Sandbox, session: Session) -> None:
    """An itemised answer distinguishes created, updated and unchanged rows, and has the new `_id`s."""
    rows = [{"source_id": f"s{n}", "company_id": ACME, "action": "Call"} for n in range(3)]
    chunks = [chunk async for chunk in Tasks(session).upsert_chunks(rows)]
    stored = {task["sourceId"]: task["_id"] for task in planhat.records("tasks")}
    assert [(chunk.ids_by_source_id, chunk.created_ids) for chunk in chunks] == [(stored, tuple(stored.values()))]
    again = await Tasks(session).upsert_many([{**rows[0], "action": "Write"}, *rows[1:]])
    assert (counted(again), len(planhat.records("tasks"))) == ({"updated": 1, "unchanged": 2}, 3)


async def test_keyless_tasks_are_created_each_time(planhat: Sandbox, session: Session) -> None:
    """They are in separate chunks."""
    rows: list[Any] = [{"company_id": ACME}, {"company_id": ACME, "source_id": "s"}, Task(company_id=ACME)]
    for _ in range(2):
        await Tasks(session).upsert_many(rows, concurrency=1)
    assert sorted(str(task.get("sourceId")) for task in planhat.records("tasks")) == ["None"] * 4 + ["s"]
    assert sorted(request.n_rows or 0 for request in planhat.requests) == [1, 1, 2, 2]


async def test_a_type_is_creation_defaults_only_for_new_notes(planhat: Sandbox, session: Session) -> None:
    """An existing note, named by its `_id`, keeps its type."""
    (key,) = add(planhat, "conversations", 1, type="email")
    rows: list[Any] = [{"id": key, "subject": "Re: call"}, {"company_id": ACME}, Note(company_id=ACME, type="QBR")]
    result = await Notes(session).upsert_many(rows)
    assert counted(result) == {"created": 2, "updated": 1}
    assert [record["type"] for record in planhat.records("conversations")] == ["email", "note", "QBR"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Unreadable("line 7 is no JSON"), "line 7 is no JSON"),
        ({"email": "a@b.c", "company_id": ACME}, "one of source_id or id is required"),
        ({"company_external_id": "acme"}, "one of source_id or id is required"),
        ({"source_id": " ", "email": "a@b.c", "company_id": ACME}, "source_id must not be blank"),
        (ticket_rows(1, colour="red")[0], "Ticket has no field 'colour'"),
        (ticket_rows(1, titel="x")[0], "Ticket has no field 'titel'; did you mean title"),
        (ticket_rows(1, title=7.0)[0], "title: text or a whole number, not the number 7.0"),
        (ticket_rows(1, time_spent=True)[0], "time_spent: a number, not True"),
        (ticket_rows(1, custom={"x": object()})[0], "custom: not expressible in JSON: object (at x)"),
        (ticket_rows(1, custom={"x": "\ud800"})[0], "custom: not expressible in JSON: text with a lone surrogate"),
        (ticket_rows(1, sourceId="twice")[0], "source_id is given twice, in both spellings"),
        (Task(company_id=ACME), "a Ticket or a mapping, not Task"),
        (("s7",), "a Ticket or a mapping, not tuple"),
        (None, "a Ticket or a mapping, not NoneType"),
    ],
)
async def test_an_invalid_row_is_skipped_and_reported(
    planhat: Sandbox, session: Session, row: Any, reason: str
) -> None:
    """Its position is reported, and the rows around it are stored."""
    first, last = ticket_rows(2)
    result = await Tickets(session).upsert_many([first, row, last])
    assert (counted(result), result.not_stored) == (
        {"created": 2, "invalid": 1},
        {Outcome.INVALID: (range(1, 2),)},
    )
    (problem,) = result.problems
    assert reason in problem.reason
    assert [request.n_rows for request in planhat.requests] == [2]


async def test_a_time_out_of_range_is_an_invalid_row(planhat: Sandbox, session: Session) -> None:
    """One invalid date among millions of rows does not end the run, and the row is reported."""
    odd = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    rows: list[Any] = [{"company_id": ACME, "source_id": n} for n in "ab"]
    rows[1]["start_time"] = odd
    result = await Tasks(session).upsert_many(rows)
    assert counted(result) == {"created": 1, "invalid": 1}
    assert len(planhat.records("tasks")) == 1


async def test_rows_that_planhat_refuses_are_reported(planhat: Sandbox, session: Session) -> None:
    """The report has position, key and Planhat's reason; no error is raised."""
    planhat.add_company(ACME)
    first, second, third = ticket_rows(3)
    result = await Tickets(session).upsert_many([first, {**second, "company_id": NO_MEMBERS}, third])
    assert (counted(result), result.ok) == ({"created": 2, "rejected": 1}, False)
    assert [(p.position, p.key, p.reason) for p in result.problems] == [(1, "s1", "companyId: no such company")]
    assert calls(planhat) == [("PUT", "/tickets", 206)]


async def test_a_refused_body_is_read_row_by_row(planhat: Sandbox, session: Session) -> None:
    """A 400 that blames every row rejects them with Planhat's reasons, and no row is sent again."""
    result = await Tasks(session).upsert_many([{"source_id": "a"}, {"source_id": "b"}])
    assert [(p.position, p.key, p.reason) for p in result.problems] == [
        (0, "a", "companyId is required"),
        (1, "b", "companyId is required"),
    ]
    assert (counted(result), calls(planhat)) == ({"rejected": 2}, [("PUT", "/tasks", 400)])


@pytest.mark.parametrize("applies_rest", [True, False])
async def test_rows_that_a_400_does_not_blame_are_sent_again(*, applies_rest: bool) -> None:
    """Planhat may have stored them or not."""
    blames = {"createdErrors": [{"sourceId": "s1", "error": "sourceId duplicated"}], "created": 2 * applies_rest}
    stored = {"created": 2 - 2 * applies_rest, "updated": 0, "nonupdates": 2 * applies_rest}
    answers = [Response(status=s, body=json.dumps(body).encode()) for s, body in ((400, blames), (200, stored))]
    transport = FakeTransport([*answers])
    async with Session(TOKEN, transport=transport) as session:
        rows = [{"source_id": f"s{n}", "company_id": ACME} for n in range(3)]
        result = await Tasks(session).upsert_many(rows)
    sent = [[row["sourceId"] for row in json.loads(one.request.body or b"")] for one in transport.sent]
    assert (sent, result.rejected, result.stored) == ([["s0", "s1", "s2"], ["s0", "s2"]], 1, 2)


async def test_a_body_is_repeatable_only_if_every_row_is_keyed() -> None:
    """The session repeats no body that might create duplicates."""
    answer = Response(status=200, body=b'{"created":1,"updated":0,"nonupdates":0}')
    transport = FakeTransport([answer, answer])
    async with Session(TOKEN, transport=transport) as session:
        await Tasks(session).upsert_many([{"company_id": ACME}, {"company_id": ACME, "source_id": "s"}], concurrency=1)
    recorded = [(b"sourceId" in (one.request.body or b""), one.request.is_keyed) for one in transport.sent]
    assert sorted(recorded) == [(False, False), (True, True)]


async def test_rows_not_stored_are_raised_on_request(planhat: Sandbox, session: Session) -> None:
    """The error is raised at the end with the result; the valid rows are stored by then."""
    rows: list[dict[str, Any]] = [*ticket_rows(2), {}]
    with pytest.raises(UpsertError, match="1 of 3 rows were not stored: 1 invalid") as caught:
        await Tickets(session).upsert_many(rows, raise_on_error=True)
    assert (counted(caught.value.result), len(planhat.records("tickets"))) == ({"created": 2, "invalid": 1}, 2)


async def test_no_error_is_raised_if_every_row_was_stored(session: Session) -> None:
    """The option does not change a run without failures."""
    result = await Tickets(session).upsert_many(ticket_rows(2), raise_on_error=True)
    assert counted(result) == {"created": 2}


async def test_the_result_is_available_after_an_error_of_the_input(planhat: Sandbox, session: Session) -> None:
    """The error is raised unchanged; `run.result` has the rows stored before."""

    async def stream() -> AsyncIterator[dict[str, Any]]:
        for row in ticket_rows(5):
            yield row
        raise OSError("disk gone")

    run = Tickets(session).upserting(stream(), chunk_size=2, concurrency=1)
    with pytest.raises(OSError, match="disk gone"):
        await finish(run)
    assert (run.result.rows, run.result.created + run.result.unsent) == (5, 5)
    assert len(planhat.records("tickets")) == run.result.created


async def test_each_chunk_is_yielded_as_it_ends(planhat: Sandbox, session: Session) -> None:
    """It has positions and counts, and comes before the next chunk is sent."""
    chunks = Tickets(session).upsert_chunks(ticket_rows(5), chunk_size=2, concurrency=1)
    recorded = [(chunk.number, chunk.positions, chunk.created, len(planhat.requests)) async for chunk in chunks]
    assert recorded == [(0, (range(2),), 2, 1), (1, (range(2, 4),), 2, 2), (2, (range(4, 5),), 1, 3)]


async def test_chunks_are_cut_by_bytes(planhat: Sandbox, session: Session) -> None:
    """A chunk ends before a row that would exceed `max_bytes`."""
    await Tickets(session).upsert_many(ticket_rows(4, title="x" * 400), max_bytes=1200, concurrency=1)
    assert [request.n_rows for request in planhat.requests] == [2, 2]


@each(Upserts)
async def test_a_row_is_matched_on_each_key_of_its_model(
    planhat: Sandbox, session: Session, repository: type[Tickets]
) -> None:
    """The row changes the record with that key and creates none."""
    model = repository.model
    made: list[Any] = [make_record(model.record, number) for number in (1, 2)]
    assert (await repository(session).upsert_many(made)).created == 2
    other, stored = planhat.records(model.name)
    for number, name in enumerate(model.match):
        key = stored["_id"] if name == "id" else getattr(made[1], name)
        changes = changes_of(repository, number)
        result = await repository(session).upsert_many([{name: key, **changes}])
        assert (result.stored, result.created, result.ok) == (1, 0, True)
        assert [{n: one.get(n) for n in changes} for one in planhat.records(model.name)] == [
            {n: other.get(n) for n in changes},
            changes,
        ]


@pytest.mark.parametrize("rows", [{"source_id": "s"}, Ticket(source_id="s"), "s", b"s"])
async def test_a_single_row_is_not_a_list_of_rows(planhat: Sandbox, session: Session, rows: Any) -> None:
    """No call is made."""
    with pytest.raises(TypeError, match="rows are an iterable of records or mappings, not one"):
        await Tickets(session).upsert_many(rows)
    with pytest.raises(TypeError, match="rows are an iterable"):
        Tickets(session).upserting(rows)
    assert planhat.requests == []


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"chunk_size": 5001}, ValueError, "chunk_size must be a whole number from 1 to 5000, not 5001"),
        ({"chunk_size": True}, TypeError, "chunk_size must be a whole number from 1 to 5000, not True"),
        ({"max_bytes": 30_000_001}, ValueError, "max_bytes must be a whole number from 1 to 30000000, not 30000001"),
        ({"concurrency": 0}, ValueError, "concurrency must be a whole number of at least 1, not 0"),
        ({"concurrency": "4"}, TypeError, "concurrency must be a whole number of at least 1, not '4'"),
        ({"isolate": "yes"}, TypeError, "isolate must be True or False, not 'yes'"),
        ({"max_isolation_calls": -1}, ValueError, "max_isolation_calls must be a whole number of at least 0, not -1"),
        ({"on_invalid": "skip"}, ValueError, "on_invalid must be 'collect' or 'raise', not 'skip'"),
        ({"verify_wait": "5"}, TypeError, "verify_wait must be a number of at least 0, not '5'"),
        ({"verify_wait": float("nan")}, ValueError, "verify_wait must be a number of at least 0, not nan"),
        ({"raise_on_error": 1}, TypeError, "raise_on_error must be True or False, not 1"),
        ({"chunksize": 5}, TypeError, "Tickets.upsert_many() has no option 'chunksize'; did you mean chunk_size?"),
    ],
)
async def test_invalid_upsert_options_are_refused(
    planhat: Sandbox, session: Session, wrong: Any, error: type[Exception], said: str
) -> None:
    """One line names the valid values; Planhat's maximum is 5,000 rows."""
    with pytest.raises(error) as caught:
        await Tickets(session).upsert_many(ticket_rows(1), **wrong)
    assert str(caught.value) == said
    assert planhat.requests == []


@pytest.mark.parametrize("body", [b'{"error":"not allowed"}', b'"not allowed"', b"<p>not allowed</p>", b"[]"])
@pytest.mark.parametrize(("status", "n_calls"), [(400, 2), (403, 1)])
async def test_a_refusal_that_names_no_row_rejects_the_chunk(body: bytes, status: int, n_calls: int) -> None:
    """A 400 rejects its chunk with Planhat's message; a 403 would affect the next chunk too, so it ends the run."""
    transport = FakeTransport([Response(status=status, body=body)] * 2)
    async with Session(TOKEN, transport=transport) as session:
        result = await Tickets(session).upsert_many(ticket_rows(2), chunk_size=1, concurrency=1)
    assert (len(transport.sent), result.rejected, result.unsent) == (n_calls, n_calls, 2 - n_calls)
    assert body == b"[]" or "not allowed" in result.problems[0].reason
    assert (result.stopped_by is None) is (status == 400)


async def test_only_a_400_or_403_can_contain_outcomes_of_rows() -> None:
    """Counts in any other refusal are ignored."""
    transport = FakeTransport([Response(status=404, body=b'{"created":1,"createdErrors":["no"]}')])
    async with Session(TOKEN, transport=transport) as session:
        result = await Tickets(session).upsert_many(ticket_rows(2))
    assert counted(result) == {"rejected": 2}


async def test_rows_are_unknown_after_an_empty_answer() -> None:
    """Planhat accepted the request, but its effect is unknown."""
    async with Session(TOKEN, transport=FakeTransport([Response(status=200)])) as session:
        result = await Tickets(session).upsert_many(ticket_rows(2))
    assert counted(result) == {"unknown": 2}
    assert {problem.reason for problem in result.problems} == {"answered 200 with no account of the rows"}


async def test_a_wrong_token_ends_an_upsert(planhat: Sandbox) -> None:
    """One call suffices; the other rows are unsent, and the result has the error."""
    async with Session("wrong", base_url=planhat.url) as session:
        result = await Tickets(session).upsert_many(ticket_rows(9), chunk_size=1, concurrency=1)
    assert (result.stored, result.rejected, type(result.stopped_by).__name__) == (0, 0, "AuthenticationError")
    assert calls(planhat) == [("PUT", "/tickets", 401)]
