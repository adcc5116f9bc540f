"""Test each documented fact about Planhat; each test names its fact.

The words of a fact are those of the API reference that this project was built from. Facts marked as seen live
or as unknown are not here; the docstring of `planhat_async.sandbox` describes how the sandbox treats them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sandbox_door import ACME, NOW, TENET, Door

from planhat_async.sandbox import Choices
from planhat_async.sandbox.api import Api
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest
from planhat_async.sandbox.models import ALL, Rules
from planhat_async.sandbox.models.list_filters import AmongTexts, AnyOf, Containing, Equal, OneOf

T = TypeVar("T", bound=Callable[..., Any])

REFERENCE = Path(__file__).parents[3] / "shared" / "api" / "REFERENCE.md"
REACHED = [rules for rules in ALL if rules.path is not None]
EACH_MODEL = pytest.mark.parametrize("rules", REACHED, ids=lambda rules: rules.name)
LIMITS = {"notes": (30, 2_000), "tasks": (500, 10_000), "tickets": (500, 10_000)}
PATHS: dict[str, dict[str, str]] = {"conversations": {"type": "note"}, "tasks": {}}
FACTS: dict[str, str] = {}


def fact(words: str) -> Callable[[T], T]:
    """Record the fact that a test shows."""

    def note(test: T) -> T:
        assert words not in FACTS
        FACTS[words] = test.__name__
        return test

    return note


def _ticket(source_id: str = "1", **fields: Any) -> dict[str, Any]:
    return {"sourceId": source_id, "email": "a@b.c", "companyId": TENET.company_id, **fields}


def _task(**fields: Any) -> dict[str, Any]:
    return {"companyId": TENET.company_id, **fields}


@fact("`/conversations` D | `/tasks` D | `/tickets` D")
def test_the_three_paths() -> None:
    """Notes, tasks and tickets have a path each, like the other models; other paths are unknown."""
    planhat = Door()
    assert [planhat("GET", path).status for path in (str(rules.path) for rules in REACHED)] == [200] * len(REACHED)
    assert [planhat("GET", path).status for path in ("conversations", "tasks", "tickets")] == [200] * 3
    assert planhat("GET", "notes").status == 404


@fact("create `POST path` | D; needs `companyId`, `type` = `note` | D; needs `companyId`; `mainType` defaults")
def test_create() -> None:
    """Notes need a company and a type, tasks a company; single tickets cannot be created."""
    planhat = Door()
    bodies = [{"companyId": "c", "type": "note"}, {"companyId": "c"}, {"type": "note"}]
    assert [planhat("POST", "conversations", body).status for body in bodies] == [200, 400, 400]
    assert planhat("POST", "tasks", {"companyId": "c"}).body["mainType"] == "task"
    assert planhat("POST", "tasks", {"action": "no company"}).status == 400
    assert planhat("POST", "tickets", _ticket()).status == 405


@fact("get `GET path/{key}` | `_id` or `extid-…` D | `_id` or `srcid-…` D | none documented")
def test_get() -> None:
    """A note is found by `_id` or `extid-`, a task by `_id` or `srcid-`; single tickets cannot be read."""
    planhat = Door()
    note, task = planhat.add("notes", externalId="e"), planhat.add("tasks", sourceId="s")
    for path, keys, record_id in (("conversations", (note, "extid-e"), note), ("tasks", (task, "srcid-s"), task)):
        assert [planhat("GET", f"{path}/{key}").body["_id"] for key in keys] == [record_id] * 2
    assert planhat("GET", f"tickets/{planhat.add('tickets')}").status == 405


@fact("update `PUT path/{key}` | `_id` D (`extid-`, `srcid-` in another copy of the docs) | `_id` or `srcid-…` D")
def test_update() -> None:
    """The same keys work, and either prefix for notes; single tickets cannot be updated."""
    planhat = Door()
    note, task = planhat.add("notes", externalId="e", sourceId="s"), planhat.add("tasks", sourceId="s")
    for path, key in [("conversations", note), ("conversations", "extid-e"), ("conversations", "srcid-s")]:
        assert planhat("PUT", f"{path}/{key}", {"subject": key}).body["subject"] == key
    for key in (task, "srcid-s"):
        assert planhat("PUT", f"tasks/{key}", {"action": key}).body["action"] == key
    assert planhat("PUT", f"tickets/{planhat.add('tickets')}", {}).status == 405


@fact('`_id` D; answers the deleted note | `_id` D; answers `{"n":1,"ok":1,"deletedCount":1}`')
def test_delete() -> None:
    """Only `_id` works; the answer for a note or ticket is the record, for a task a count."""
    planhat = Door()
    for rules in (one for one in REACHED if one.delete_keys):
        path = str(rules.path)
        record_id = planhat.add(rules.name, sourceId="s", externalId="e")
        assert [planhat("DELETE", f"{path}/{key}").status for key in ("srcid-s", "extid-e")] == [404] * 2
        answer = planhat("DELETE", f"{path}/{record_id}").body
        counts = {"notes": False, "tasks": True, "tickets": False}.get(rules.name, rules.counts_deletions)
        assert answer == {"n": 1, "ok": 1, "deletedCount": 1} if counts else answer["_id"] == record_id
        assert planhat.ids(path) == []


@fact("default 30, **max 2,000** D | default 500, **max 10,000** D | default 500, **max 10,000** D")
@EACH_MODEL
def test_limits_of_lists(rules: Rules) -> None:
    """A page has the default number of rows without `limit`, and at most the maximum; a list without pages has all."""
    planhat = Door()
    default, most = LIMITS.get(rules.name, (rules.default_limit, rules.max_limit))
    collection = planhat.api.state.collection(rules)
    for number in range(most + 1):
        collection.insert({"_id": f"{number:024x}", **rules.filled_in})
    sizes = [default, most] if rules.is_paged else [most + 1] * 2
    assert [len(planhat.ids(str(rules.path), **query)) for query in ({}, {"limit": "99999"})] == sizes


@fact("**max 5,000 items** D; matches on `_id` | max 5,000 D; matches on `_id`, then `sourceId`")
def test_bulk_upsert() -> None:
    """At most 5,000 rows are accepted; notes match by `_id`, tasks and tickets by `_id`, then `sourceId`."""
    planhat = Door()
    for path in ("conversations", "tasks", "tickets"):
        assert planhat("PUT", path, [{}] * 5_001).status == 400
    assert planhat("PUT", "tasks", [_task()] * 5_000).body["created"] == 5_000
    kept = {path: planhat.add(path, type=kind, sourceId="s", externalId="s") for path, kind in _KINDS.items()}
    for path, record_id in kept.items():
        rows = [{"_id": record_id, "custom": {"a": 1}}, _ticket("s", type="note", custom={"b": 1})]
        answers = [planhat("PUT", path, [row | {"email": "a@b.c"}]).body for row in rows]
        assert [answer["updated"] for answer in answers] == [1, path != "conversations"]


@EACH_MODEL
def test_rows_of_each_model_match_on_its_keys(rules: Rules) -> None:
    """Each key alone finds its record; 5,001 rows are too many."""
    planhat, path = Door(), str(rules.path)
    typed = {*rules.texts, *rules.lists, *rules.integers, "custom"}
    change = {name: {"a": 1} for name in sorted(rules.writable - typed)[:1]}
    assert planhat("PUT", path, [{}] * 5_001).status == (400 if rules.match else 405)
    for number, (sent, stored) in enumerate(rules.match):
        record_id = planhat.add(rules.name, **({} if stored == "_id" else {stored: f"key {number}"}))
        key = record_id if stored == "_id" else f"key {number}"
        assert planhat("PUT", path, [{sent: key, **change}]).body["updated"] == 1, sent


_KINDS = {"conversations": "note", "tasks": "task", "tickets": "ticket"}


@fact("list filters | `companyId` D | `companyId`, `enduserIds`, `isArchived` D | `companyId`, `status`")
def test_list_filters() -> None:
    """Each model has its own filters and ignores those of the others."""
    planhat = Door()
    for path, kind in _KINDS.items():
        for company in ("a", "b"):
            fields: dict[str, Any] = {"status": company, "email": company, "snippet": company}
            planhat.add(path, type=kind, companyId=company, endusers=[{"id": company}], **fields)
    known = {
        "conversations": {"companyId"},
        "tasks": {"companyId", "enduserIds"},
        "tickets": {"companyId", "status", "email", "search"},
    }
    for path, filters in known.items():
        all_ids = planhat.ids(path)
        for name in ("companyId", "enduserIds", "status", "email", "search"):
            assert (planhat.ids(path, **{name: "a"}) != all_ids) == (name in filters), (path, name)


@EACH_MODEL
def test_each_model_has_its_own_filters(rules: Rules) -> None:
    """Each model ignores the filters of the others. Numbers, dates and words have separate tests."""
    planhat, path = Door(), str(rules.path)
    kinds = Equal | Containing | OneOf | AnyOf | AmongTexts
    filters = {one.parameter: one for other in REACHED for one in other.filters if isinstance(one, kinds)}
    for value in "ab":
        held = {one.field: [{"id": value}] if isinstance(one, AnyOf) else value for one in filters.values()}
        held.pop("_id", None)
        planhat.add(rules.name, **held)
    all_ids, own = planhat.ids(path), {one.parameter for one in rules.filters}
    assert len(all_ids) == 2
    assert {name for name in filters if planhat.ids(path, **{name: "a"}) != all_ids} == own & filters.keys()


@fact("Tickets are conversations too: `/conversations/{id}` reaches one D")
def test_tickets_are_conversations() -> None:
    """The ticket endpoint sets the type itself, and the list of conversations contains the ticket."""
    planhat = Door()
    planhat("PUT", "tickets", [_ticket(type="bug")])
    (ticket,) = planhat("GET", "tickets").body
    assert planhat("GET", f"conversations/{ticket['_id']}").body == ticket
    assert (ticket["type"], ticket["subType"]) == ("ticket", "bug")


@fact("Lists share `limit`, `offset`, `sort` (a property, `-` in front for descending, case sensitive) and `select`")
def test_shared_list_parameters() -> None:
    """They work on each path with pages; several ids of companies and end users are separated by commas."""
    for rules in filter(attrgetter("is_paged"), REACHED):
        planhat, path = Door(), str(rules.path)
        a, b, c = (planhat.add(rules.name, subject=text, companyId=text) for text in "bca")
        assert planhat.ids(path, limit="1", offset="1") == [b]
        assert planhat.ids(path, sort="subject") == [c, a, b]
        assert planhat.ids(path, sort="-subject") == [b, a, c]
        assert planhat.ids(path, sort="Subject") == [a, b, c]
        assert planhat("GET", path, select="subject,none", limit="1", sort="_id").body == [{"_id": a, "subject": "b"}]
        if any(isinstance(one, OneOf) and one.field == "companyId" and one.is_many for one in rules.filters):
            assert planhat.ids(path, companyId="b,a") == [a, c]
    planhat = Door()
    people = [planhat.add("tasks", endusers=[{"id": name}]) for name in "xyz"]
    assert planhat.ids("tasks", enduserIds="x,z") == [people[0], people[2]]


@fact("A list is a bare JSON array: no total, no cursor D")
def test_a_list_is_an_array() -> None:
    """The headers contain no information about it either."""
    api = Api(limits=Limits(per_minute=None))
    answer = api.handle(ApiRequest("GET", ("tasks",), headers={"Authorization": "Bearer x"}))
    assert (answer.body, answer.headers) == (b"[]", {})


@fact("hides archived (so: completed) tasks unless `isArchived=true` D, and returns both `task` and `event` rows D")
def test_archived_tasks_and_events() -> None:
    """Events are listed like tasks."""
    planhat = Door()
    task, event = planhat.add("tasks", mainType="task"), planhat.add("tasks", mainType="event")
    archived = planhat.add("tasks", isArchived=True)
    assert planhat.ids("tasks") == [task, event]
    assert planhat.ids("tasks", isArchived="true") == [archived]


@fact("In a URL, and as the value of `companyId` in a body, a key may be `extid-<externalId>` or `srcid-<sourceId>` D")
def test_external_keys() -> None:
    """Records come back with Planhat's own `_id` of the company."""
    planhat = Door(TENET, ACME)
    for path, fields in PATHS.items():
        for key in ("extid-tenet", f"srcid-{TENET.source_id}", TENET.company_id):
            assert planhat("POST", path, {"companyId": key, **fields}).body["companyId"] == TENET.company_id
    planhat.add("tasks", sourceId="a b")
    assert planhat("GET", "tasks/srcid-a%20b").status == 200


@fact("`sourceId` is unique per model. Outside companies `externalId` is unique per company only")
def test_uniqueness() -> None:
    """A second `sourceId` is refused; a second `externalId` is accepted and names the first record."""
    planhat = Door(TENET, ACME)
    for company, statuses in ((TENET, [200, 200]), (ACME, [400, 200])):
        fields = {"type": "note", "companyId": company.company_id}
        keys: list[dict[str, str]] = [{"sourceId": "s"}, {"externalId": "e"}]
        assert [planhat("POST", "conversations", fields | key).status for key in keys] == statuses
    assert planhat("GET", "conversations/extid-e").body["companyId"] == TENET.company_id
    assert planhat("POST", "tasks", _task(sourceId="s")).status == 200


@fact("`PUT path/{key}` changes only the fields sent; the rest stay D")
def test_an_update_keeps_other_fields() -> None:
    """This holds for each field."""
    planhat = Door()
    key = planhat.add("tasks", action="a", description="d")
    planhat("PUT", f"tasks/{key}", {"action": "b"})
    stored = planhat("GET", f"tasks/{key}").body
    assert (stored["action"], stored["description"]) == ("b", "d")


@fact('a task `status` that matches no configured status "will still be saved" D')
def test_values_are_not_validated() -> None:
    """Any status is stored."""
    assert Door()("POST", "tasks", _task(status="no such status")).body["status"] == "no such status"


@fact("`daily weekly monthly quarterly yearly custom`; `repeatDays` (integer) is required with `custom` D")
def test_repeat() -> None:
    """A task without valid days is refused."""
    planhat = Door()
    for repeat in ("daily", "weekly", "monthly", "quarterly", "yearly"):
        assert planhat("POST", "tasks", _task(repeat=repeat)).status == 200
    days: list[dict[str, Any]] = [{}, {"repeatDays": "3"}, {"repeatDays": 3}]
    assert [planhat("POST", "tasks", _task(repeat="custom", **more)).status for more in days] == [400, 400, 200]


@fact("Ticket, **to create**: `sourceId`, `email`, and `domains` (array) unless `companyExternalId` is given D")
def test_required_fields_of_a_ticket() -> None:
    """A new ticket needs a key, a company by any of three names, and an address, or it is dropped silently."""
    planhat = Door(TENET, ACME)
    company: list[dict[str, Any]] = [
        {"companyId": TENET.company_id},
        {"companyExternalId": "tenet"},
        {"domains": ["tenet.com"]},
        {"companyId": "extid-tenet"},
        {},
    ]
    rows = [{"sourceId": str(n), "email": "a@b.c", **names} for n, names in enumerate(company)]
    statuses = [planhat("PUT", "tickets", [row]).status for row in rows]
    assert statuses == [200, 200, 200, 206, 400]
    assert planhat("PUT", "tickets", [{"email": "a@b.c", "companyId": TENET.company_id}]).status == 400
    assert planhat("PUT", "tickets", [_ticket("new", email=None)]).body == {"created": 0, "updated": 0}


@fact("**To update: one of `_id`, `sourceId` in that order, and no company** D")
def test_required_fields_of_an_update() -> None:
    """Tickets, notes and tasks need a keyable and no field of a creation; no company is changed."""
    planhat = Door(TENET, ACME)
    planhat("PUT", "tickets", [_ticket("1"), _ticket("2")])
    first = planhat.ids("tickets")[0]
    rows = [{"_id": first, "sourceId": "2", "status": "closed"}, {"sourceId": "2", "status": "closed"}]
    assert planhat("PUT", "tickets", rows[:1]).status == 206  # "2" is another ticket's: the `_id` takes precedence
    assert planhat("PUT", "tickets", [{"_id": first, "status": "closed"}, rows[1]]).body == {"created": 0, "updated": 2}
    assert planhat.api.state.records("tickets")[1]["companyId"] == TENET.company_id
    note, task = planhat.add("notes"), planhat.add("tasks", sourceId="1")
    assert planhat("PUT", "conversations", [{"_id": note, "subject": "s"}]).body["updated"] == 1
    for key in ({"_id": task}, {"sourceId": "1"}):
        assert planhat("PUT", "tasks", [{**key, "repeat": "custom", "action": str(key)}]).body["updated"] == 1


@fact("Tickets may be sent through `/conversations` too D: their own fields (`status`, `email`, `url`, `severity` …)")
def test_tickets_may_be_sent_as_conversations() -> None:
    """They are stored with their own fields and listed like other tickets."""
    planhat = Door(TENET)
    sent = {"type": "ticket", "url": "u", "severity": "high", "status": "open", "title": "T"}
    assert planhat("PUT", "conversations", [_ticket("1", **sent)]).body["created"] == 1
    (ticket,) = planhat("GET", "tickets", status="open", email="a@b.c").body
    assert ticket == ticket | sent | {"externalId": "1", "subject": "T", "subType": "ticket"}
    assert planhat("PUT", "tickets", [{"sourceId": "1", "status": "closed"}]).body == {"created": 0, "updated": 1}
    assert planhat("GET", f"conversations/{ticket['_id']}").body["status"] == "closed"


@fact("200 all good · **206 some rows failed: the errors are in the body** · 400 a required key is missing")
def test_statuses_of_a_bulk_upsert() -> None:
    """The tests of faults show the 403 and the 500 (`rows_403` and `http_500`)."""
    planhat = Door(TENET)
    good, bad = _task(sourceId="a"), {"sourceId": "b", "companyId": "unknown"}
    bodies = [[good], [good, bad], [{"sourceId": "c"}], [good, good]]
    answers = [planhat("PUT", "tasks", body) for body in bodies]
    assert [answer.status for answer in answers] == [200, 206, 400, 400]
    assert [len(answer.body["createdErrors"]) for answer in answers[:3]] == [0, 1, 1]
    assert answers[0].body.keys() == answers[3].body.keys()


@fact(
    '(then the lists count: `insertsKeys`, `upsertedIds`, `updatesKeys`): tickets answer `{"created":1,"updated":0}` D'
)
def test_the_short_answer_of_tickets() -> None:
    """It has two counts; the lists of the long answer replace missing counts."""
    assert Door()("PUT", "tickets", [_ticket()]).body == {"created": 1, "updated": 0}
    planhat = Door(choices=Choices(upserts_have_counts=False))
    answer = planhat("PUT", "tasks", [_task(), _task()]).body
    assert ("created" in answer, len(answer["insertsKeys"]), len(answer["upsertedIds"])) == (False, 2, 2)


@fact("`Authorization: Bearer <token>`, or Basic with `<token>:` G")
def test_two_ways_to_give_the_token() -> None:
    """Both are accepted."""
    planhat = Api("s3cret")
    for said in ("Bearer s3cret", "Basic " + b64encode(b"s3cret:").decode()):
        assert planhat.handle(ApiRequest("GET", ("tasks",), headers={"Authorization": said})).status == 200


@fact("The same key twice in one body is an error G")
def test_a_repeated_key() -> None:
    """Both rows are blamed, and no row is stored."""
    planhat = Door()
    answer = planhat("PUT", "tasks", [_task(sourceId="a"), _task(sourceId="a"), _task(sourceId="b")])
    assert (answer.status, len(answer.body["createdErrors"])) == (400, 2)
    assert planhat.ids("tasks") == []


@fact("Planhat advises sending large bulk writes one after another G")
def test_consecutive_bodies_with_one_key() -> None:
    """The second finds the record of the first: no race, no duplicate."""
    planhat = Door()
    answers = [planhat("PUT", "tasks", [_task(sourceId="a", action=action)]).body for action in ("x", "y")]
    assert [(answer["created"], answer["updated"]) for answer in answers] == [(1, 0), (0, 1)]


@fact("Body size: 32 MB is documented for bulk analytics calls G and taken for all bulk calls by others")
def test_the_largest_body() -> None:
    """One more byte is refused."""
    planhat = Door()
    statuses = [planhat("PUT", "tasks", b"[]".ljust(n_bytes)).status for n_bytes in (32_000_000, 32_000_001)]
    assert statuses == [200, 413]


@fact("**200 calls a minute (soft), 150 requests a second (hard)** D, bursts of up to 50 in parallel G")
def test_the_limits_of_calls() -> None:
    """The limits are exact; the sandbox enforces the soft limit, and allows bursts of 50."""
    limits = Limits()
    assert [limits.admit("a", now=0.0, n_parallel=50) for _ in range(151)] == [0.0] * 150 + [1.0]
    assert [limits.admit("a", now=1.0) for _ in range(51)] == [0.0] * 50 + [59.0]
    assert limits.admit("b", now=1.0) == 0.0
    parallel = Limits(max_parallel=50)
    assert [parallel.admit("a", now=NOW, n_parallel=n) for n in (50, 51)] == [0.0, 1.0]


def _marked_lines() -> list[str]:
    """Return the lines of the reference that are marked D or G, each joined into one line."""
    text = REFERENCE.read_text(encoding="utf-8").split("## Calls", 1)[1]
    lines = [" ".join(line.split()) for line in re.split(r"\n(?=- |\||\n|#)", text)]
    return [line for line in lines if re.search(r"(?<!\*)\b[DG]\b(?!\*)", line)]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference is not part of the repository")
def test_every_documented_fact_has_a_test() -> None:
    """Every line of the reference marked as documented has a test here, and every fact quotes the reference."""
    lines = _marked_lines()
    assert [line for line in lines if not any(words in line for words in FACTS)] == []
    assert [words for words in FACTS if not any(words in line for line in lines)] == []
