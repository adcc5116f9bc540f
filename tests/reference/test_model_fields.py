"""The records have every documented field; the facts are in `tests/data/models.json`.

Where the facts and the examples disagree, or where a value was seen that a type does not hold, the client has:

| model        | fact                                              | the client                                   |
|--------------|---------------------------------------------------|----------------------------------------------|
| company      | `owner` and `coOwner` are ids                     | anything: a list may hold objects            |
| company      | `nextTouch` is a time                             | anything: once seen in milliseconds          |
| company      | `features` is an array                            | anything: the examples hold an object        |
| user         | `permissions` is an array                         | anything: the examples hold an object        |
| user         | `apiTokens` is an array                           | anything: it is never shown, nor written     |
| user         | `taskFilter` is an object                         | anything: the examples hold a text           |
| enduser      | `beats`, `beatsTotal`, `beatTrend` are integers   | numbers: the examples hold fractions         |
| issue        | `mrrCombined` and `arrCombined` are integers      | numbers: they are sums of money              |
| task         | `sortPosition` is an integer                      | a number                                     |
| ticket       | `timeSpent` is an integer                         | a number                                     |
| conversation,| `days` is a day                                   | the number of days: a time stands beside it  |
| ticket       |                                                   |                                              |
| ticket       | `custom` was seen in answers only                 | may be written, as that of other models      |
| timesheet    | `timeEntries` are answered as ids                 | sends ids as objects, `[{"_id": …}]`         |

The fields of workflows are known from another client only, and none may be written: the model has no call that does.
"""

from __future__ import annotations

import json
import typing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from model_facts import FACTS, MODELS, Facts
from test_convert import settled, structure

from planhat_async import Record
from planhat_async._convert import Field, fields_of, to_wire
from planhat_async.records import Part
from reference.conftest import Serve
from reference.page_server import ID, always
from reference.test_documented_bodies import DATA, with_ids_as_text
from reference.test_model_facts import REPOSITORIES, every_model

OTHER_TYPES: dict[tuple[str, str], Any] = {
    ("company", "owner"): Any,
    ("company", "coOwner"): Any,
    ("company", "nextTouch"): Any,
    ("company", "features"): Any,
    ("user", "permissions"): Any,
    ("user", "apiTokens"): Any,
    ("user", "taskFilter"): Any,
    ("workflow", "templateId"): Any,
    ("enduser", "beats"): float,
    ("enduser", "beatsTotal"): float,
    ("enduser", "beatTrend"): float,
    ("issue", "mrrCombined"): float,
    ("issue", "arrCombined"): float,
    ("task", "sortPosition"): float,
    ("ticket", "timeSpent"): float,
    ("conversation", "days"): int,
    ("ticket", "days"): int,
}
"""The types that differ from the documented ones."""
TYPES: dict[str, Any] = {
    "objectId": str,
    "string": str,
    "number": float,
    "integer": int,
    "boolean": bool,
    "date": datetime,
    "day": date,
    "day-string": date,
    "object": dict[str, Any],
}
MORE_WRITABLE = {("ticket", "custom")}
NEVER_WRITTEN = {"workflow"}
READ: dict[str, Any] = {
    "date": datetime(2021, 7, 29, tzinfo=UTC),
    "day": date(2021, 7, 28),
    "day-string": date(2021, 7, 29),
}
"""What the samples of the facts are when they have been read, if not themselves."""
ANSWERED_OTHERWISE: dict[tuple[str, str], Any] = {("timesheet", "timeEntries"): ["a" * 24]}
SENT_OTHERWISE: dict[tuple[str, str], Any] = {("timesheet", "timeEntries"): [{"_id": "a" * 24}]}


def fields(facts: Facts) -> dict[str, Field]:
    """The fields of a model's record, by Planhat's names."""
    return {field.wire: field for field in fields_of(record_of(facts)).values()}


def record_of(facts: Facts) -> type[Record]:
    """The class of a model's records."""
    cls: type[Record] = REPOSITORIES[facts.kind].model.record
    return cls


def sample(facts: Facts) -> dict[str, Any]:
    """A row with every field of a model."""
    others = {name: value for (kind, name), value in ANSWERED_OTHERWISE.items() if kind == facts.kind}
    return facts.sample(*facts.known["fields"]) | {"_id": ID} | others


def writable(facts: Facts) -> set[str]:
    """The fields that a record sends."""
    more = {name for kind, name in MORE_WRITABLE if kind == facts.kind}
    return set() if facts.kind in NEVER_WRITTEN else {*facts.writable(), *more}


@every_model
def test_every_field_is_there_and_no_other(facts: Facts) -> None:
    """All records have `custom`, and all but those of two models the key of the document's version."""
    assert fields(facts).keys() - facts.known["fields"].keys() <= {"__v", "custom"}
    assert facts.known["fields"].keys() <= fields(facts).keys()


@every_model
def test_every_field_has_a_type_that_fits(facts: Facts) -> None:
    """That of the table, but for those that the examples contradict."""
    for name, known in facts.known["fields"].items():
        held = fields(facts)[name].type
        if other := OTHER_TYPES.get((facts.kind, name)):
            assert held is other, name
        elif known["type"] == "array":
            assert is_list_of(held, known.get("items")), name
        else:
            assert held == TYPES[known["type"]], name


def is_list_of(held: Any, items: str | None) -> bool:
    """Whether a type is a list of what the table says, or of anything."""
    (item,) = typing.get_args(held)
    if typing.get_origin(held) is not list or item is Any:
        return item is Any
    is_text = item is str and items in {"string", "objectId"}
    return is_text or (isinstance(item, type) and issubclass(item, Part) and items == "object")


@every_model
async def test_every_field_is_read_under_its_name(page_server: Serve, facts: Facts) -> None:
    """A row with all of them leaves nothing in `extra`."""
    row = sample(facts)
    planhat = await page_server(always([row]))
    (record,) = await REPOSITORIES[facts.kind](planhat.session).page()
    assert record.extra == {}
    for name, known in facts.known["fields"].items():
        value = getattr(record, fields(facts)[name].name)
        is_converted = (facts.kind, name) not in OTHER_TYPES and known["type"] in READ
        if fields(facts)[name].part is not None:
            assert [one.extra for one in value] == row[name], name
        else:
            assert value == (READ[known["type"]] if is_converted else row[name]), name


@every_model
async def test_a_record_sends_the_fields_that_may_be_written(page_server: Serve, facts: Facts) -> None:
    """As the documentation spells them, and none that Planhat fills in."""
    if not (facts.has("update") or facts.has("bulk")):
        assert not facts.has("create")
        return
    row = sample(facts)
    record = structure(record_of(facts), row)
    planhat = await page_server(always({"_id": ID, "created": 0, "updated": 1, "nonupdates": 0}))
    repository = REPOSITORIES[facts.kind](planhat.session)
    expected = {name: SENT_OTHERWISE.get((facts.kind, name), row[name]) for name in writable(facts)}
    if facts.has("update"):
        await repository.update(ID, record)
        assert planhat.calls.pop().sent == expected
    if facts.has("bulk"):
        await repository.upsert_many([record])
        assert planhat.calls.pop().sent == [expected | {"_id": ID}]


@every_model
def test_fields_may_be_written_if_documented(facts: Facts) -> None:
    """Those of the table that are not called autogenerated, and those that an example sends all the same.

    Where a model has no call that writes, only what all records share is declared as if it could be.
    """
    is_written = any(facts.has(call) for call in ("create", "update", "bulk"))
    held = {name for name, field in fields(facts).items() if field.is_writable}
    assert held - {"_id"} == (writable(facts) if is_written else {"custom"})


# Examples


def test_every_example_is_there() -> None:
    """The documented bodies of all models."""
    named = {name for known in FACTS.values() for one in known["examples"].values() for name in files_of(one)}
    assert named == {path.name for path in DATA.glob("*.*.json")}


def files_of(example: dict[str, str]) -> set[str]:
    """The files of one example; it may have a query as well."""
    return {example[part] for part in ("request", "response") if part in example}


def _requests() -> list[tuple[Facts, Path]]:
    calls = ("create", "update", "bulk-upsert")
    examples = [(facts, facts.known["examples"].get(call, {}).get("request")) for facts in MODELS for call in calls]
    return [(facts, DATA / name) for facts, name in examples if name is not None]


@pytest.mark.parametrize(("facts", "path"), _requests(), ids=lambda value: getattr(value, "stem", None))
def test_a_documented_request_can_be_made_of_records(facts: Facts, path: Path) -> None:
    """It comes back equal, but for nulls, the spelling of times and ids that are numbers: D, those become text."""
    body = json.loads(path.read_text())
    rows = body if isinstance(body, list) else [body]
    sent = [to_wire(record_of(facts), structure(record_of(facts), row)) for row in rows]
    assert sent == [settled(with_ids_as_text(row)) for row in rows]
