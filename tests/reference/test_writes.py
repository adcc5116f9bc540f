"""REFERENCE, "Writes": what is sent, never sent, and not sent twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from each_model import each

from planhat_async import (
    ChecklistItem,
    Note,
    Notes,
    Person,
    ServerError,
    StatusChange,
    StatusError,
    Task,
    Tasks,
    Ticket,
    Tickets,
)
from planhat_async._convert import fields_of
from planhat_async.repositories import Upserts
from reference.conftest import Serve
from reference.page_server import ID, OTHER_ID, PageServer, always, in_turn, says

STORED = {"_id": ID, "companyId": OTHER_ID}
ALL_GOOD = {"created": 0, "updated": 1}


async def sent_by(planhat: PageServer, repository: Any, row: Any) -> list[dict[str, Any]]:
    """Return the rows that a bulk upsert of one row sends; an empty list if the row is not sent."""
    planhat.calls.clear()
    await repository(planhat.session).upsert_many([row])
    return [sent for call in planhat.calls for sent in call.sent]


# Requirements of creations and updates.


async def test_a_new_note_has_the_type_note_by_default(page_server: Serve) -> None:
    """D: a creation needs `companyId` and `type` = `note`; the client adds the type, for one note and in bulk."""
    planhat = await page_server(always(STORED))
    await Notes(planhat.session).create({"company_id": OTHER_ID})
    await Notes(planhat.session).create(Note(company_id=OTHER_ID, type="QBR"))
    assert [call.sent["type"] for call in planhat.calls] == ["note", "QBR"]
    assert await sent_by(planhat, Notes, {"companyId": OTHER_ID}) == [{"companyId": OTHER_ID, "type": "note"}]


async def test_an_update_of_a_note_does_not_change_its_type(page_server: Serve) -> None:
    """D: an update changes only the fields sent, so an added `type` would turn a call or a visit into a note."""
    planhat = await page_server(always(STORED))
    await Notes(planhat.session).update(ID, {"subject": "s"})
    await Notes(planhat.session).update(ID, Note(subject="s"))
    assert [call.sent for call in planhat.calls] == [{"subject": "s"}] * 2
    assert await sent_by(planhat, Notes, {"_id": ID, "subject": "s"}) == [{"_id": ID, "subject": "s"}]


async def test_no_main_type_is_added(page_server: Serve) -> None:
    """D: Planhat sets `mainType` to `task` by default."""
    planhat = await page_server(always(STORED))
    await Tasks(planhat.session).create({"company_id": OTHER_ID, "action": "Call"})
    assert planhat.calls[0].sent == {"companyId": OTHER_ID, "action": "Call"}


@pytest.mark.parametrize("repository", [Notes, Tasks])
async def test_a_creation_without_a_company_is_not_sent(page_server: Serve, repository: Any) -> None:
    """D: `companyId` is required; a bulk row without a keyable is always a creation and requires one as well."""
    planhat = await page_server(always(STORED))
    with pytest.raises(ValueError, match="company_id"):
        await repository(planhat.session).create({"description": "d"})
    result = await repository(planhat.session).upsert_many([{"description": "d"}])
    assert (planhat.calls, result.invalid) == ([], 1)


@pytest.mark.parametrize("key", [{"sourceId": "119"}, {"_id": ID}, {"_id": ID, "sourceId": "119"}])
async def test_a_ticket_update_needs_only_a_keyable(page_server: Serve, key: dict[str, str]) -> None:
    """D: a ticket is updated by `_id` or `sourceId`, without a company: a status sync is the most common job.

    A row that may be an update needs no fields of a creation (`sourceId`, `email`, a company), and gets none added.
    """
    planhat = await page_server(always(ALL_GOOD))
    row = {**key, "status": "closed"}
    assert await sent_by(planhat, Tickets, row) == [row]


@pytest.mark.parametrize(
    "company", [{"companyId": OTHER_ID}, {"companyExternalId": "acme"}, {"domains": ["acme.com"]}], ids=str
)
async def test_a_ticket_names_its_company_in_one_of_three_ways(page_server: Serve, company: dict[str, Any]) -> None:
    """D: to create, `sourceId`, `email` and a company by `companyId`, `companyExternalId` or `domains`.

    The field table calls `companyId` required, the text does not; the example sends `companyId` and `domains`.
    """
    planhat = await page_server(always({"created": 1, "updated": 0}))
    row = {"sourceId": "119", "email": "a@b.c", **company}
    assert await sent_by(planhat, Tickets, row) == [row]


@pytest.mark.parametrize("row", [{"email": "a@b.c", "companyId": OTHER_ID}, {"status": "open"}])
async def test_a_ticket_without_a_keyable_is_not_sent(page_server: Serve, row: dict[str, Any]) -> None:
    """D: it names no ticket to update and lacks the `sourceId` that a creation requires."""
    planhat = await page_server(always(ALL_GOOD))
    result = await Tickets(planhat.session).upsert_many([row])
    assert (planhat.calls, result.invalid) == ([], 1)
    assert "source_id" in result.problems[0].reason


@pytest.mark.parametrize(
    ("repository", "row"),
    [
        (Notes, {"_id": ID, "subject": "s"}),
        (Tasks, {"_id": ID, "status": "Done"}),
        (Tasks, {"sourceId": "7", "status": "Done"}),
        pytest.param(Tasks, {"sourceId": "7", "repeat": "custom"}),
        pytest.param(Tasks, {"_id": ID, "repeat": "custom"}),
    ],
)
async def test_an_update_needs_no_fields_required_for_a_creation(
    page_server: Serve, repository: Any, row: dict[str, Any]
) -> None:
    """D: an update by a keyable needs no company, type or `repeatDays`; the row is sent unchanged."""
    planhat = await page_server(always({"created": 0, "updated": 1, "nonupdates": 0}))
    assert await sent_by(planhat, repository, row) == [row]


async def test_creating_a_custom_repeat_needs_its_days(page_server: Serve) -> None:
    """D: `repeatDays` is required with `repeat` = `custom`."""
    planhat = await page_server(always(STORED))
    tasks = Tasks(planhat.session)
    with pytest.raises(ValueError, match="repeat_days"):
        await tasks.create({"company_id": OTHER_ID, "repeat": "custom"})
    await tasks.create(Task(company_id=OTHER_ID, repeat="custom", repeat_days=3))
    assert [call.sent["repeatDays"] for call in planhat.calls] == [3]


async def test_updating_a_task_needs_no_days(page_server: Serve) -> None:
    """D: an update changes only the fields sent; the days may exist already."""
    planhat = await page_server(always(STORED))
    await Tasks(planhat.session).update(ID, {"repeat": "custom"})
    assert planhat.calls[0].sent == {"repeat": "custom"}


# Values.


async def test_an_update_sends_only_the_given_fields(page_server: Serve) -> None:
    """D: `PUT path/{key}` changes only the fields sent. L: an empty string is stored; `None` of a mapping is sent."""
    planhat = await page_server(always(STORED))
    changes: dict[str, Any] = {"status": None, "action": "", "custom": {"a": None}}
    await Tasks(planhat.session).update(ID, changes)
    await Tasks(planhat.session).update(ID, Task(action="Call"))
    assert [call.sent for call in planhat.calls] == [changes, {"action": "Call"}]


async def test_custom_is_sent_and_read_unchanged(page_server: Serve) -> None:
    """D: values in `custom` may be anything: `"undefined"`, `+0000` offsets, null, floats; they are never parsed.

    L: `custom` merges key by key, and unknown keys are stored, so any name is valid.
    """
    custom = {"Closed Date": None, "Created": "2021-06-24T19:38:16.000+0000", "n": 29.285714285714285, "u": "undefined"}
    planhat = await page_server(always({**STORED, "custom": custom}))
    task = await Tasks(planhat.session).update(ID, {"custom": custom})
    assert planhat.calls[0].sent == {"custom": custom}
    assert task.custom == custom


@pytest.mark.parametrize(
    ("moment", "wire"),
    [
        (datetime(2021, 7, 29, tzinfo=UTC), "2021-07-29T00:00:00.000Z"),
        (datetime(2021, 7, 29, 15, 29, 34, 330_999, tzinfo=UTC), "2021-07-29T15:29:34.330Z"),
        (datetime(2021, 7, 29, 2, tzinfo=timezone(timedelta(hours=3))), "2021-07-28T23:00:00.000Z"),
    ],
)
async def test_times_are_written_in_utc_with_milliseconds(page_server: Serve, moment: datetime, wire: str) -> None:
    """D: dates are ISO 8601, UTC, milliseconds, `Z`."""
    planhat = await page_server(always(STORED))
    await Tasks(planhat.session).create(Task(company_id=OTHER_ID, start_time=moment))
    assert planhat.calls[0].sent["startTime"] == wire
    row = {"_id": ID, "startTime": moment}
    assert [sent["startTime"] for sent in await sent_by(planhat, Tasks, row)] == [wire]
    history = Ticket(source_id="1", email="a@b.c", company_id=ID, history=[StatusChange(status="open", time=moment)])
    assert [sent["history"] for sent in await sent_by(planhat, Tickets, history)] == [
        [{"status": "open", "time": wire}]
    ]


@pytest.mark.parametrize("wire", ["2021-07-29T00:00:00.00Z", "2021-07-29T00:00:00.000Z", "2021-07-29T00:00:00Z"])
async def test_times_are_read_as_aware(page_server: Serve, wire: str) -> None:
    """D: the server normalises `.00Z` to `.000Z`; each of the texts is the same time in UTC."""
    planhat = await page_server(always({**STORED, "startTime": wire}))
    assert (await Tasks(planhat.session).get(ID)).start_time == datetime(2021, 7, 29, tzinfo=UTC)


async def test_values_of_enumerations_are_not_validated(page_server: Serve) -> None:
    """D: a `status` that matches no configured one "will still be saved": only Planhat knows the configured ones."""
    planhat = await page_server(always(STORED))
    await Tasks(planhat.session).update(ID, {"status": "Brand new", "type": "any"})
    assert planhat.calls[0].sent == {"status": "Brand new", "type": "any"}


@each(Upserts)
async def test_a_field_that_planhat_does_not_know_is_not_sent(page_server: Serve, repository: Any) -> None:
    """L: unknown top-level fields are dropped with a 200, so the value of a misspelled name would be lost silently."""
    planhat = await page_server(always(ALL_GOOD))
    result = await repository(planhat.session).upsert_many([{"_id": ID, "custmo": {"d": 1}}])
    assert (planhat.calls, result.invalid) == ([], 1)
    is_writable = fields_of(repository.model.record)["custom"].is_writable
    assert ("did you mean custom" in result.problems[0].reason) == is_writable


AUTOGENERATED: dict[str, Any] = {
    "company_name": "Acme",
    "shared": True,
    "overdue_notified": True,
    "endusers": [Person(id=ID)],
    "users": [Person(id=ID)],
    "created_at": datetime(2021, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2021, 1, 1, tzinfo=UTC),
}


async def test_autogenerated_fields_of_a_task_are_never_written(page_server: Serve) -> None:
    """D: Planhat generates `companyName shared overdueNotified endusers users createdAt updatedAt`.

    A record that was read can be changed and written back: no kind of write sends them.
    """
    planhat = await page_server(always(STORED))
    read = Task(id=ID, source_id="7", company_id=OTHER_ID, action="Call", **AUTOGENERATED)
    expected = {"sourceId": "7", "companyId": OTHER_ID, "action": "Call"}
    await Tasks(planhat.session).update(ID, read)
    assert planhat.calls[0].sent == expected
    assert await sent_by(planhat, Tasks, read) == [{"_id": ID, **expected}]


async def test_two_autogenerated_fields_are_written_if_they_are_set(page_server: Serve) -> None:
    """D: `ownerName` and `noSpecificTime` are marked as autogenerated, and the examples send them all the same.

    `task-create.request` sends `noSpecificTime`, `task-bulk-upsert.request` sends `ownerName`: the table and the
    examples disagree, so a caller's value is sent and no value is added.
    """
    planhat = await page_server(always(STORED))
    await Tasks(planhat.session).create(Task(company_id=OTHER_ID, owner_name="Ernesto", no_specific_time=True))
    assert planhat.calls[0].sent == {"companyId": OTHER_ID, "ownerName": "Ernesto", "noSpecificTime": True}
    await Tasks(planhat.session).create(Task(company_id=OTHER_ID))
    assert planhat.calls[1].sent == {"companyId": OTHER_ID}


async def test_people_and_checklists_are_lists_of_objects(page_server: Serve) -> None:
    """D: a person in `users` is `{id, name, isOwner}`; a checklist entry `{title}`, maybe with more keys."""
    planhat = await page_server(always({**STORED, "checklist": [{"title": "t", "done": True}], "users": [{"id": ID}]}))
    task = await Tasks(planhat.session).create({"companyId": OTHER_ID, "checklist": [{"title": "t", "done": True}]})
    assert planhat.calls[0].sent["checklist"] == [{"title": "t", "done": True}]
    assert task.checklist == [ChecklistItem(title="t", extra={"done": True})]
    await Notes(planhat.session).create(Note(company_id=OTHER_ID, users=[Person(id=ID, name="A", is_owner=True)]))
    assert planhat.calls[1].sent["users"] == [{"id": ID, "name": "A", "isOwner": True}]


async def test_a_ticket_comes_back_under_other_names(page_server: Serve) -> None:
    """D: a ticket sent with `sourceId`, `title` returns with `externalId`, `subject`, `snippet`, `days`, `timeBucket`.

    ?: `sourceId`, `title` and `description` may return as well; both kinds of names are readable.
    """
    answered = {"_id": ID, "externalId": "119", "subject": "T", "snippet": "D", "days": 18802, "timeBucket": ["2021"]}
    planhat = await page_server(always([answered, {**answered, "sourceId": "119", "title": "T"}]))
    short, long = await Tickets(planhat.session).page()
    assert (short.external_id, short.subject, short.snippet, short.days, short.time_bucket) == (
        *("119", "T", "D", 18802),
        ["2021"],
    )
    assert (short.source_id, long.source_id, long.title) == (None, "119", "T")


# Requests that must not be sent twice.


UNSAFE: Mapping[int, type[StatusError]] = {500: ServerError, 502: ServerError, 503: ServerError, 504: ServerError}


@pytest.mark.parametrize("status", sorted(UNSAFE))
async def test_a_creation_is_not_repeated_after_a_failure(page_server: Serve, status: int) -> None:
    """D: there is no idempotency key; Planhat may have processed a creation that failed on its side."""
    planhat = await page_server(in_turn(says("", status), says(STORED)))
    with pytest.raises(UNSAFE[status]) as raised:
        await Tasks(planhat.session).create({"company_id": OTHER_ID})
    assert (len(planhat.calls), raised.value.may_have_been_processed) == (1, True)


async def test_rows_without_a_key_are_not_sent_again_after_a_failure(page_server: Serve) -> None:
    """D: an upsert row without a matching key is created, so sending it twice creates two records."""
    planhat = await page_server(in_turn(says("", 502), says({"created": 1, "updated": 0, "nonupdates": 0})))
    result = await Tasks(planhat.session).upsert_many([{"company_id": OTHER_ID}])
    assert (len(planhat.calls), result.unknown) == (1, 1)


@pytest.mark.parametrize(
    ("repository", "key", "n_calls"),
    [(Tasks, "sourceId", 2), (Tasks, "_id", 2), (Notes, "_id", 2), (Notes, "sourceId", 1)],
)
async def test_rows_with_a_matching_key_are_sent_again(
    page_server: Serve, repository: Any, key: str, n_calls: int
) -> None:
    """D: notes match on `_id`, tasks on `_id`, then `sourceId`; a note's `sourceId` matches nothing."""
    planhat = await page_server(in_turn(says("", 502), says({"created": 0, "updated": 1, "nonupdates": 0})))
    await repository(planhat.session).upsert_many([{key: ID, "company_id": OTHER_ID}])
    assert len(planhat.calls) == n_calls


@pytest.mark.parametrize(("call", "arguments"), [("get", ()), ("update", ({"action": "a"},)), ("delete", ())])
async def test_calls_for_one_record_are_repeated_after_a_failure(
    page_server: Serve, call: str, arguments: tuple[Any, ...]
) -> None:
    """D: repeating each of them has the same effect: it reads, sets fields, or deletes."""
    planhat = await page_server(in_turn(says("", 503), says({**STORED, "deletedCount": 1})))
    await getattr(Tasks(planhat.session), call)(ID, *arguments)
    assert len(planhat.calls) == 2


async def test_a_repeated_deletion_answered_with_404_succeeds(page_server: Serve) -> None:
    """D: the first attempt may have deleted the record despite its 502, so the 404 is a success."""
    planhat = await page_server(in_turn(says("", 502), says({"error": "Not found"}, 404)))
    await Tasks(planhat.session).delete(ID)
    assert len(planhat.calls) == 2


async def test_rows_with_one_key_are_never_in_one_body(page_server: Serve) -> None:
    """G: the same key twice in one body is an error, and two bodies in flight with the same key race."""
    planhat = await page_server(always({"created": 0, "updated": 1, "nonupdates": 0}))
    await Tasks(planhat.session).upsert_many([{"source_id": "7", "action": action} for action in "abc"])
    assert [[row["action"] for row in call.sent] for call in planhat.calls] == [["a"], ["b"], ["c"]]
