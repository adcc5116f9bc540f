"""One page of a list: which records, in which order, how much of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from planhat_async.sandbox import damage
from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.messages import AppliedFault, RefusedError
from planhat_async.sandbox.models import Rules
from planhat_async.sandbox.models.list_filters import FieldFilter, PartitionFilter, Surroundings
from planhat_async.sandbox.state import State
from planhat_async.sandbox.store import Record, decoded

_COUNT = re.compile(r"[0-9]{1,18}")
_CUSTOM = "custom."


def page(
    model: Rules, state: State, choices: Choices, query: Mapping[str, str], *, now: float, fault: AppliedFault
) -> list[msgspec.Raw]:
    """The page that a query asks for, each row as JSON text; unknown parameters are ignored.

    Rows are ordered by `sort`, ties by `_id`. A record without the property comes first, or last in descending order.
    Without `sort` the newest `_id` comes first. Ordering by `_id` needs no sort.

    Raises:
        RefusedError: `limit` or another number is not a whole number.
    """
    window = _window(model, query) if model.is_paged else slice(None)
    partitions = _partitions(model, choices, query)
    sort = query.get("sort", "")
    descending = sort.startswith("-") if sort else choices.newest_first
    texts = partial(state.collection(model).texts, partitions)
    found = _sorted(texts, sort.removeprefix("-"), descending=descending, fault=fault)
    matching = _matching(found, model, state, query, now)
    rows: Sequence[bytes] = list(islice(matching, window.start, window.stop))
    select = [name.strip() for name in query.get("select", "").split(",") if name.strip()] or model.listed_fields
    if select:
        rows = [msgspec.json.encode(_selected(decoded(text), select)) for text in rows]
    return [msgspec.Raw(text) for text in damage.capped(fault, rows)]


def _partitions(model: Rules, choices: Choices, query: Mapping[str, str]) -> tuple[str, ...]:
    for one in model.filters:
        if isinstance(one, PartitionFilter):
            if query.get(one.parameter) != "true":
                return one.off
            return one.on if choices.archived_only else tuple(dict.fromkeys((*one.off, *one.on)))
    return model.visible_partitions


def _window(model: Rules, query: Mapping[str, str]) -> slice:
    limit = min(_count(query, "limit", model.default_limit), model.max_limit)
    offset = _count(query, "offset", 0)
    return slice(offset, offset + limit)


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not _COUNT.fullmatch(text):
        raise RefusedError(name, f"{name} must be a whole number")
    return int(text)


def _matching(
    texts: Iterator[bytes], model: Rules, state: State, query: Mapping[str, str], now: float
) -> Iterator[bytes]:
    """The texts of the records that pass every filter in the query."""

    def resolve(name: str, key: str) -> str:
        record = state.find(state.model(name), key)
        return key if record is None else str(record["_id"])

    all_filters = [one for one in model.filters if isinstance(one, FieldFilter)]
    filters = [(one, value) for one in all_filters if (value := query.get(one.parameter) or one.default)]
    if not filters:
        return texts
    around = Surroundings(resolve, now)
    names = tuple(dict.fromkeys(one.field for one, _ in filters))
    decode = _reader(names).decode
    tests = [(attrgetter(f"value_{names.index(one.field)}"), one.test(value, around)) for one, value in filters]

    def passes(text: bytes) -> bool:
        record = decode(text)
        return all(test(get(record)) for get, test in tests)

    return filter(passes, texts)


def _sorted(
    texts: Callable[..., Iterator[bytes]], name: str, *, descending: bool, fault: AppliedFault
) -> Iterator[bytes]:
    if fault.name == "sort_ignored":
        return _by(texts(), "_id", lambda value: str(value)[::-1], descending=False)
    if name in ("", "_id"):
        return texts(descending=descending)
    return _by(texts(), name, _rank, descending=descending)


def _by(texts: Iterable[bytes], name: str, rank: Callable[[Any], Any], *, descending: bool) -> Iterator[bytes]:
    texts = list(texts)
    ranks = [rank(value) for value in _values(texts, name)]
    return (texts[i] for i in sorted(range(len(texts)), key=ranks.__getitem__, reverse=descending))


def _values(texts: Iterable[bytes], name: str) -> Iterator[Any]:
    """A property of each record, or of its `custom`."""
    top, _, key = name.partition(".") if name.startswith(_CUSTOM) else (name, "", "")
    decode = _reader((top,)).decode
    values = (decode(text).value_0 for text in texts)
    if not key:
        return values
    return (value.get(key) if isinstance(value, dict) else None for value in values)


@lru_cache(maxsize=64)
def _reader(names: tuple[str, ...]) -> Any:
    """A decoder of these properties only, which takes a fifth of the time of a whole record."""
    fields = [(f"value_{number}", Any, None) for number in range(len(names))]
    # msgspec refuses names with other characters, and no property of a record has such a name.
    renamed = {f"value_{number}": name if name.isidentifier() else "_" for number, name in enumerate(names)}
    return msgspec.json.Decoder(msgspec.defstruct("Properties", fields, rename=renamed))


def _rank(value: object) -> tuple[int, Any]:
    """A sort key that orders any two JSON values, by type as MongoDB does."""
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


def _selected(record: Record, names: Sequence[str]) -> Record:
    chosen = {name: record[name] for name in ("_id", *names) if name in record}
    custom = record.get("custom")
    if isinstance(custom, dict) and "custom" not in names:
        keys = [name.removeprefix(_CUSTOM) for name in names if name.startswith(_CUSTOM)]
        part = {key: custom[key] for key in keys if key in custom}
        return chosen | {"custom": part} if part else chosen
    return chosen
