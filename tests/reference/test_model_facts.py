"""The client does what is documented of every model; the facts are in `tests/data/models.json`.

Where the facts and the examples disagree, or two pages, the client does as follows:

| model                | fact                               | the client                                            |
|----------------------|------------------------------------|-------------------------------------------------------|
| note                 | updates are by `_id`               | by external and source id too: another page has them  |
| note                 | a new one needs `type`             | sends `note` if the caller gives none                 |
| note                 | a new one needs `companyId`        | or `companyExternalId`, which the table of fields has |
| ticket               | a bulk upsert needs `sourceId`     | or `_id`: such a row changes a ticket that exists     |
| asset, company,      | the answer to an update is the     | expects the record from both calls                    |
| conversation,        | record, that to a creation is      |                                                       |
| enduser, license,    | unknown                            |                                                       |
| opportunity, project |                                    |                                                       |
| deal, nps, ticket,   | whether `companyId` takes `extid-` | refuses them                                          |
| time entry           | and `srcid-` is unknown            |                                                       |

What is said of fields stands in `test_model_fields.py`. Calls, paths and keys of deals, line items, products and
workflows are known from another client only; they are tested all the same.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from each_model import one_list
from model_facts import FACTS, MODELS, SURE, Facts

from planhat_async import DecodeError, Outcome
from planhat_async._convert import fields_of
from planhat_async.models import ALL
from planhat_async.records import IdFilter
from reference.conftest import Serve
from reference.page_server import ID, OTHER_ID, Call, PageServer, Said, always, in_turn, listing, says
from reference.test_documented_bodies import DATA

REPOSITORIES: dict[str, Any] = {one.model.record.__module__.rpartition(".")[2]: one for one in ALL}
"""By the names that the facts have."""
MORE_KEYS = {("note", "update"): {"extid", "srcid"}}
MORE_NEEDS = {
    ("note", "companyId"): ["companyExternalId"],
    ("ticket", "sourceId"): ["_id"],
}
"""Fields that do as well as one that is needed."""
FILLED_IN = {("note", "type"): "note"}
METHODS = {
    "create": ["create"],
    "get": ["get", "get_many"],
    "update": ["update"],
    "delete": ["delete", "delete_many"],
    "list": ["page", "iter", "iter_json", "pages", "all", "arrow_batches", "to_arrow"],
    "bulk": ["upsert_many", "upsert_chunks", "upserting"],
    "duplicate": ["duplicate"],
}
VALUES: dict[str, list[Any]] = {
    "objectId": [ID, OTHER_ID],
    "string": ["x", "y"],
    "boolean": [True],
    "day-string": ["2024-05-31"],
    "integer": [30],
}
"""Values of filters, by the documented type."""

every_model = pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.kind)


def with_call(*calls: str) -> pytest.MarkDecorator:
    """Run a test with the facts on each model that has all of these calls."""
    found = [facts for facts in MODELS if all(facts.has(call) for call in calls)]
    return pytest.mark.parametrize("facts", found, ids=lambda facts: facts.kind)


def called(facts: Facts, name: str) -> str:
    """The attribute of a field, as messages call it."""
    return next(field.name for field in fields_of(REPOSITORIES[facts.kind].model.record).values() if field.wire == name)


def agreeable(call: Call) -> Said:
    """An answer that says yes to any call."""
    if call.method == "GET" and call.path.count("/") == 1:
        return says([])
    if call.method == "PUT" and call.path.count("/") == 1:
        return says({"created": len(call.sent), "updated": 0, "nonupdates": 0})
    return says({"_id": ID})


def calls_of(repository: Any, facts: Facts, key: str = ID) -> dict[str, tuple[str, Callable[[], Awaitable[Any]]]]:
    """The first line of each call's request, and the call."""
    path = f"/{facts.path}"
    return {
        "create": (f"POST {path}", lambda: repository.create(facts.good())),
        "get": (f"GET {path}/{key}", lambda: repository.get(key)),
        "update": (f"PUT {path}/{key}", lambda: repository.update(key, facts.change())),
        "delete": (f"DELETE {path}/{key}", lambda: repository.delete(key)),
        "list": (f"GET {path}", repository.page),
        "bulk": (f"PUT {path}", lambda: repository.upsert_many([facts.good("bulk")])),
        "duplicate": (f"POST {path}/duplicate", lambda: repository.duplicate([key])),
    }


# Calls


def test_every_model_is_there() -> None:
    """The client has those that the facts have, and no other."""
    assert sorted(REPOSITORIES) == sorted(FACTS)


@every_model
def test_only_calls_that_exist_are_there(facts: Facts) -> None:
    """A repository has no method for any other."""
    repository = REPOSITORIES[facts.kind]
    for call, methods in METHODS.items():
        assert [hasattr(repository, method) for method in methods] == [facts.has(call)] * len(methods), call


@every_model
async def test_each_call_has_its_path(page_server: Serve, facts: Facts) -> None:
    """And its method; the path holds the key, and nothing else."""
    planhat = await page_server(agreeable)
    calls = calls_of(REPOSITORIES[facts.kind](planhat.session), facts)
    expected = []
    for name, (line, call) in calls.items():
        if facts.has(name):
            await call()
            expected.append(line)
    assert planhat.lines == expected


@pytest.mark.parametrize("call", ["get", "update", "delete"])
@every_model
async def test_keys_in_paths(page_server: Serve, facts: Facts, call: str) -> None:
    """Each documented kind is sent as it is, any other is refused before sending."""
    if not facts.has(call):
        return
    planhat = await page_server(agreeable)
    taken = {*facts.known[f"{call}_keys"], *MORE_KEYS.get((facts.kind, call), set())}
    for kind in ("_id", "extid", "srcid"):
        planhat.calls.clear()
        key = ID if kind == "_id" else f"{kind}-own"
        line, make = calls_of(REPOSITORIES[facts.kind](planhat.session), facts, key)[call]
        if kind in taken:
            await make()
        else:
            with pytest.raises(ValueError, match="is not an _id"):
                await make()
        assert planhat.lines == ([line] if kind in taken else []), kind


@with_call("duplicate")
async def test_a_documented_duplication_is_sent_as_it_stands(page_server: Serve, facts: Facts) -> None:
    """Its answer is not documented; that of a bulk upsert names the copies."""
    body = json.loads((DATA / facts.known["examples"]["duplicate"]["request"]).read_text())
    planhat = await page_server(always({"created": 1, "upsertedIds": [ID]}))
    assert await REPOSITORIES[facts.kind](planhat.session).duplicate(body["ids"]) == (ID,)
    assert planhat.calls[0].sent == body


# Lists


@pytest.mark.parametrize("facts", [one for one in MODELS if one.known["list"]["max"]], ids=lambda facts: facts.kind)
async def test_the_largest_page(page_server: Serve, facts: Facts) -> None:
    """It is what a page asks for, and more is never asked for."""
    most = facts.known["list"]["max"]
    planhat = await page_server(agreeable)
    repository = REPOSITORIES[facts.kind](planhat.session)
    await repository.page()
    await repository.page(limit=most + 1)
    await repository.all(page_size=most + 1)
    assert {call.asked("limit") for call in planhat.calls} == {str(most)}


@pytest.mark.parametrize("facts", [one for one in MODELS if one.mark("list.default") in SURE], ids=lambda one: one.kind)
async def test_the_default_page(page_server: Serve, facts: Facts) -> None:
    """A server that ignores `limit` gives so many: fewer are the end of a list, and as many are not."""
    repository, default = REPOSITORIES[facts.kind], facts.known["list"]["default"]
    if default is None:  # the whole list at once
        planhat = await page_server(always([{"_id": ID}]))
        assert len(await repository(planhat.session).all()) == 1
        assert [call.query for call in planhat.calls] == [()]
        return
    rows = [{"_id": f"{number:024x}", "type": "note"} for number in range(default)]
    for n_rows in (default - 1, default):
        planhat = await page_server(listing(rows[:n_rows], default=default, most=default))
        assert len(await repository(planhat.session).all(**one_list(repository))) == n_rows
        assert (len(planhat.calls) == 1) == (n_rows < default)


@every_model
def test_only_documented_filters_are_sent(facts: Facts) -> None:
    """Planhat ignores an unknown parameter, so a filter of another client's may list everything."""
    documented = {one["name"] for one in facts.known["list"]["filters"] if one["mark"] in SURE}
    sent = {getattr(one, "wire", None) for one in REPOSITORIES[facts.kind].model.filters}
    assert sent - {None} == documented


def _filters() -> list[Any]:
    return [
        pytest.param(facts, one, id=f"{facts.kind}-{one['name']}")
        for facts in MODELS
        for one in facts.known["list"]["filters"]
        if one["mark"] in SURE
    ]


@pytest.mark.parametrize(("facts", "documented"), _filters())
async def test_a_filter_has_its_documented_name(page_server: Serve, facts: Facts, documented: dict[str, Any]) -> None:
    """Every call of a listing has it, with the value as Planhat spells it."""
    model = REPOSITORIES[facts.kind].model
    (option,) = [one.option for one in model.filters if getattr(one, "wire", None) == documented["name"]]
    value = VALUES[documented["type"]][0]
    planhat = await page_server(agreeable)
    await REPOSITORIES[facts.kind](planhat.session).all(**{option: value})
    expected = {True: "true"}.get(value, str(value))
    assert {call.asked(documented["name"]) for call in planhat.calls} == {expected}


@pytest.mark.parametrize(
    ("facts", "documented"), [one for one in _filters() if one.values[1]["type"] in {"objectId", "string"}]
)
async def test_several_values_travel_together_only_where_documented(
    page_server: Serve, facts: Facts, documented: dict[str, Any]
) -> None:
    """Joined by commas; else several ids are a list each, more than a page can hold, and several texts are refused."""
    (one,) = [one for one in REPOSITORIES[facts.kind].model.filters if getattr(one, "wire", None) == documented["name"]]
    values, planhat = VALUES[documented["type"]], await page_server(agreeable)
    repository = REPOSITORIES[facts.kind](planhat.session)
    if documented["many"]:
        await repository.page(**{one.option: values})
        assert [call.asked(documented["name"]) for call in planhat.calls] == [",".join(values)]
        return
    with pytest.raises(ValueError if isinstance(one, IdFilter) else TypeError, match=r"too many ids|must be text"):
        await repository.page(**{one.option: values})
    assert planhat.calls == []
    if isinstance(one, IdFilter):
        await repository.all(**{one.option: values})
        assert [call.asked(documented["name"]) for call in planhat.calls] == values


# Needs


def needs(facts: Facts, call: str) -> list[list[str]]:
    """Groups of fields of which a new record needs one each."""
    groups = [
        [name for one in group for name in (one, *MORE_NEEDS.get((facts.kind, one), []))]
        for group in facts.groups(call)
    ]
    return [group for group in groups if (facts.kind, group[0]) not in FILLED_IN]


@with_call("create")
async def test_what_a_creation_needs(page_server: Serve, facts: Facts) -> None:
    """One field of each group is enough; without any it is refused by name, and nothing is sent."""
    planhat = await page_server(agreeable)
    repository, good = REPOSITORIES[facts.kind](planhat.session), facts.good()
    await repository.create(good)
    assert planhat.calls.pop().sent == good
    for group in needs(facts, "create"):
        lacking = {name: value for name, value in good.items() if name not in group}
        with pytest.raises(ValueError, match="required") as caught:
            await repository.create(lacking)
        assert [name for name in group if called(facts, name) not in str(caught.value)] == []
        assert planhat.calls == []
        for name in {*group} & good.keys():
            row = lacking | {name: good[name]}
            if all({*other} & row.keys() for other in needs(facts, "create")):
                await repository.create(row)
                planhat.calls.clear()


@with_call("bulk")
async def test_what_a_new_row_of_a_bulk_upsert_needs(page_server: Serve, facts: Facts) -> None:
    """Without it a row is invalid by name, and not sent; one with a key is sent, for it may change a record."""
    planhat = await page_server(agreeable)
    repository, good = REPOSITORIES[facts.kind](planhat.session), facts.good("bulk")
    assert (await repository.upsert_many([good])).invalid == 0
    assert planhat.calls.pop().sent == [good]
    for group in needs(facts, "bulk"):
        lacking = {name: value for name, value in good.items() if name not in group}
        is_keyed = bool({*facts.known["bulk_keys"]} & lacking.keys())
        result = await repository.upsert_many([lacking])
        assert (result.invalid, len(planhat.calls)) == ((0, 1) if is_keyed else (1, 0)), group
        for problem in result.problems if not is_keyed else []:
            assert [name for name in group if called(facts, name) not in problem.reason] == []
        planhat.calls.clear()


@pytest.mark.parametrize("call", ["create", "bulk"])
@every_model
async def test_zero_is_a_value(page_server: Serve, facts: Facts, call: str) -> None:
    """A score of 0 is the lowest, and a sale may be worth nothing: neither is missing."""
    if not facts.has(call):
        return
    planhat, good = await page_server(agreeable), facts.good(call)
    numbers = {name for name in good if facts.known["fields"][name]["type"] in {"number", "integer", "day"}}
    repository = REPOSITORIES[facts.kind](planhat.session)
    row = good | dict.fromkeys(numbers, 0)
    await (repository.create(row) if call == "create" else repository.upsert_many([row]))
    assert planhat.calls[0].sent == (row if call == "create" else [row])


@pytest.mark.parametrize(
    ("facts", "name"), [(one, name) for one in MODELS for kind, name in FILLED_IN if one.kind == kind]
)
async def test_what_is_filled_in(page_server: Serve, facts: Facts, name: str) -> None:
    """A new record has it whether or not the caller gives it."""
    planhat = await page_server(agreeable)
    repository = REPOSITORIES[facts.kind](planhat.session)
    row = {key: value for key, value in facts.good().items() if key != name}
    await repository.create(row)
    await repository.upsert_many([row])
    filled_in = row | {name: FILLED_IN[facts.kind, name]}
    assert [call.sent for call in planhat.calls] == [filled_in, [filled_in]]


@every_model
async def test_how_a_company_is_named(page_server: Serve, facts: Facts) -> None:
    """By its `_id`, and by its other keys where that is documented; else such a row is not sent."""
    field = facts.known["company_field"]
    if field is None or not facts.has("bulk"):
        return
    planhat = await page_server(agreeable)
    repository = REPOSITORIES[facts.kind](planhat.session)
    takes_prefixes = facts.known["company_field_takes_prefix"] in SURE
    for key, is_taken in [(ID, True), ("extid-own", takes_prefixes), ("srcid-own", takes_prefixes), ("own", False)]:
        row = facts.good("bulk") | {field: [key] if facts.known["fields"][field]["type"] == "array" else key}
        assert (await repository.upsert_many([row])).invalid == (not is_taken), key
        assert [call.sent for call in planhat.calls] == [[row]] * is_taken
        planhat.calls.clear()


# Bulk upserts


@with_call("bulk")
async def test_rows_with_a_documented_key_are_sent_again(page_server: Serve, facts: Facts) -> None:
    """They match a record, so sending them twice makes no second one."""
    for name in facts.known["bulk_keys"]:
        planhat = await page_server(in_turn(says("", 503), says({"created": 0, "updated": 1, "nonupdates": 0})))
        row = facts.change() | {name: {"_id": ID, "email": "own@acme.example"}.get(name, "own")}
        result = await REPOSITORIES[facts.kind](planhat.session).upsert_many([row])
        assert (result.updated, len(planhat.calls)) == (1, 2), name


@with_call("bulk")
async def test_rows_without_a_documented_key_are_not_sent_again(page_server: Serve, facts: Facts) -> None:
    """Each may have been created, also one with an id that is not known to match."""
    own = {"externalId", "extId", "sourceId"}.intersection(facts.writable()).difference(facts.known["bulk_keys"])
    good = facts.good("bulk")
    if {*facts.known["bulk_keys"]} & good.keys():
        return
    for name in (None, *own):
        planhat = await page_server(in_turn(says("", 503), says({"created": 1, "updated": 0, "nonupdates": 0})))
        row = good | facts.change() | ({} if name is None else {name: "own"})
        result = await REPOSITORIES[facts.kind](planhat.session).upsert_many([row])
        assert (result.unknown, len(planhat.calls)) == (1, 1), name


@with_call("bulk")
async def test_a_row_is_called_by_the_key_that_planhat_tries_first(page_server: Serve, facts: Facts) -> None:
    """In the documented order."""
    planhat = await page_server(always({"created": 0, "updated": 0, "nonupdates": 0}))
    repository = REPOSITORIES[facts.kind](planhat.session)
    special = {"_id": ID, "email": "own@acme.example"}
    keys = {name: special.get(name, f"own {name}") for name in facts.known["bulk_keys"]}
    while keys:
        result = await repository.upsert_many([facts.change() | dict(reversed(keys.items()))])
        assert [problem.key for problem in result.problems] == [next(iter(keys.values()))]
        del keys[next(iter(keys))]


@with_call("bulk")
async def test_the_largest_bulk_upsert(page_server: Serve, facts: Facts) -> None:
    """A chunk holds so many rows, and no more can be asked for."""
    planhat, most = await page_server(agreeable), facts.known["bulk_max"]
    repository = REPOSITORIES[facts.kind](planhat.session)
    with pytest.raises(ValueError, match="chunk_size"):
        await repository.upsert_many([], chunk_size=most + 1)
    await repository.upsert_many([{"_id": f"{number:024x}", **facts.change()} for number in range(most + 1)])
    assert sorted(len(call.sent) for call in planhat.calls) == [1, most]


@with_call("bulk")
async def test_a_number_as_external_id_is_sent_as_text(page_server: Serve, facts: Facts) -> None:
    """Planhat answers it as text, and a row is recognised by what is answered."""
    field, planhat = facts.known["external_id_field"], await page_server(agreeable)
    if field is not None:
        await REPOSITORIES[facts.kind](planhat.session).upsert_many([facts.good("bulk") | {field: 1234}])
        assert planhat.calls[0].sent[0][field] == "1234"


# Answers


@pytest.mark.parametrize("call", ["create", "update"])
@with_call("create", "update")
async def test_a_record_in_an_answer_is_returned(page_server: Serve, facts: Facts, call: str) -> None:
    """Whether or not it is documented that the record is answered."""
    planhat = await page_server(always({"_id": OTHER_ID, **facts.change()}))
    _, make = calls_of(REPOSITORIES[facts.kind](planhat.session), facts)[call]
    record = await make()
    ((name, value),) = facts.change().items()
    assert (record.id, getattr(record, called(facts, name))) == (OTHER_ID, value)


@pytest.mark.parametrize("body", ["", "OK", {"ok": 1}], ids=str)
@pytest.mark.parametrize("call", ["create", "update"])
@with_call("create", "update")
async def test_an_answer_without_a_record(page_server: Serve, facts: Facts, call: str, body: Any) -> None:
    """It is a success, and what was sent is returned, where no answer of the model's is documented; else an error."""
    planhat = await page_server(always(body))
    _, make = calls_of(REPOSITORIES[facts.kind](planhat.session), facts)[call]
    if any(facts.known[f"{one}_answer"]["mark"] in SURE for one in ("create", "update")):
        with pytest.raises(DecodeError):
            await make()
    else:
        record = await make()
        sent = facts.good() if call == "create" else facts.change()
        assert {name: getattr(record, called(facts, name)) for name in sent if name != "date"} == sent


@pytest.mark.parametrize(
    ("body", "was_there"),
    [
        ({"_id": ID}, True),
        ({"n": 1, "ok": 1, "deletedCount": 1}, True),
        ({"n": 0, "ok": 1, "deletedCount": 0}, False),
        ("", True),
    ],
    ids=str,
)
@with_call("delete")
async def test_answers_to_deletions(page_server: Serve, facts: Facts, body: Any, *, was_there: bool) -> None:
    """The record or a count, as documented of some models; nothing documents which of them others answer."""
    planhat = await page_server(always(body))
    assert await REPOSITORIES[facts.kind](planhat.session).delete_many([ID]) == [was_there]


@with_call("bulk")
async def test_answers_to_bulk_upserts(page_server: Serve, facts: Facts) -> None:
    """Every documented key, with a row of each outcome."""
    keys = facts.known["bulk_answer"]["keys"]
    full: dict[str, Any] = {
        "created": 1,
        "insertsKeys": [{"_id": ID}],
        "upsertedIds": [ID],
        "updated": 1,
        "updatesKeys": [{"_id": f"{1:024x}"}],
        "modified": [f"{1:024x}"],
        "nonupdates": 1,
        "updatedErrors": [{"_id": f"{3:024x}", "error": "Not valid type"}],
    }
    answer = {key: full.get(key, []) for key in keys}
    n_rows = 2 + ("nonupdates" in keys) + ("updatedErrors" in keys)
    planhat: PageServer = await page_server(always(answer))
    rows = [{"_id": f"{number:024x}", **facts.change()} for number in range(n_rows)]
    result = await REPOSITORIES[facts.kind](planhat.session).upsert_many(rows)
    assert (result.created, result.updated) == (1, 1)
    assert (result.unchanged, result.rejected) == (("nonupdates" in keys), ("updatedErrors" in keys))
    assert result.rows == n_rows
    assert [(one.outcome, one.position) for one in result.problems] == [(Outcome.REJECTED, 3)] * result.rejected
