"""An independent client works against the sandbox: `cruds`, with the interface to Planhat that it ships.

Every call of every model in its configuration is made as it is, with another URL. What it cannot do:

==========================================  ==================================  =====================================
Its call                                    The sandbox                         The fault is
==========================================  ==================================  =====================================
`update` of any model                       405: it sends a PATCH               its own: only PUT is documented
`get_by_id("extid-…")` of churns, custom    404                                 its own: it says that any model takes
fields, issues, NPS answers, time entries                                       these keys, but their pages do not
and timesheets; `get_by_id("srcid-…")` of
churns, custom fields, time entries,
timesheets and users
`bulk_upsert` of churns, conversations,     an error, or a second record        the documentation's: it names the
deals, line items and products by           (`Choices.undocumented_keys_match`  `_id` only; `cruds` says that any of
`sourceId` or `externalId` alone            matches them)                       the three keys will do
`bulk_upsert` of opportunities by           an error                            its own: the page names the other two
`sourceId` alone
`create` and `bulk_upsert` of a             400                                 the documentation's: only the page on
conversation without a `type`               (`Choices.conversations_need_type`  notes asks for one
                                            changes that)
`get_list(limit=…)` above the maximum       the maximum: it stops, because the  its own, and the documentation's,
                                            page is shorter than it asked for   which does not say what is answered
`get_list()` of a model that has neither    the `_id`s only                     its own: it selects these by default
`name` nor `companyId`
`time_entry.duplicate`                      the answer of a bulk upsert         the documentation's: it has no answer
`user_activity.segment` of a list           all are stored                      the documentation's: it has one event
==========================================  ==================================  =====================================
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import urllib3
from cruds.interfaces.planhat import Planhat
from cruds.interfaces.planhat.exception import PlanhatUpsertError
from foreign_rows import ACME, KINDS, OTHER, changed, company_field, own_keys, row, rows
from model_facts import MORE_KEYS, Facts

from planhat_async.sandbox import Choices, Sandbox

CALLS: dict[str, set[str]] = {
    name: {call for call, function in member.methods.items() if callable(function) and not call.startswith("_")}
    for name, member in vars(Planhat).items()
    if hasattr(member, "methods")
}
"""The calls of each of its models."""
ANALYTICS = {"metrics", "user_activity"}
"""Its models of the analytics host."""
NEVER_MATCHED = {"opportunity": {"sourceId"}}
"""The keys that a bulk upsert of a model does not match, whatever the switches say."""
HTTPError = urllib3.exceptions.HTTPError


def each(*calls: str) -> pytest.MarkDecorator:
    """Run a test with each of its models that has all of these calls."""
    found = [KINDS[name] for name, own in CALLS.items() if name not in ANALYTICS and own >= set(calls)]
    return pytest.mark.parametrize("facts", found, ids=lambda facts: facts.kind)


@pytest.fixture
def choices() -> Choices:
    return Choices()


@pytest.fixture
async def sandbox(choices: Choices) -> AsyncIterator[Sandbox]:
    async with Sandbox(choices=choices, companies=[ACME, OTHER], per_minute=None, per_second=None) as planhat:
        yield planhat


@pytest.fixture
def cruds(sandbox: Sandbox) -> Iterator[Any]:
    client = Planhat(api_token=sandbox.token, tenant_token=sandbox.tenant_uuid, retries=0)
    client.client.host, client.client_analytics.host = f"{sandbox.url}/", f"{sandbox.analytics_url}/"
    client._delay = 0
    yield client
    client.client.manager.clear()
    client.client_analytics.manager.clear()


async def use(function: Callable[[], Any]) -> Any:
    """The result of a function that blocks."""
    return await asyncio.to_thread(function)


def stored(sandbox: Sandbox, facts: Facts, n_records: int, **fields: Any) -> list[str]:
    """The `_id`s of new records, in the order of its lists."""
    return [sandbox.add(facts.name, {**facts.sort, **fields})["_id"] for _ in range(n_records)][::-1]


def test_its_models_are_planhats() -> None:
    """It has all of them but the two that are read only."""
    assert set(KINDS) - set(CALLS) == {"lean_company", "workflow"}
    assert set(CALLS) - set(KINDS) == ANALYTICS


# One record


@each("create", "get_by_id", "delete")
async def test_one_by_one(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """A record is created, found and deleted; what was sent comes back."""
    model, sent = getattr(cruds, facts.kind), row(facts)
    before = sandbox.records(facts.name)

    def calls() -> None:
        created = model.create(sent)
        assert created == created | sent
        found = model.get_by_id(created["_id"])
        assert found == found | sent | {"_id": created["_id"]}
        assert isinstance(model.delete(created["_id"]), dict)
        with pytest.raises(HTTPError, match="status code 404"):
            model.get_by_id(created["_id"])

    await use(calls)
    assert sandbox.records(facts.name) == before


@each("get_by_id")
async def test_it_gets_by_any_documented_key(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """It says that it gets by the three kinds of key; those that the model's page does not name are not found."""
    kinds = {"_id": "", "extid": "extid-", "srcid": "srcid-"}
    record = sandbox.add(facts.name, facts.sort | dict.fromkeys(("sourceId", "externalId", "extId"), "key"))

    def is_found(kind: str) -> bool:
        try:
            found = getattr(cruds, facts.kind).get_by_id(record["_id"] if kind == "_id" else f"{kinds[kind]}key")
        except HTTPError as error:
            if "status code 404" not in str(error):
                raise
            return False
        return bool(found == record)

    documented = set(facts.known["get_keys"]) | MORE_KEYS.get(facts.kind, set())
    assert await use(lambda: {kind for kind in kinds if is_found(kind)}) == documented


@each("update")
async def test_its_update_is_not_documented(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """It sends a PATCH, which Planhat does not document: the answer is a 405, and nothing is changed."""
    before = sandbox.add(facts.name, row(facts))

    def call() -> None:
        with pytest.raises(HTTPError, match="status code 405"):
            getattr(cruds, facts.kind).update(before["_id"], row(facts, 2))

    await use(call)
    assert before in sandbox.records(facts.name)
    assert sandbox.requests[-1].method == "PATCH"


# Bulk upserts


@each("bulk_upsert", "get_list", "delete")
async def test_in_bulk(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """Records are created, listed, changed by their `_id` and deleted; its own check finds no error in the answers."""
    model, sent = getattr(cruds, facts.kind), rows(facts, 3)
    before = len(sandbox.records(facts.name))

    def calls() -> None:
        answer = model.bulk_upsert(sent, raise_on_error=True)
        assert (answer["created"], answer["updated"]) == (3, 0)
        page = next(model.get_list(select=None, limit=3))
        assert all(record == record | one for record, one in zip(page, sent[::-1], strict=True))
        changes = [{"_id": record["_id"], **changed(facts)} for record in page]
        answer = model.bulk_upsert(changes, raise_on_error=True)
        assert (answer["created"], answer["updated"]) == (0, 3)
        for record in page:
            model.delete(record["_id"])

    await use(calls)
    assert len(sandbox.records(facts.name)) == before


@each("bulk_upsert")
async def test_it_sends_a_list_in_chunks(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """It adds up the answers to its chunks."""
    answer = await use(lambda: getattr(cruds, facts.kind).bulk_upsert(rows(facts, 5), chunk_size=2))
    assert (answer["created"], len(answer.get("upsertedIds", range(5)))) == (5, 5)
    assert [request.n_rows for request in sandbox.requests] == [2, 2, 1]


def by_own_key(cruds: Any, facts: Facts) -> set[str]:
    """The fields by which a bulk upsert finds a record again."""
    model = getattr(cruds, facts.kind)
    model.bulk_upsert([row(facts)], raise_on_error=True)
    changes = {field: changed(facts, field) | {field: "key-1"} for field in own_keys(facts)}
    return {field for field, change in changes.items() if updates(model, change)}


def updates(model: Any, change: dict[str, Any]) -> bool:
    """Whether a row changes a record; otherwise it is refused, or creates one."""
    try:
        return bool(model.bulk_upsert([change])["updated"])
    except PlanhatUpsertError:
        return False


@each("bulk_upsert")
async def test_documented_keys_match(cruds: Any, facts: Facts) -> None:
    """A row changes the record that has its key, as far as the model's page, or the page on bulk upserts, says so."""
    assert await use(lambda: by_own_key(cruds, facts)) == set(facts.known["bulk_keys"]) & set(own_keys(facts))


@each("bulk_upsert")
@pytest.mark.parametrize("choices", [Choices(undocumented_keys_match=True)], ids=["any_key"])
async def test_it_expects_all_keys_to_match(cruds: Any, facts: Facts) -> None:
    """It says that a row is known by any key; with a switch it is, except by an opportunity's `sourceId`."""
    assert set(own_keys(facts)) - await use(lambda: by_own_key(cruds, facts)) == NEVER_MATCHED.get(facts.kind, set())


@each("bulk_upsert")
async def test_it_hears_of_refused_rows(cruds: Any, facts: Facts) -> None:
    """Its own check of a bulk answer finds the error lists of a 206 and of a 400."""
    refused = {"companyId": "extid-nobody"} if facts.kind == "ticket" else {"custom": "no object"}

    def calls() -> None:
        for sent in ([row(facts), row(facts, 2) | refused], [row(facts, 2) | refused]):
            with pytest.raises(PlanhatUpsertError, match="createdErrors"):
                getattr(cruds, facts.kind).bulk_upsert(sent, raise_on_error=True)

    await use(calls)


@pytest.mark.parametrize("kind", ["create", "bulk_upsert"])
async def test_a_conversation_needs_a_type(cruds: Any, kind: str) -> None:
    """The page on conversations asks for a company only, the page on notes for a type as well."""
    sent = {"companyId": ACME.company_id}
    call, body = (cruds.conversation.create, sent) if kind == "create" else (cruds.conversation.bulk_upsert, [sent])
    with pytest.raises((HTTPError, PlanhatUpsertError), match="type is required"):
        await use(lambda: call(body))


async def test_a_status_sync_of_tickets(sandbox: Sandbox, cruds: Any) -> None:
    """A ticket that is there is updated by its `sourceId` alone: no `email`, no company, and nothing else changes."""
    cruds_ticket, sent = cruds.ticket, {"sourceId": "7", "email": "ada@acme.example", "domains": ["acme.example"]}

    def calls() -> None:
        assert cruds_ticket.bulk_upsert([sent], raise_on_error=True) == {"created": 1, "updated": 0}
        (before,) = sandbox.records("tickets")
        answer = cruds_ticket.bulk_upsert([{"sourceId": "7", "status": "closed"}], raise_on_error=True)
        assert answer == {"created": 0, "updated": 1}
        (after,) = sandbox.records("tickets")
        assert after == before | {"status": "closed", "updateDate": after["updateDate"]}

    await use(calls)


async def test_duplicates_of_time_entries(sandbox: Sandbox, cruds: Any) -> None:
    """Each entry is there twice; the answer passes for one of a bulk upsert."""
    entries = [sandbox.add("time_entries", row(KINDS["time_entry"], number)) for number in range(2)]
    answer = await use(lambda: cruds.time_entry.duplicate({"ids": [entry["_id"] for entry in entries]}))
    cruds.bulk_upsert_response_check(answer)
    copies = sandbox.records("time_entries")[2:]
    assert [entry["_id"] for entry in copies] == answer["upsertedIds"]
    assert [{entry[name] for name in ("date", "hours")} for entry in copies] == [{entries[0]["date"], 1.5}] * 2


# Lists


@each("get_list")
async def test_its_pages_are_the_whole_list(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """It goes on from page to page as long as they are full, the newest first."""
    expected = stored(sandbox, facts, 25)
    pages = await use(lambda: list(getattr(cruds, facts.kind).get_list(limit=10, max_requests=3)))
    listed = [record["_id"] for page in pages for record in page]
    assert listed[:25] == expected
    assert [len(page) for page in pages[:2]] == [10, 10]


@each("get_list")
async def test_the_fields_that_it_selects(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """Without a selection of the caller's it asks for `name` and `companyId`, which not every model has."""
    sandbox.add(facts.name, row(facts))
    ((record, *_),) = await use(lambda: list(getattr(cruds, facts.kind).get_list(sort="_id")))
    assert record.keys() <= {"_id", "name", "companyId"}


@each("get_list")
async def test_it_filters_by_company(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """What it is given besides its own options becomes a parameter; where a model has no such filter it is ignored."""
    field = company_field(facts)
    for company in (OTHER, ACME):
        value = [company.company_id] if field == "companyIds" else company.company_id
        stored(sandbox, facts, 1, **{field or "made up": value})
    (records,) = await use(
        lambda: list(getattr(cruds, facts.kind).get_list(select=field, sort="-_id", companyId=OTHER.company_id))
    )
    assert len(records) == (1 if field else len(sandbox.records(facts.name)))
    assert OTHER.company_id in str(records) or field is None


@pytest.mark.slow
@each("get_list")
async def test_a_limit_above_the_maximum_loses_records(sandbox: Sandbox, cruds: Any, facts: Facts) -> None:
    """The page is shorter than it asked for, so it stops: its own default is the smallest maximum of all models."""
    most = facts.known["list"]["max"] or 2_000
    stored(sandbox, facts, most + 1)
    (page,) = await use(lambda: list(getattr(cruds, facts.kind).get_list(limit=most + 1)))
    assert len(page) == most


async def test_lean_companies(sandbox: Sandbox, cruds: Any) -> None:
    """All of them in one call, or those with a key or of any of several states."""
    for state in ("prospect", "lost", "customer"):
        sandbox.add("companies", {"_id": state, "status": state, "externalId": f"e-{state}", "sourceId": f"s-{state}"})

    def names(**filters: Any) -> list[str]:
        return [company["_id"] for company in cruds.company.get_lean_list(**filters)]

    def calls() -> None:
        assert set(names()) == {"prospect", "lost", "customer", ACME.company_id, OTHER.company_id}
        assert names(external_id="e-lost") == names(source_id="s-lost") == names(status="lost") == ["lost"]
        assert set(names(status="lost, prospect")) == set(names(status=("lost", "prospect"))) == {"lost", "prospect"}

    await use(calls)


# The analytics host


def metric(number: int, **fields: Any) -> dict[str, Any]:
    """One of a day in January 2026."""
    date = f"2026-01-{number + 1:02}T00:00:00.000Z"
    return {"dimensionId": "logins", "value": number, "externalId": "acme", "date": date, **fields}


async def test_metrics(sandbox: Sandbox, cruds: Any) -> None:
    """They are sent, counted, and listed page by page for a company, a dimension and some days."""

    def calls() -> list[Any]:
        answer = cruds.metrics.bulk_insert_metrics([metric(number) for number in range(5)], raise_on_error=True)
        assert answer == {"processed": 5, "errors": []}
        assert cruds.metrics.bulk_insert_metrics(metric(5, dimensionId="others"))["processed"] == 1
        days = ("2026-01-02", cruds.metrics.epoch_days_format("2026-01-31"))
        return list(cruds.metrics.get_dimension_data(*days, ACME.company_id, "logins", limit=3))

    pages = await use(calls)
    assert [[one["value"] for one in page] for page in pages] == [[1, 2, 3], [4]]
    assert [one["value"] for one in sandbox.metrics] == [0, 1, 2, 3, 4, 5]


async def test_refused_metrics(sandbox: Sandbox, cruds: Any) -> None:
    """Its own check finds the errors in the answer; the other metrics are stored."""
    sent = [metric(0), metric(1, dimensionId="no spaces")]
    with pytest.raises(PlanhatUpsertError, match="no spaces"):
        await use(lambda: cruds.metrics.bulk_insert_metrics(sent, raise_on_error=True))
    assert len(sandbox.metrics) == 1


async def test_activities(sandbox: Sandbox, cruds: Any) -> None:
    """One by one and in bulk, as they were sent."""
    sent = [{"email": f"ada-{number}@acme.example", "action": "login"} for number in range(3)]

    def calls() -> None:
        cruds.user_activity.create_activity(sent[0])
        cruds.user_activity.create_activity(sent[1:], bulk=True, raise_on_error=True)

    await use(calls)
    assert sandbox.activities == sent


async def test_events_of_segment(sandbox: Sandbox, cruds: Any) -> None:
    """They need the tenant's token as the name of a user; it sends one, or a list."""
    sent = [{"type": "identify", "user_id": str(number), "traits": {}} for number in range(3)]
    await use(lambda: [cruds.user_activity.segment(one) for one in (sent[0], sent[1:])])
    assert sandbox.segments == sent
