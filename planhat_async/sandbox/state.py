"""All that a sandbox holds: records, and the companies and people they name; as one value, and as JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import attrs
import msgspec
from attrs import frozen

from planhat_async.sandbox.companies import Companies, Company
from planhat_async.sandbox.fields import TICKETS
from planhat_async.sandbox.people import EndUser, People, User
from planhat_async.sandbox.store import Collection, Record, Store, StoreCopy, decoded

_SHELVES: dict[str, Callable[[Record], bool]] = {
    "notes": lambda record: record.get("type") == "note" or record.get("isCustomType") is True,
    "tasks": lambda _: True,
    "tickets": TICKETS.owns,
    "conversations": lambda _: True,
}
_FILLED_IN: dict[str, Record] = {
    "notes": {"type": "note"},
    "tasks": {},
    "tickets": {"type": "ticket"},
    "conversations": {},
}
Named: TypeAlias = Company | User | EndUser
_NAMED: dict[str, type[Named]] = {"companies": Company, "users": User, "endusers": EndUser}


@frozen
class Snapshot:
    """What a sandbox held at one time. It can be restored as often as you like."""

    records: StoreCopy = attrs.field(repr=False)
    named: tuple[Named, ...]


class State:
    """The records, the companies, the people.

    Args:
        seed: Where the generated `_id`s begin.
        named: The companies, users and end users registered from the start.
    """

    def __init__(self, seed: int = 0, named: Iterable[Named] = ()) -> None:
        self.store = Store(seed)
        self.companies = Companies()
        self.people = People()
        for entry in named:
            self.register(entry)

    def register(self, entry: Named) -> None:
        """Make a company or a person known; one of the same `_id` is replaced."""
        if isinstance(entry, Company):
            self.companies.add(entry)
        elif isinstance(entry, User):
            self.people.add_user(entry)
        else:
            self.people.add_enduser(entry)

    def records(self, name: str) -> list[Record]:
        """Copies of the stored `"notes"`, `"tasks"` or `"tickets"`, or of all `"conversations"`, in `_id` order.

        Raises:
            ValueError: There is no other name.
        """
        collection, is_wanted = self._collection(name), _SHELVES[name]
        return [record for record in collection.records() if is_wanted(record)]

    def add(self, name: str, record: Mapping[str, Any], *, now: float, created: datetime | None = None) -> Record:
        """Put a record straight into the store, past all rules; a copy of it as stored comes back.

        Only a missing `_id` is filled in, and a missing `type` of a note or a ticket. The names are those of `records`.

        Raises:
            ValueError: There is a record of this `_id`, or there is no such name.
            TypeError: The `_id` is no text.
        """
        collection = self._collection(name)
        stored = _copied(_FILLED_IN[name] | dict(record))
        stored.setdefault("_id", self.store.new_id(now, created))
        record_id = stored["_id"]
        if not isinstance(record_id, str):
            raise TypeError(f"an _id is text, not {record_id!r}")
        if record_id in collection:
            raise ValueError(f"there is a record of the _id {record_id}")
        collection.insert(stored)
        return stored

    def snapshot(self) -> Snapshot:
        """All of it, as it is now."""
        return Snapshot(self.store.copy(), tuple(self._named()))

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what was held then; generated `_id`s go on from there as well."""
        self.store.restore(snapshot.records)
        self.companies, self.people = Companies(), People()
        for entry in snapshot.named:
            self.register(entry)

    def lines(self) -> Iterator[bytes]:
        """All of it as JSON lines, each `{"model": "tasks", "record": {...}}`; records by `_id`."""
        models = {cls: model for model, cls in _NAMED.items()}
        for entry in self._named():
            yield _line(models[type(entry)], msgspec.json.encode(attrs.asdict(entry)))
        for model in ("conversations", "tasks"):
            for text in self.store[model].texts():
                yield _line(model, text)

    def read(self, lines: Iterable[bytes], *, now: float, model: str | None = None) -> int:
        """Add what such lines hold, or what lines hold that are a record of that model each; blank ones are none.

        Returns:
            How many entries there were.

        Raises:
            ValueError: A line is none, or there is a record of its `_id` already.
        """
        _require_known(model or "tasks")
        n_entries = 0
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                self._enter(*_entry(line, model), now=now)
            except (ValueError, TypeError) as error:
                raise ValueError(f"line {number}: {error}") from error
            n_entries += 1
        return n_entries

    def _enter(self, model: str, record: Record, *, now: float) -> None:
        _require_known(model)
        if model in _NAMED:
            self.register(_NAMED[model](**record))
        else:
            self.add(model, record, now=now)

    def _named(self) -> Iterator[Named]:
        yield from self.companies
        yield from self.people.users
        yield from self.people.endusers

    def _collection(self, name: str) -> Collection:
        if name not in _SHELVES:
            raise ValueError(f"no model is called {name!r}; there are {', '.join(_SHELVES)}")
        return self.store["tasks" if name == "tasks" else "conversations"]


def _require_known(model: str) -> None:
    if model not in _NAMED and model not in _SHELVES:
        raise ValueError(f"no model is called {model!r}; there are {', '.join([*_SHELVES, *_NAMED])}")


def _copied(record: Record) -> Record:
    return decoded(msgspec.json.encode(record))


def _line(model: str, text: bytes) -> bytes:
    return msgspec.json.encode({"model": model, "record": msgspec.Raw(text)}) + b"\n"


def _entry(line: bytes, model: str | None) -> tuple[str, Record]:
    value = msgspec.json.decode(line)
    if model is None and isinstance(value, dict) and value.keys() == {"model", "record"}:
        model, value = str(value["model"]), value["record"]
    if model is None or not isinstance(value, dict):
        raise ValueError('a line is {"model": ..., "record": {...}}')
    return model, value
