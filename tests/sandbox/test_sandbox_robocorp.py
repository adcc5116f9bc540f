"""An independent client works against the sandbox: `robocorp-planhat`, a client for a framework of robots.

Every call of all its models is made as it is, with another URL. What it cannot do:

==========================================  ==================================  =====================================
Its call                                    The sandbox                         The fault is
==========================================  ==================================  =====================================
`create_object` of a note                   the note                            its own: an object of the class
                                                                                `Conversation` at times, as both have
                                                                                one path
`create_object` of a ticket                 405                                 its own: tickets have bulk upserts
                                                                                only
`get_object_by_id` and `update_object` by   404                                 its own: it has these keys for every
a `sourceId` or an `externalId` that the                                        model
page of the model does not name
`update_objects` of custom fields           405                                 its own: they have no bulk upsert
`update_objects` of churns, conversations   an error                            the documentation's: it names the
and notes by their own keys                 (`Choices.undocumented_keys_match`  `_id` only
                                            matches them)
`update_objects` of opportunities by        an error                            its own: the page names the other two
`sourceId` alone
`update_objects` of a list that is refused  400                                 its own: it raises, with the errors
as a whole                                                                      in the text of a message only
`update_objects` of more than 5,000         all are stored                      its own: it goes on to chunks without
                                                                                objects, and raises a `ValueError`
`delete_planhat_object` by a `sourceId` or  404                                 its own: only the `_id` is documented
an `externalId`
`company_id=…` of a new invoice or NPS      400 that names `cId`; no company    its own: it writes `companyId`
answer
`get_objects(company_ids=…)` of several     an empty list                       the documentation's: it has one id,
companies, of most models                                                       and does not say what several do
the same of custom fields and users         all                                 its own: they have no such filter
the same of custom fields, issues and       the list                            its own: an `AttributeError`
users with its cache
`get_objects(properties="ALL")`             the `_id`s only                     its own: no such word is documented
==========================================  ==================================  =====================================
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from foreign_rows import ACME, KINDS, OTHER, changed, company_field, own_keys, row, rows
from model_facts import MORE_KEYS, Facts
from planhat import Planhat, PlanhatHTTPError, PlanhatNotFoundError, types

from planhat_async.sandbox import Choices, Sandbox

KEY_KINDS = {"_id": None, "srcid": types.PlanhatIdType.SOURCE_ID, "extid": types.PlanhatIdType.EXTERNAL_ID}
KEY_FIELDS = {"srcid": "sourceId", "extid": "externalId"}
"""The fields in which it holds a caller's own keys."""
_KINDS_OF_TWO_WORDS = {"CustomField": "custom_field"}


def subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for one in cls.__subclasses__():
        yield one
        yield from subclasses(one)


CLASSES: dict[str, type[Any]] = {
    _KINDS_OF_TWO_WORDS.get(one.__name__, one.__name__.lower()): one
    for one in subclasses(types.PlanhatObject)
    if one.API_NAME is not None
}
"""The classes of its models."""


def each(*calls: str) -> pytest.MarkDecorator:
    """Run a test with each of its models that has all of these calls at Planhat."""
    found = [KINDS[kind] for kind in sorted(CLASSES) if all(KINDS[kind].has(call) for call in calls)]
    return pytest.mark.parametrize("facts", found, ids=lambda facts: facts.kind)


@pytest.fixture
def choices() -> Choices:
    return Choices()


@pytest.fixture
async def sandbox(choices: Choices) -> AsyncIterator[Sandbox]:
    async with Sandbox(choices=choices, companies=[ACME, OTHER], per_minute=None, per_second=None) as planhat:
        yield planhat


@pytest.fixture
def robot(sandbox: Sandbox) -> Iterator[Any]:
    client = Planhat(api_key=sandbox.token, tenant_uuid=sandbox.tenant_uuid, use_caching=False)
    client.session._api_host, client.session._analytics_host = sandbox.url, sandbox.analytics_url
    client.session._session.trust_env = False  # a proxy of the machine's is not asked for loopback
    yield client
    client.session._session.close()


async def use(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The result of a function that blocks."""
    return await asyncio.to_thread(function, *arguments, **options)


def made(facts: Facts, *sent: dict[str, Any]) -> Any:
    """Its list of these objects."""
    return CLASSES[facts.kind].from_list(list(sent))


def add(sandbox: Sandbox, facts: Facts, **fields: Any) -> str:
    """The `_id` of a new record."""
    record_id: str = sandbox.add(facts.name, facts.sort | fields)["_id"]
    return record_id


def ids(listed: Any) -> list[str]:
    return [one.id for one in listed]


def test_its_models_are_planhats() -> None:
    """It has twenty of them."""
    assert len(CLASSES) == 20
    assert set(CLASSES) <= set(KINDS)
    assert all(KINDS[kind].path == cls.API_NAME for kind, cls in CLASSES.items())


# One object


@each("create", "get", "update", "delete")
async def test_one_by_one(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """An object is created, found, changed and deleted; what was sent comes back."""
    cls, sent, before = CLASSES[facts.kind], row(facts), sandbox.records(facts.name)
    text = next(iter(changed(facts)))

    def calls() -> None:
        created = robot.create_object(cls(sent))
        assert dict(created) == dict(created) | sent
        assert created.API_NAME == cls.API_NAME  # it does not tell notes and conversations apart
        found = robot.get_object_by_id(cls, created.id)
        assert dict(found) == dict(found) | sent | {"_id": created.id}
        created[text] = "changed"
        assert robot.update_object(created)[text] == "changed"
        assert robot.delete_planhat_object(created).ok
        with pytest.raises(PlanhatNotFoundError):
            robot.get_object_by_id(cls, created.id)

    await use(calls)
    assert sandbox.records(facts.name) == before


@each("get", "update")
async def test_it_finds_by_any_documented_key(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It gets and changes by three kinds of key; those that the model's page does not name are not found."""
    cls, text = CLASSES[facts.kind], next(iter(changed(facts)))
    record_id = add(sandbox, facts, **dict.fromkeys(("sourceId", "externalId", "extId"), "key"))
    keys = {"_id": record_id, "srcid": "key", "extid": "key"}

    def gets(kind: str) -> bool:
        return bool(robot.get_object_by_id(cls, keys[kind], KEY_KINDS[kind]).id == record_id)

    def updates(kind: str) -> bool:
        return bool(robot.update_object(cls({KEY_FIELDS.get(kind, kind): keys[kind], text: kind}))[text] == kind)

    more = MORE_KEYS.get(facts.kind, set()) | ({"extid"} if facts.kind == "note" else set())
    assert await use(found_by, gets) == set(facts.known["get_keys"]) | more
    assert await use(found_by, updates) == set(facts.known["update_keys"]) | more


def found_by(call: Callable[[str], bool]) -> set[str]:
    """The kinds of key by which a call succeeds; by the others it finds nothing."""
    found = set()
    for kind in KEY_KINDS:
        try:
            assert call(kind)
        except PlanhatNotFoundError:
            continue
        found.add(kind)
    return found


@each("delete")
async def test_it_deletes_by_the_id_only(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It would take any key of the object, but only the `_id` is documented."""
    cls, record_id = CLASSES[facts.kind], add(sandbox, facts, sourceId="key", externalId="key", extId="key")

    def calls() -> None:
        for field in KEY_FIELDS.values():
            with pytest.raises(PlanhatNotFoundError):
                robot.delete_planhat_object(cls({field: "key"}))
        assert robot.delete_planhat_object(cls({"_id": record_id})).ok

    await use(calls)


async def test_a_ticket_is_not_created_alone(robot: Any) -> None:
    """Tickets have no call for that."""
    with pytest.raises(PlanhatHTTPError, match="POST is not allowed"):
        await use(robot.create_object, types.Ticket(row(KINDS["ticket"])))


async def test_its_name_of_the_company(robot: Any) -> None:
    """It names the company of every model `companyId`, that of invoices and NPS answers as well."""
    with pytest.raises(PlanhatHTTPError, match="cId is required"):
        await use(robot.create_object, types.Invoice(external_id="7", company_id=ACME.company_id))
    sent = types.NPS({"email": "a@b.c", "score": 9}, company_id=ACME.company_id)
    answer = await use(robot.create_object, sent)
    assert answer.company_id == ""


# Bulk upserts


@each("bulk")
async def test_in_bulk(robot: Any, facts: Facts) -> None:
    """Objects are created, listed and changed by their `_id`."""
    cls, sent = CLASSES[facts.kind], rows(facts, 3)

    def calls() -> None:
        assert robot.update_objects(made(facts, *sent))["created"] == 3
        listed = robot.get_objects(cls)[:3]
        assert all(dict(one) == dict(one) | own for one, own in zip(listed, shown(facts, sent[::-1]), strict=True))
        answer = robot.update_objects(made(facts, *({"_id": one.id} | changed(facts) for one in listed)))
        assert (answer["created"], answer["updated"]) == (0, 3)

    await use(calls)


def shown(facts: Facts, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fields of each row that a list shows without a selection."""
    listed = facts.known["list"].get("default_fields")
    return sent if listed is None else [{name: one[name] for name in one if name in listed} for one in sent]


@each("bulk")
@pytest.mark.parametrize("choices", [Choices(), Choices(undocumented_keys_match=True)], ids=["documented", "any_key"])
async def test_it_expects_all_keys_to_match(robot: Any, facts: Facts, choices: Choices) -> None:
    """It says that objects are known by any of three keys: by those that the model's pages name, or by a switch."""
    documented = set(facts.known["bulk_keys"])
    maybe = {"sourceId", "externalId"} if choices.undocumented_keys_match and facts.kind != "opportunity" else set()

    def matched() -> set[str]:
        robot.update_objects(made(facts, row(facts)))
        changes = {field: changed(facts, field) | {field: "key-1"} for field in own_keys(facts)}
        return {field for field in changes if is_updated(robot, made(facts, changes[field]))}

    assert await use(matched) == (documented | maybe) & set(own_keys(facts))


def is_updated(robot: Any, objects: Any) -> bool:
    """Whether an upsert changes an object; otherwise it is refused, or creates one."""
    try:
        return bool(robot.update_objects(objects)["updated"])
    except PlanhatHTTPError:
        return False


@each("bulk")
async def test_refused_objects(robot: Any, facts: Facts) -> None:
    """The answer to a list that is refused in part is a result like any other."""
    refused = row(facts, 2) | ({"companyId": "extid-nobody"} if facts.kind == "ticket" else {"custom": "no object"})
    answer = await use(robot.update_objects, made(facts, row(facts), refused))
    assert (answer["created"], len(answer["createdErrors"])) == (1, 1)


async def test_a_list_that_is_refused_as_a_whole(robot: Any) -> None:
    """That raises, with the lists of errors in its message only."""
    with pytest.raises(PlanhatHTTPError, match=r"createdErrors.*companyId is required"):
        await use(robot.update_objects, made(KINDS["task"], {"action": "no company"}))


async def test_custom_fields_have_no_bulk_upsert(robot: Any) -> None:
    """Planhat documents none."""
    facts = KINDS["custom_field"]
    with pytest.raises(PlanhatHTTPError, match="PUT is not allowed"):
        await use(robot.update_objects, made(facts, row(facts)))


@pytest.mark.slow
async def test_more_than_one_call(sandbox: Sandbox, robot: Any) -> None:
    """It sends 5,000 objects in a call, and fails after the last one."""
    facts = KINDS["sale"]
    with pytest.raises(ValueError, match="no set type"):
        await use(robot.update_objects, made(facts, *rows(facts, 5_001)))
    assert [request.n_rows for request in sandbox.requests] == [5_000, 1]
    assert len(sandbox.records("sales")) == 5_001


# Lists


@each("list")
async def test_it_lists_every_page(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It goes on until a page is shorter than it asked for, and finds an object of the list by its keys."""
    expected = [add(sandbox, facts, sourceId=str(number)) for number in range(3)][::-1]
    listed = await use(robot.get_objects, CLASSES[facts.kind])
    assert ids(listed)[:3] == expected
    assert listed.find_by_id(expected[0]).id == expected[0]
    assert sandbox.requests[-1].query == {"limit": "5000" if facts.kind == "company" else "2000", "offset": "0"}


@pytest.mark.slow
@each("list")
async def test_it_lists_more_than_a_page(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """Its limit is one that every model gives."""
    n_records = 5_001 if facts.kind == "company" else 2_001
    expected = [add(sandbox, facts) for _ in range(n_records)]
    assert set(ids(await use(robot.get_objects, CLASSES[facts.kind]))) >= set(expected)
    assert len(sandbox.requests) == 2


@each("list")
async def test_a_selection(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It asks for properties by their names; its word for all of them is none of Planhat's."""
    text = next(iter(changed(facts)))
    add(sandbox, facts, **changed(facts))
    cls = CLASSES[facts.kind]
    assert (await use(robot.get_objects, cls, properties=[text]))[0].keys() == {"_id", text}
    assert (await use(robot.get_objects, cls, properties="ALL"))[0].keys() == {"_id"}


@each("list")
async def test_the_objects_of_companies(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It asks for one company or several, of every model; those of a model without such a filter are all."""
    field = company_field(facts)
    found = [add(sandbox, facts, **_of(facts, company)) for company in (OTHER.company_id, ACME.company_id)][::-1]
    cls, is_many = CLASSES[facts.kind], takes_many(facts)
    assert ids(await use(robot.get_objects, cls, company_ids=ACME.company_id)) == (found[:1] if field else found)
    several = await use(robot.get_objects, cls, company_ids=[ACME.company_id, OTHER.company_id])
    assert set(ids(several)) == (set(found) if is_many or not field else set())


def _of(facts: Facts, company: str) -> dict[str, Any]:
    """The fields by which a record is a company's."""
    field = company_field(facts)
    if field is None:
        return {}
    return {field: [company] if field == "companyIds" else company}


def takes_many(facts: Facts) -> bool:
    """Whether the documentation of the list has several companies."""
    return any(one["name"] == "companyId" and one["many"] for one in facts.known["list"]["filters"])


@each("list")
async def test_the_objects_of_a_company_from_its_cache(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It picks them from what it has listed; of models that it gives no company it cannot."""
    found = [add(sandbox, facts, **_of(facts, company)) for company in (OTHER.company_id, ACME.company_id)]
    robot.use_caching = True
    cls = CLASSES[facts.kind]
    call = use(robot.get_objects, cls, company_ids=ACME.company_id)
    if issubclass(cls, types.PlanhatCompanyOwnedObject | types.Company):
        assert ids(await call) == found[1:]
        assert len(sandbox.requests) == 1
    else:
        with pytest.raises(AttributeError, match="company_id"):
            await call


@each("get", "list")
async def test_an_object_from_its_cache(sandbox: Sandbox, robot: Any, facts: Facts) -> None:
    """It lists all objects once, finds those by any key of theirs, and asks for the others."""
    record_id = add(sandbox, facts, sourceId="key", externalId="key", extId="key")
    robot.use_caching = True
    cls = CLASSES[facts.kind]
    for kind, key in {"_id": record_id, "srcid": "key"}.items():
        if kind == "_id" or facts.kind != "user":  # the list of users has no `sourceId`
            assert (await use(robot.get_object_by_id, cls, key, KEY_KINDS[kind])).id == record_id
    with pytest.raises(PlanhatNotFoundError):
        await use(robot.get_object_by_id, cls, "f" * 24)
    assert [request.path.count("/") for request in sandbox.requests] == [1, 2]


async def test_many_companies_are_asked_for_in_parts(sandbox: Sandbox, robot: Any) -> None:
    """A list of companies that would make the URL too long becomes several lists."""
    companies = [sandbox.add("companies", {"name": str(number)})["_id"] for number in range(100)]
    assert set(ids(await use(robot.get_objects, types.Company, company_ids=companies))) == set(companies)
    assert len(sandbox.requests) == 2


async def test_all_companies_and_those_that_are_missing(robot: Any) -> None:
    """The lean list is all of them; an object is missing if none of its keys is in the list."""
    listed = await use(robot.list_all_companies)
    assert {one.name for one in listed} == {"Acme", "Other"}
    sought = types.Company.from_list([{"externalId": "acme"}, {"externalId": "nobody"}])
    assert [one.external_id for one in await use(robot.find_missing_objects, sought)] == ["nobody"]


# The analytics host


async def test_activities(sandbox: Sandbox, robot: Any) -> None:
    """One by one and in bulk, as they were sent."""
    sent = [{"email": f"ada-{number}@acme.example", "action": "login"} for number in range(3)]
    assert (await use(robot.session.create_analytics, sent[0])).ok
    assert (await use(robot.session.create_bulk_activities, sent[1:])).ok
    assert sandbox.activities == sent
