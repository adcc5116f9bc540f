"""One page of a list: which records, in which order, how much of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from planhat_async.sandbox import damage
from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.companies import Companies
from planhat_async.sandbox.fields import Model
from planhat_async.sandbox.messages import Strike
from planhat_async.sandbox.refusals import RefusedError
from planhat_async.sandbox.shapes import ids_of
from planhat_async.sandbox.store import ARCHIVED_SHELF, OPEN_SHELF, Collection, Record, decoded

_COUNT = re.compile(r"[0-9]{1,18}")
_CUSTOM = "custom."


class _Filtered(msgspec.Struct, rename="camel"):
    """What filters look at: reading only that of a record takes a fifth of the time."""

    company_id: Any = None
    status: Any = None
    email: Any = None
    snippet: Any = None
    endusers: Any = None


_Test: TypeAlias = Callable[[_Filtered], bool]
_FILTERED = msgspec.json.Decoder(_Filtered)


def page(
    model: Model,
    collection: Collection,
    companies: Companies,
    choices: Choices,
    query: Mapping[str, str],
    *,
    strike: Strike | None = None,
) -> list[msgspec.Raw]:
    """The page that a query asks for, each row as its JSON text; a parameter the model does not know is ignored.

    Rows of one page are in `sort`'s order, equal ones by `_id`. A record without the property comes first, or last in
    descending order. Without a `sort` the newest `_id` comes first. By `_id` either order costs no sort, and an offset
    no look at the records before it.

    Raises:
        RefusedError: `limit` or `offset` is no whole number.
    """
    limit = min(_count(query, "limit", model.default_limit), model.max_limit)
    offset = _count(query, "offset", 0)
    shelves = _shelves(model, choices, query)
    sort = query.get("sort", "")
    descending = sort.startswith("-") if sort else choices.newest_first
    found = _sorted(collection, shelves, sort.removeprefix("-"), descending=descending, strike=strike)
    rows: Sequence[bytes] = list(
        islice(_matching(found, list(_tests(model, companies, query))), offset, offset + limit)
    )
    select = [name.strip() for name in query.get("select", "").split(",") if name.strip()]
    if select:
        rows = [msgspec.json.encode(_selected(decoded(text), select)) for text in rows]
    return [msgspec.Raw(text) for text in damage.capped(strike, rows)]


def _shelves(model: Model, choices: Choices, query: Mapping[str, str]) -> tuple[str, ...]:
    if "isArchived" not in model.filters:
        return model.shelves
    if query.get("isArchived") != "true":
        return (OPEN_SHELF,)
    return (ARCHIVED_SHELF,) if choices.archived_only else ()


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _COUNT.fullmatch(text):
        raise RefusedError(name, f"{name} must be a whole number")
    return int(text)


def _matching(texts: Iterator[bytes], tests: list[_Test]) -> Iterator[bytes]:
    if not tests:
        return texts
    return (text for text in texts if _passes(_FILTERED.decode(text), tests))


def _passes(record: _Filtered, tests: list[_Test]) -> bool:
    return all(test(record) for test in tests)


def _sorted(
    collection: Collection, shelves: tuple[str, ...], name: str, *, descending: bool, strike: Strike | None
) -> Iterator[bytes]:
    if strike is not None and strike.name == "sort_ignored":
        return _by(collection.texts(*shelves), "_id", lambda value: str(value)[::-1], descending=False)
    if name in ("", "_id"):
        return collection.texts(*shelves, descending=descending)
    return _by(collection.texts(*shelves), name, _rank, descending=descending)


def _by(texts: Iterable[bytes], name: str, rank: Callable[[Any], Any], *, descending: bool) -> Iterator[bytes]:
    texts = list(texts)
    ranks = [rank(value) for value in _values(texts, name)]
    return (texts[i] for i in sorted(range(len(texts)), key=ranks.__getitem__, reverse=descending))


def _values(texts: Iterable[bytes], name: str) -> Iterator[Any]:
    """A property of each record, or of its `custom`."""
    top, _, key = name.partition(".") if name.startswith(_CUSTOM) else (name, "", "")
    decode = _reader(top).decode
    values = (decode(text).value for text in texts)
    if not key:
        return values
    return (value.get(key) if isinstance(value, dict) else None for value in values)


@lru_cache(maxsize=64)
def _reader(name: str) -> Any:
    # A name with other characters is no property of a record; msgspec would not take it.
    names = {"value": name if name.isidentifier() else "_"}
    return msgspec.json.Decoder(msgspec.defstruct("Property", [("value", Any, None)], rename=names))


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


def _tests(model: Model, companies: Companies, query: Mapping[str, str]) -> Iterator[_Test]:
    asked = {name: query[name] for name in model.filters if query.get(name)}
    if "companyId" in asked:
        ids = {_company_id(companies, key) for key in asked["companyId"].split(",")}
        yield lambda record: isinstance(record.company_id, str) and record.company_id in ids
    if "enduserIds" in asked:
        people = asked["enduserIds"].split(",")
        yield lambda record: any(person in people for person in ids_of(record.endusers))
    if "status" in asked:
        yield lambda record: bool(record.status == asked["status"])
    if "email" in asked:
        yield lambda record: bool(record.email == asked["email"])
    if "search" in asked:
        words = asked["search"].casefold()
        yield lambda record: words in str(record.snippet or "").casefold()


def _company_id(companies: Companies, key: str) -> str:
    company = companies.find(key.strip())
    return key.strip() if company is None else company.company_id
