"""Test that the sandbox follows the documented facts of every model, which are in `tests/data/models.json`."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from model_facts import FACTS, MODELS, MORE_KEYS, SURE, Facts
from sandbox_door import ACME, NOW, Answer, Door

from planhat_async.sandbox import Choices
from planhat_async.sandbox.models import ALL, Rules
from planhat_async.sandbox.times import at, written

COMPUTED = {
    "invoice": {"lineItems"},
    "line_item": {"arr", "mrr"},
    "ticket": {"type"},
    "time_entry": {"date"},
    "timesheet": {"timeEntries"},
}
"""Fields whose returned values differ from those sent."""
_RULES = {rules.name: rules for rules in ALL}
_FALSE, _GONE = {404, 405}, {404}

every_model = pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.kind)


def _rules(facts: Facts) -> Rules:
    return _RULES[facts.name]


def _with_call(*calls: str) -> pytest.MarkDecorator:
    found = [facts for facts in MODELS if all(facts.has(call) for call in calls)]
    return pytest.mark.parametrize("facts", found, ids=lambda facts: facts.kind)


def _door(**choices: Any) -> Door:
    return Door(choices=Choices(**choices))


def _add(planhat: Door, facts: Facts, **fields: Any) -> str:
    return planhat.add(facts.name, **facts.sort, **fields)


@every_model
def test_a_model_has_a_path(facts: Facts) -> None:
    """Its list exists and is empty."""
    assert Door()("GET", facts.path) == Answer(200, [])


def test_every_model_exists() -> None:
    """The sandbox has each model of the facts."""
    assert [facts.kind for facts in MODELS] == list(FACTS)


@every_model
def test_only_documented_calls_exist(facts: Facts) -> None:
    """The answer to any other call is a 404 or 405."""
    planhat = Door()
    key = _add(planhat, facts)
    calls = {
        "create": ("POST", facts.path),
        "get": ("GET", f"{facts.path}/{key}"),
        "update": ("PUT", f"{facts.path}/{key}"),
        "bulk": ("PUT", facts.path),
        "delete": ("DELETE", f"{facts.path}/{key}"),
    }
    shared = {"create", "get", "update"} if facts.path == "conversations" else set()
    for call, (method, path) in calls.items():
        status = planhat(method, path, [] if call == "bulk" else {}).status
        assert (status not in _FALSE) == (facts.has(call) or call in shared), call


@every_model
def test_the_limits_of_a_page(facts: Facts) -> None:
    """The default applies without a `limit`, the maximum above it; if they are unknown, 100 and 2,000."""
    limits = facts.known["list"]
    if not _rules(facts).is_paged:
        assert limits["default"] is limits["max"] is None
        return
    default, most = limits["default"] or 100, limits["max"] or 2_000
    planhat = Door()
    collection = planhat.api.state.collection(_rules(facts))
    for number in range(most + 1):
        collection.insert({"_id": f"{number:024x}", **facts.sort})
    assert [len(planhat.ids(facts.path, **query)) for query in ({}, {"limit": "99999"})] == [default, most]


@pytest.mark.parametrize("call", ["get", "update", "delete"])
@every_model
def test_keys_in_paths(facts: Facts, call: str) -> None:
    """Each documented kind finds the record, other kinds find none."""
    if not facts.has(call):
        return
    method = {"get": "GET", "update": "PUT", "delete": "DELETE"}[call]
    documented = set(facts.known[f"{call}_keys"])
    for kind in ("_id", "extid", "srcid"):
        planhat = Door()
        field = facts.key(kind)
        key = _add(planhat, facts, **({} if field in (None, "_id") else {field: "own"}))
        status = planhat(method, f"{facts.path}/{key if kind == '_id' else f'{kind}-own'}", {}).status
        if kind in documented:
            assert status == 200, kind
        elif call == "delete" or kind not in MORE_KEYS.get(facts.kind, set()):
            assert status == 404, kind


@_with_call("bulk")
def test_keys_of_bulk_upserts(facts: Facts) -> None:
    """Each matches a record; if a row names two records, the first key decides."""
    keys = facts.known["bulk_keys"]
    rules = _rules(facts)
    stored = dict(rules.match)
    assert list(stored) == keys
    planhat = Door()
    for name in keys[1:]:
        _add(planhat, facts, **{stored[name]: f"own {name}"})
        answer = planhat("PUT", facts.path, [{name: f"own {name}", **facts.change()}]).body
        assert (answer["created"], answer["updated"]) == (0, 1), name
    for first, second in [pair for pair in permutations(keys, 2) if keys.index(pair[0]) < keys.index(pair[1])]:
        planhat = Door()
        chosen = _add(planhat, facts, **({} if first == "_id" else {stored[first]: "first"}))
        other = _add(planhat, facts, **{stored[second]: "second"})
        named = chosen if first == "_id" else "first"
        planhat("PUT", facts.path, [{first: named, second: "second", **facts.change()}])
        marked = [one["_id"] for one in planhat.api.state.records(rules.name) if facts.change().items() <= one.items()]
        assert marked in ([chosen], []), (first, second)
        assert other not in marked


@_with_call("bulk")
def test_keys_that_may_match(facts: Facts) -> None:
    """Planhat does not document whether they do: a choice decides."""
    for name in facts.known.get("bulk_keys_maybe", []):
        for does_match in (False, True):
            planhat = _door(undocumented_keys_match=does_match)
            key = _add(planhat, facts, **{name: "own"})
            row = facts.good("bulk") | facts.sample(*facts.sort) | {name: "own"} | facts.change()
            answer = planhat("PUT", facts.path, [row | {"type": "note"}]).body
            updated = [record["_id"] for record in answer["updatesKeys"]]
            assert updated == ([key] if does_match else []), name


@every_model
def test_filters(facts: Facts) -> None:
    """The sandbox has exactly the documented filters."""
    documented = {one["name"] for one in facts.known["list"]["filters"] if one["mark"] in SURE}
    assert {one.parameter for one in _rules(facts).filters} == documented


@every_model
def test_the_filter_by_company(facts: Facts) -> None:
    """It accepts one company, or several if that is documented."""
    filters = {one["name"]: one["many"] for one in facts.known["list"]["filters"] if one["mark"] in SURE}
    if "companyId" not in filters:
        return
    planhat = Door()
    field = facts.known["company_field"] or "_id"
    in_list = field == "companyIds"
    keys = [_add(planhat, facts, **{field: [name] if in_list else name}) for name in "abc"]
    assert planhat.ids(facts.path, companyId="b") == [keys[1]]
    assert planhat.ids(facts.path, companyId="a,c") == ([keys[0], keys[2]] if filters["companyId"] else [])


def _case(*records: dict[str, Any], **listed: Any) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    return records, listed


_ago = {days: written(at(NOW - days * 86_400 - 1)) for days in (1, 359, 360, 500)}
_FILTER_CASES = {
    ("enduser", "archived"): _case({"archived": True}, {"archived": False}, {}, true=[0, 1, 2], none=[1, 2]),
    ("enduser", "email"): _case({"email": "a"}, {"email": "b"}, {"email": "a"}, a=[0, 2]),
    ("enduser", "euId"): _case({"_id": "a"}, {"_id": "b"}, b=[1]),
    ("nps", "npsExpiryDay"): (
        tuple({"dateAnswered": moment} for moment in _ago.values()),
        {"none": [0, 1], "400": [0, 1, 2], "99999": [0, 1, 2, 3]},
    ),
    ("churn", "downgrades"): _case({"isChurn": False}, {"isChurn": True}, {}, only=[0], excluded=[1, 2], x=[0, 1, 2]),
    ("churn", "from"): (({"churnDate": "2021-07-28"}, {"churnDate": "2021-07-29"}, {}), {"2021-07-29": [1]}),
    ("churn", "to"): (({"churnDate": "2021-07-29"}, {"churnDate": "2021-07-30"}, {}), {"2021-07-29": [0]}),
    ("lean_company", "externalId"): _case({"externalId": "a"}, {"externalId": "b"}, a=[0]),
    ("lean_company", "sourceId"): _case({"sourceId": "a"}, {"sourceId": "b"}, a=[0]),
    ("lean_company", "status"): (
        ({"status": "lost"}, {"status": "customer"}, {"status": "coming"}),
        {"lost": [0], "lost,coming": [0, 2]},
    ),
    ("task", "enduserIds"): (({"endusers": [{"id": "a"}]}, {"endusers": [{"id": "b"}]}), {"a": [0], "a,b": [0, 1]}),
    ("task", "isArchived"): _case({"isArchived": True}, {}, true=[0], none=[1]),
    ("ticket", "status"): _case({"status": "a"}, {"status": "b"}, a=[0]),
    ("ticket", "email"): _case({"email": "a"}, {"email": "b"}, a=[0]),
    ("ticket", "search"): _case({"snippet": "an a"}, {"snippet": "b"}, a=[0]),
}


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (facts, one["name"])
        for facts in MODELS
        for one in facts.known["list"]["filters"]
        if one["mark"] in SURE and one["name"] != "companyId"
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_other_filters(facts: Facts, name: str) -> None:
    """Each lists the expected records; `none` stands for a query without it."""
    records, listed = _FILTER_CASES[facts.kind, name]
    planhat = Door()
    keys = [_add(planhat, facts, **record) for record in records]
    for value, positions in listed.items():
        query = {} if value == "none" else {name: value}
        assert planhat.ids(facts.path, **query) == [keys[position] for position in positions], value


@_with_call("create")
def test_needs_of_creations(facts: Facts) -> None:
    """One field of each group suffices, and a group without any field is refused."""
    choices = {"conversations_need_type": facts.kind != "conversation"}
    _needs(facts, "create", choices, lambda planhat, row: planhat("POST", facts.path, row).status == 200)


@_with_call("bulk")
def test_needs_of_bulk_upserts(facts: Facts) -> None:
    """A row that creates a record requires the same, with an unmatched key or without one."""

    def is_created(planhat: Door, row: dict[str, Any]) -> bool:
        return bool(planhat("PUT", facts.path, [row]).body["created"] == 1)

    _needs(facts, "bulk", {"conversations_need_type": facts.kind != "conversation"}, is_created)
    key = next((name for name in ("sourceId", "externalId", "extId") if name in facts.writable()), None)
    needed = {name for group in facts.groups("bulk") for name in group}
    if key is not None and needed and key not in needed:
        planhat = Door()
        assert planhat("PUT", facts.path, [{key: "matches none"}]).body["created"] == 0


def _needs(facts: Facts, call: str, choices: dict[str, bool], is_created: Any) -> None:
    good = facts.good(call)
    assert is_created(_door(**choices), good)
    groups = facts.groups(call)
    for group in groups:
        for name in group:
            others = [other for other in group if other != name]
            poorer = {field: value for field, value in good.items() if field not in others}
            if all(any(field in poorer for field in one) for one in groups):
                assert is_created(_door(**choices), poorer), poorer
        planhat = _door(**choices)
        assert not is_created(planhat, {name: value for name, value in good.items() if name not in group}), group
        assert planhat.api.state.records(facts.name) == []


@_with_call("bulk")
def test_writable_fields_are_stored(facts: Facts) -> None:
    """They are stored unchanged, except a few that are computed; generated fields are not stored."""
    written_elsewhere = set(Facts("", FACTS["conversation"]).writable()) if facts.kind == "note" else set()
    read_only = {name: "written" for name in facts.read_only() if name not in written_elsewhere}
    sent = facts.good("bulk") | facts.sample(*facts.writable())
    planhat = Door()
    if facts.kind == "conversation":
        sent["type"] = "note"
    status, answer = _pair(planhat("PUT", facts.path, [sent | read_only]))
    assert (status, answer["created"]) == (200, 1)
    (stored,) = planhat.api.state.records(facts.name)
    expected = {name: value for name, value in sent.items() if name not in COMPUTED.get(facts.kind, set())}
    assert {name: stored.get(name) for name in expected} == expected
    assert sent.keys() <= stored.keys()
    assert [name for name in read_only if stored.get(name) == "written"] == []


def _pair(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body


@_with_call("create")
def test_a_creation_stores_the_same_fields(facts: Facts) -> None:
    """This covers the creation of a single record."""
    sent = facts.good() | facts.sample(*facts.writable()) | facts.sort
    if facts.kind == "conversation":
        sent["type"] = "note"
    answer = Door()("POST", facts.path, sent)
    assert answer.status == 200
    expected = {name: value for name, value in sent.items() if name not in COMPUTED.get(facts.kind, set())}
    assert {name: answer.body.get(name) for name in expected} == expected


@_with_call("bulk")
def test_the_largest_bulk_upsert(facts: Facts) -> None:
    """The maximum is 5,000 rows for every model."""
    assert facts.known["bulk_max"] == 5_000
    assert Door()("PUT", facts.path, [{}] * 5_001).status == 400


@_with_call("bulk")
def test_the_keys_of_a_bulk_answer(facts: Facts) -> None:
    """They are the documented ones, in any order."""
    answer = Door()("PUT", facts.path, [facts.good("bulk") | facts.sort])
    assert answer.body.keys() == set(facts.known["bulk_answer"]["keys"])


@pytest.mark.parametrize("call", ["create", "update", "delete"])
@every_model
def test_undocumented_answers(facts: Facts, call: str) -> None:
    """A choice decides whether they have a body; documented ones always have one."""
    if not facts.has(call):
        return
    is_known = facts.known[f"{call}_answer"]["mark"] == "D"
    if facts.kind != "conversation":
        assert is_known == (call not in _rules(facts).undocumented)
    for is_empty in (False, True):
        planhat = _door(undocumented_answers_are_empty=is_empty, conversations_need_type=False)
        planhat.api.state.add(facts.name, facts.sort | {"_id": "a"}, now=NOW)
        calls = {
            "create": ("POST", facts.path, facts.good() | facts.sort),
            "update": ("PUT", f"{facts.path}/a", {}),
            "delete": ("DELETE", f"{facts.path}/a", None),
        }
        answer = planhat(*calls[call])
        has_body = facts.path == "conversations" or is_known or not is_empty
        assert (answer.status, answer.body is not None) == (200, has_body)


@_with_call("bulk")
def test_keys_of_companies(facts: Facts) -> None:
    """Its `_id` works, and its other keys if that is documented; an unknown company is refused."""
    field = facts.known["company_field"]
    if field is None:
        return
    takes_prefixes = facts.known["company_field_takes_prefix"] == "D"
    in_list = field == "companyIds"
    for key, is_known in [
        (ACME.company_id, True),
        ("extid-acme", takes_prefixes),
        ("srcid-120", takes_prefixes),
        ("x", False),
    ]:
        planhat = Door(ACME)
        others = {name: value for name, value in facts.good("bulk").items() if name != "companyExternalId"}
        planhat("PUT", facts.path, [others | facts.sort | {field: [key] if in_list else key, "type": "note"}])
        held = [record[field] for record in planhat.api.state.records(facts.name)]
        named = [ACME.company_id] if in_list else ACME.company_id
        assert held == ([named] if is_known else []), key


@_with_call("bulk")
def test_a_number_as_external_id_becomes_text(facts: Facts) -> None:
    """It is returned as a string, also in the answer to the upsert."""
    field = facts.known["external_id_field"]
    if field is None:
        return
    planhat = _door(conversations_need_type=False)
    answer = planhat("PUT", facts.path, [facts.good("bulk") | facts.sort | {field: 1234}])
    assert (answer.status, answer.body["insertsKeys"][0][field]) == (200, "1234")


@every_model
def test_records_are_saved_and_restored(facts: Facts) -> None:
    """This holds for every model."""
    planhat = Door()
    _add(planhat, facts, custom={"a": 1})
    state = planhat.api.state
    before, lines, snapshot = state.records(facts.name), list(state.lines()), state.snapshot()
    _add(planhat, facts, custom={"a": 2})
    assert len(state.records(facts.name)) == 2
    state.restore(snapshot)
    other = Door().api.state
    assert other.load(lines, now=NOW) == 1
    assert state.records(facts.name) == other.records(facts.name) == before
