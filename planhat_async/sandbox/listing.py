"""One page of a list: which records, in which order, how much of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.companies import Companies
from planhat_async.sandbox.fields import TICKETS, Model
from planhat_async.sandbox.refusals import RefusedError
from planhat_async.sandbox.shapes import ids_of
from planhat_async.sandbox.store import Collection, Record

_Test: TypeAlias = Callable[[Record], bool]
_COUNT = re.compile(r"[0-9]{1,18}")
_CUSTOM = "custom."


def page(
    model: Model, collection: Collection, companies: Companies, choices: Choices, query: Mapping[str, str]
) -> list[Record]:
    """The page that a query asks for; a parameter the model does not know is ignored.

    Rows of one page are in `sort`'s order, equal ones by `_id`. A record without the property comes first, or last in
    descending order. The default order costs no sort.

    Raises:
        RefusedError: `limit` or `offset` is no whole number.
    """
    limit = min(_count(query, "limit", model.default_limit), model.max_limit)
    offset = _count(query, "offset", 0)
    tests = list(_tests(model, companies, choices, query))
    sort = query.get("sort", "")
    found = _matching(_sorted(collection, sort.removeprefix("-"), descending=sort.startswith("-")), tests)
    rows = islice(found, offset, offset + limit)
    select = [name.strip() for name in query.get("select", "").split(",") if name.strip()]
    return [_selected(record, select) for record in rows] if select else list(rows)


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _COUNT.fullmatch(text):
        raise RefusedError(name, f"{name} must be a whole number")
    return int(text)


def _matching(records: Iterator[Record], tests: list[_Test]) -> Iterator[Record]:
    for test in tests:
        records = filter(test, records)
    return records


def _sorted(collection: Collection, name: str, *, descending: bool) -> Iterator[Record]:
    if name in ("", "_id"):
        return collection.ordered(descending=descending)
    return iter(sorted(collection.ordered(), key=lambda record: _rank(_property(record, name)), reverse=descending))


def _property(record: Record, name: str) -> Any:
    if name.startswith(_CUSTOM):
        custom = record.get("custom")
        return custom.get(name.removeprefix(_CUSTOM)) if isinstance(custom, dict) else None
    return record.get(name)


def _rank(value: object) -> tuple[int, Any]:
    """A sort key by which any two JSON values can be compared, in MongoDB's order of types."""
    match value:
        case None:
            return 0, 0
        case bool():
            return 5, value
        case int() | float():
            return 1, value
        case str():
            return 2, value
        case _:
            return 3 if isinstance(value, dict) else 4, msgspec.json.encode(value)


def _selected(record: Record, names: list[str]) -> Record:
    chosen = {name: record[name] for name in ("_id", *names) if name in record}
    custom = record.get("custom")
    if isinstance(custom, dict) and "custom" not in names:
        keys = [name.removeprefix(_CUSTOM) for name in names if name.startswith(_CUSTOM)]
        part = {key: custom[key] for key in keys if key in custom}
        return chosen | {"custom": part} if part else chosen
    return chosen


def _tests(model: Model, companies: Companies, choices: Choices, query: Mapping[str, str]) -> Iterator[_Test]:
    if model is TICKETS:
        yield model.owns
    asked = {name: query[name] for name in model.filters if query.get(name)}
    if "isArchived" in model.filters:
        yield from _archived(query.get("isArchived") == "true", choices)
    if "companyId" in asked:
        ids = {_company_id(companies, key) for key in asked["companyId"].split(",")}
        yield lambda record: record.get("companyId") in ids
    if "enduserIds" in asked:
        people = asked["enduserIds"].split(",")
        yield lambda record: any(person in people for person in ids_of(record.get("endusers")))
    for name in asked.keys() & {"status", "email"}:
        yield _equal(name, asked[name])
    if "search" in asked:
        words = asked["search"].casefold()
        yield lambda record: words in str(record.get("snippet", "")).casefold()


def _equal(name: str, value: str) -> _Test:
    return lambda record: record.get(name) == value


def _archived(is_asked: bool, choices: Choices) -> Iterator[_Test]:
    if not is_asked:
        yield lambda record: record.get("isArchived") is not True
    elif choices.archived_only:
        yield lambda record: record.get("isArchived") is True


def _company_id(companies: Companies, key: str) -> str:
    company = companies.find(key.strip())
    return key.strip() if company is None else company.company_id
