"""REFERENCE, "Calls": paths, methods, parameters and the form of lists."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypedDict, get_type_hints

import pytest
from each_model import declared_options, each, one_list, sample_row

from planhat_async import (
    DecodeError,
    Notes,
    NotFoundError,
    Tasks,
    TaskUpdateOptions,
    Tickets,
)
from planhat_async.models import ALL
from planhat_async.records import Filter, IdFilter
from planhat_async.records.filters import ArchivedFilter, DayFilter, HiddenFilter, NumberFilter
from planhat_async.repositories import (
    Creates,
    Deletes,
    Gets,
    ListingOptions,
    Lists,
    PageOptions,
    Updates,
    Upserts,
    WholeListOptions,
    WholeLists,
)
from planhat_async.sandbox.models import ALL as RULES
from reference.conftest import Serve
from reference.page_server import ID, OTHER_ID, Answers, Call, PageServer, Said, always, by_method, listing, says

SHARED = {"limit", "offset", "sort", "select"}
PATHS = {Notes: "/conversations", Tasks: "/tasks", Tickets: "/tickets"}
DOCUMENTED = {
    **{rules.name: SHARED | {one.parameter for one in rules.filters} for rules in RULES},
    "notes": SHARED | {"companyId"},
    "tasks": SHARED | {"companyId", "enduserIds", "isArchived"},
    "tickets": SHARED | {"companyId", "status", "email", "search"},
}
"""The list parameters of each page."""


def key(number: int) -> str:
    """Return an `_id`; later ones are greater."""
    return f"{0x60000000 + number:08x}{number:016x}"


def records(n_records: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"_id": key(number), "type": "note", **fields} for number in range(n_records)]


def ids(listed: Iterable[Any]) -> list[str | None]:
    return [record.id for record in listed]


def asked(planhat: PageServer) -> set[str]:
    """Return the names of all parameters that were sent."""
    return {name for call in planhat.calls for name, _ in call.query}


# Paths and methods.


@each(Lists)
async def test_each_model_has_its_path(page_server: Serve, repository: Any) -> None:
    """D: notes are at `/conversations`, tasks at `/tasks`, tickets at `/tickets`; L: `/notes` does not exist."""
    planhat = await page_server(always([]))
    await repository(planhat.session).page()
    assert planhat.lines == [f"GET {PATHS.get(repository, repository.model.path)}"]


@each(Creates, Gets, Updates)
async def test_a_record_is_created_read_and_changed_at_its_path(page_server: Serve, repository: Any) -> None:
    """D: `POST path` creates, `GET path/{key}` reads, `PUT path/{key}` changes."""
    path = PATHS.get(repository, repository.model.path)
    planhat = await page_server(always({"_id": ID, "companyId": OTHER_ID}))
    model = repository(planhat.session)
    found = [
        await model.create(sample_row(repository.model)),
        await model.get(ID),
        await model.update(ID, {"custom": {"d": 1}}),
    ]
    assert ids(found) == [ID] * 3
    assert planhat.lines == [f"POST {path}", f"GET {path}/{ID}", f"PUT {path}/{ID}"]


def test_tickets_have_no_single_calls_but_deletion() -> None:
    """D: creating, reading and updating one ticket is not documented, so the client has no such methods."""
    assert [hasattr(Tickets, name) for name in ("create", "get", "get_many", "update", "delete")] == [False] * 4 + [
        True
    ]


@each(Deletes)
@pytest.mark.parametrize("answer", [{"_id": ID, "type": "note"}, {"n": 1, "ok": 1, "deletedCount": 1}], ids=str)
async def test_a_deletion_is_answered_with_the_record_or_a_count(
    page_server: Serve, repository: Any, answer: Any
) -> None:
    """D: a deleted note or ticket is returned, and `{"n":1,"ok":1,"deletedCount":1}` for a task; each is a success.

    ?: which of them other models return.
    """
    planhat = await page_server(always(answer))
    await repository(planhat.session).delete(ID)
    assert planhat.lines == [f"DELETE {PATHS.get(repository, repository.model.path)}/{ID}"]


async def test_a_deletion_that_counts_no_record_is_not_found(page_server: Serve) -> None:
    """D: the answer counts deleted records, so a count of 0 means that the task did not exist."""
    planhat = await page_server(always({"n": 0, "ok": 1, "deletedCount": 0}))
    with pytest.raises(NotFoundError):
        await Tasks(planhat.session).delete(ID)


@each(Deletes)
@pytest.mark.parametrize("body", ["", *(pytest.param(text) for text in ("OK", "gone"))])
async def test_a_deletion_answered_with_plain_text_or_no_body_succeeds(
    page_server: Serve, repository: Any, body: str
) -> None:
    """?: bodies are "an object or a string", sometimes plain text; the status means that the record is deleted."""
    planhat = await page_server(always(body, content_type="text/plain"))
    assert await repository(planhat.session).delete_many([ID, OTHER_ID]) == [True, True]


@each(Upserts)
async def test_a_bulk_upsert_puts_an_array_to_the_path(page_server: Serve, repository: Any) -> None:
    """D: `PUT path` takes an array of at most 5,000 items, so row 5,001 is in another call."""
    planhat = await page_server(always({"created": 0, "updated": 5000}))
    await repository(planhat.session).upsert_many([{"_id": key(n), "custom": {"n": n}} for n in range(5001)])
    assert planhat.lines == [f"PUT {PATHS.get(repository, repository.model.path)}"] * 2
    assert sorted(len(call.sent) for call in planhat.calls) == [1, 5000]


# Parameters.


@pytest.mark.parametrize(
    ("repository", "option", "sent"),
    [
        (Notes, {"company_id": ID}, {"companyId": ID}),
        (Tasks, {"company_id": [ID, OTHER_ID]}, {"companyId": f"{ID},{OTHER_ID}"}),
        (Tasks, {"enduser_ids": [ID, OTHER_ID]}, {"enduserIds": f"{ID},{OTHER_ID}"}),
        (Tasks, {"archived": True}, {"isArchived": "true"}),
        (Tasks, {"archived": False}, {}),
        (Tickets, {"company_id": ID}, {"companyId": ID}),
        (
            Tickets,
            {"status": "open", "email": "a@b.c", "search": "x y"},
            {"status": "open", "email": "a@b.c", "search": "x y"},
        ),
    ],
)
async def test_filters_have_their_documented_names(
    page_server: Serve, repository: Any, option: Any, sent: dict[str, str]
) -> None:
    """D: `companyId`, `enduserIds`, `isArchived`, `status`, `email`, `search`; several ids are joined by commas.

    The list examples use `s`, `cid` and `l` instead and contain rows that do not match: the tables are correct.
    """
    planhat = await page_server(always([]))
    assert await repository(planhat.session).page(**option) == []
    assert {name: value for name, value in planhat.calls[0].query if name not in SHARED} == sent


async def test_sorting_and_paging_have_their_documented_names(page_server: Serve) -> None:
    """D: `limit`, `offset`, `sort` (a property, descending with `-` in front), `select` (separated by commas)."""
    planhat = await page_server(always([]))
    await Tasks(planhat.session).page(
        offset=7, limit=3, sort="-updated_at", select=["action", "companyId", "custom.X y"]
    )
    sent = dict(planhat.calls[0].query)
    assert (sent["limit"], sent["offset"], sent["sort"]) == ("3", "7", "-updatedAt")
    assert set(sent["select"].split(",")) == {"_id", "action", "companyId", "custom.X y"}


VALUES: dict[str, Any] = {
    "sort": "-id",
    "select": ["_id"],
    "page_size": 2,
    "max_records": 3,
    "concurrency": 2,
    "start_offset": 1,
    "after": key(0),
    "on_bad_record": "skip",
}
"""A value for every option that all lists have; a missing one is a KeyError below."""


def value_of(one: Filter) -> Any:
    """Return a value for a filter."""
    match one:
        case IdFilter():
            return [ID, OTHER_ID] if one.is_many else ID
        case ArchivedFilter() | HiddenFilter():
            return True
        case NumberFilter():
            return 30
        case DayFilter():
            return "2024-05-31"
        case _:
            return "x"


class NoOptions(TypedDict):
    """The options of a page of a list without pages."""


@each(Lists)
@pytest.mark.parametrize("method", ["page", "iter", "iter_json", "pages", "all", "arrow_batches", "to_arrow"])
def test_type_checkers_know_every_option(repository: Any, method: str) -> None:
    """They know the options of all lists and the model's filters, except row-by-row filters for a single page."""
    shared: type[Any] = PageOptions if method == "page" else ListingOptions
    if issubclass(repository, WholeLists):
        shared = NoOptions if method == "page" else WholeListOptions
    filters = {one.option for one in repository.model.filters if one.is_for_pages or method != "page"}
    assert set(get_type_hints(declared_options(repository, method))) == set(get_type_hints(shared)) | filters


@each(Lists)
async def test_only_documented_parameters_are_ever_sent(page_server: Serve, repository: Any) -> None:
    """L: Planhat silently ignores unknown query parameters, so a misnamed filter would list every record.

    Calls each listing method with each option alone and with all options.
    """
    planhat = await page_server(listing(records(5), default=2))
    values = VALUES | {one.option: value_of(one) for one in repository.model.filters}
    lists = set(one_list(repository))
    for method in ("all", "page"):
        call, names = (
            getattr(repository(planhat.session), method),
            set(get_type_hints(declared_options(repository, method))),
        )
        # Open and archived tasks are two lists, and an offset applies to a single list.
        alone = [{name} | (names & lists if name in {"after", "start_offset"} else set()) for name in names]
        for chosen in [set(), *alone, names - {"sort"}, names - {"after", "start_offset"}]:
            with suppress(DecodeError):  # the notes do not fit every call: only the request matters here
                await call(**{name: values[name] for name in chosen})
    paged = {"limit", "offset", "sort", "select"} if repository.model.limits is None else set()
    assert asked(planhat) == DOCUMENTED[repository.model.name] - paged
    assert {call.path for call in planhat.calls} == {PATHS.get(repository, repository.model.path)}


async def test_reading_changed_tasks_sends_documented_parameters_only(page_server: Serve) -> None:
    """L: `sort=-updatedAt` is honoured; Planhat has no filter for the time of change, so the client sends none."""
    rows = records(3, updatedAt="2024-05-31T09:30:00.000Z")
    planhat = await page_server(listing(rows, default=500))
    values = VALUES | {one.option: value_of(one) for one in Tasks.model.filters}
    options: Any = {name: values[name] for name in get_type_hints(TaskUpdateOptions)}
    since = datetime(2024, 6, 1, tzinfo=UTC)
    async for _ in Tasks(planhat.session).iter_updated_since(since, **options):
        pass
    assert asked(planhat) <= DOCUMENTED["tasks"]
    assert {call.asked("sort") for call in planhat.calls} == {"-updatedAt"}


@each(Lists)
async def test_a_parameter_of_another_model_is_refused(page_server: Serve, repository: Any) -> None:
    """L: Planhat would ignore it silently and return the whole list as if it were filtered."""
    planhat = await page_server(always([]))
    others = {"updated_since", *(one.option for other in ALL for one in other.model.filters)}
    assert others >= {"company_id", "enduser_ids", "archived", "status", "email", "search"}
    for name in others - {one.option for one in repository.model.filters}:
        with pytest.raises(TypeError, match=name):
            await repository(planhat.session).page(**{name: "x"})
    assert planhat.calls == []


@pytest.mark.parametrize("name", ["company_id", "enduser_ids"])
async def test_long_lists_of_ids_are_split(page_server: Serve, name: str) -> None:
    """L: they make URLs too long; each call carries at most 2,000 characters of them, and all ids are sent."""
    planhat = await page_server(always([]))
    many = [key(number) for number in range(500)]
    options: Any = {name: many}
    await Tasks(planhat.session).all(archived=False, **options)
    sent = [call.asked("companyId" if name == "company_id" else "enduserIds") or "" for call in planhat.calls]
    assert max(map(len, sent)) <= 2000
    assert sorted(one for ids in sent for one in ids.split(",")) == many


# Pages.


LIMITS = {Notes: (30, 2000), Tasks: (500, 10_000), Tickets: (500, 10_000)}
"""The documented default and largest limit of notes, tasks and tickets."""


@each(Lists)
async def test_no_call_requests_more_than_the_maximum(page_server: Serve, repository: Any) -> None:
    """D: 2,000 notes, 10,000 tasks or tickets. ?: the effect of a larger `limit`, so the client sends none."""
    limits = repository.model.limits
    if limits is None:
        pytest.skip("the whole list is one call, which has no limit")
    assert LIMITS.get(repository, (limits.default, limits.most)) == (limits.default, limits.most)
    most = limits.most
    planhat = await page_server(always([]))
    model = repository(planhat.session)
    await model.page()
    await model.page(limit=most + 1)
    await model.all(page_size=most + 1)
    assert {call.asked("limit") for call in planhat.calls} == {str(most)}


@each(Lists)
async def test_a_list_shorter_than_the_default_is_one_call(page_server: Serve, repository: Any) -> None:
    """D: without `limit` a page has 30 notes, 500 tasks or tickets; a server that ignores `limit` sends as many."""
    limits = repository.model.limits
    default = 9 if limits is None else limits.default
    planhat = await page_server(listing(records(default - 1), default=default))
    assert len(await repository(planhat.session).all(**one_list(repository))) == default - 1
    assert len(planhat.calls) == 1


@each(Lists)
@pytest.mark.parametrize("more", [0, 1, 7])
async def test_a_short_page_does_not_end_the_list(page_server: Serve, repository: Any, more: int) -> None:
    """?: a page may be short although more rows follow; the next offset counts the received rows.

    The server has a cap of its own for any limit.
    """
    if repository.model.limits is None:
        pytest.skip("the whole list is one call, which has no limit")
    default = repository.model.limits.default
    cap = default + more
    rows = records(3 * cap + 1)
    planhat = await page_server(listing(rows, default=default, most=cap))
    assert ids(await repository(planhat.session).all(**one_list(repository))) == [row["_id"] for row in rows]


async def test_pages_of_different_lengths_are_joined(page_server: Serve) -> None:
    """?: each page may have another length."""
    rows, lengths = records(2000), iter([900, 500, 511, 777] * 10)

    def uneven(call: Call) -> Said:
        return listing(rows, default=500, most=next(lengths))(call)

    planhat = await page_server(uneven)
    assert ids(await Tickets(planhat.session).all(concurrency=1)) == [row["_id"] for row in rows]


async def test_deletions_while_a_list_is_read_hide_no_record(page_server: Serve) -> None:
    """?: an empty page proves the end only if no row is deleted meanwhile: deletions shift unread rows left."""
    rows = records(3000)
    left = list(rows)

    def shrinking(call: Call) -> Said:
        answer = listing(left, default=500)(call)
        if call.asked("sort") == "_id" and len(left) > 1000:
            del left[:1000]
        return answer

    planhat = await page_server(shrinking)
    listed = ids(await Tickets(planhat.session).all(page_size=1000, concurrency=1))
    assert len(listed) == len(set(listed))
    assert {row["_id"] for row in left} <= set(listed)


@pytest.mark.parametrize("honours_sort", [True, False])
async def test_the_default_order_does_not_matter(page_server: Serve, *, honours_sort: bool) -> None:
    """L: every documented list of notes and tickets has the newest first, and a client's sort is honoured.

    ?: the default order is not documented, so the client sends one; lists of a server that ignores it are read too.
    The documented list of tasks has the oldest first: the examples contradict one another.
    """
    rows = records(1300)
    answers: Answers = listing(rows, default=500)
    planhat = await page_server(
        answers if honours_sort else lambda call: answers(Call("GET", call.path, (*call.query, ("sort", ""))))
    )
    listed = ids(await Tickets(planhat.session).all(page_size=500))
    assert sorted(map(str, listed)) == [row["_id"] for row in rows]
    assert all(call.asked("sort") in {"_id", "-_id"} for call in planhat.calls)
    assert planhat.session.stats.sorts_ignored == (not honours_sort)


async def test_a_server_that_ignores_the_offset_is_detected(page_server: Serve) -> None:
    """L: parameters are ignored silently; a page repeated for ever is an error, not an endless list."""
    rows = records(1000)
    planhat = await page_server(always(rows))
    with pytest.raises(DecodeError):
        await Tickets(planhat.session).all(page_size=1000)
    assert len(planhat.calls) < 20


@pytest.mark.parametrize("body", [{"data": []}, {}, "text", None, 7, b"[{", b""])
async def test_a_list_is_a_bare_array(page_server: Serve, body: Any) -> None:
    """D: a list has no total and no cursor; any other body is an error, not an empty list."""
    planhat = await page_server(always(body))
    with pytest.raises(DecodeError):
        await Tasks(planhat.session).all()


# Contents of lists.


@pytest.mark.parametrize("shows_open_too", [True, False])
async def test_archived_tasks_are_listed_separately(page_server: Serve, *, shows_open_too: bool) -> None:
    """D: `tasks` hides archived tasks unless `isArchived=true`. ?: whether that includes the open ones.

    In both cases each task is yielded once.
    """
    open_, archived = records(3, isArchived=False), [{"_id": key(9), "isArchived": True}]

    def answer(call: Call) -> Said:
        is_archived = call.asked("isArchived") == "true"
        rows = (archived + open_ * shows_open_too) if is_archived else open_
        return listing(rows, default=500)(call)

    planhat = await page_server(answer)
    tasks = Tasks(planhat.session)
    assert ids(await tasks.all()) == [*(row["_id"] for row in open_), key(9)]
    assert ids(await tasks.all(archived=True)) == [key(9)]
    assert ids(await tasks.all(archived=False)) == [row["_id"] for row in open_]


async def test_events_are_listed_with_tasks(page_server: Serve) -> None:
    """D: `tasks` returns both `task` and `event` rows; both are yielded."""
    rows = [{"_id": key(1), "mainType": "task"}, {"_id": key(2), "mainType": "event"}]
    planhat = await page_server(listing(rows, default=500))
    assert [task.main_type for task in await Tasks(planhat.session).all(archived=False)] == ["task", "event"]


async def test_notes_are_conversations_of_their_type(page_server: Serve) -> None:
    """D: a note is a conversation whose `type` is `note`; custom touch types (`isCustomType`) are notes as well.

    Tickets and e-mails are in the same list, and no parameter excludes them.
    """
    rows: list[dict[str, Any]] = [
        {"_id": key(1), "type": "note"},
        {"_id": key(2), "type": "ticket"},
        {"_id": key(3), "type": "QBR", "isCustomType": True},
        {"_id": key(4), "type": "email", "isCustomType": False},
    ]
    planhat = await page_server(listing(rows, default=30))
    notes = Notes(planhat.session)
    assert ids(await notes.all()) == [key(1), key(3)]
    assert ids(await notes.all(type="ticket")) == [key(2)]
    assert len(await notes.all(type=None)) == 4


async def test_a_selection_keeps_the_id(page_server: Serve) -> None:
    """?: `select` may omit the `_id`, so the client requests it, and the record has it."""

    def answer(call: Call) -> Said:
        names = (call.asked("select") or "").split(",")
        return says([{name: value for name, value in {"_id": ID, "action": "x"}.items() if name in names}])

    planhat = await page_server(answer)
    (task,) = await Tasks(planhat.session).all(archived=False, select=["action"])
    assert (task.id, task.action) == (ID, "x")


async def test_one_ticket_can_be_read_as_a_conversation(page_server: Serve) -> None:
    """D: tickets are conversations too, and `/conversations/{id}` returns one."""
    planhat = await page_server(by_method(GET=says({"_id": ID, "type": "ticket", "status": "open"})))
    ticket = await Notes(planhat.session).get(ID)
    assert (planhat.lines, ticket.type, ticket.extra["status"]) == ([f"GET /conversations/{ID}"], "ticket", "open")
