"""The records of a sandbox: collections, snapshots and JSON lines."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from attrs import field, frozen

from planhat_async.sandbox.models import ALL, Entry, Rules
from planhat_async.sandbox.models.rules import ANY_KEY
from planhat_async.sandbox.store import Collection, ObjectIds, Record, decoded


@frozen
class Snapshot:
    """The records of a sandbox at one time. It can be restored any number of times."""

    collections: Mapping[str, Collection] = field(repr=False)
    ids: ObjectIds = field(repr=False)


class State:
    """The records of all models, and the `_id`s that they share.

    Args:
        seed: Where the generated `_id`s begin.
        entries: The companies, users and end users registered from the start.
        models: The models there are.
    """

    def __init__(self, seed: int = 0, entries: Iterable[Entry] = (), models: Iterable[Rules] = ALL) -> None:
        self._models = {rules.name: rules for rules in models}
        # The model that owns the collection answers a path that several share.
        self._paths = {rules.path: rules for rules in sorted(self._models.values(), key=_owns_collection)}
        # Only those used so far: every new `_id` is looked up in each.
        self._collections: dict[str, Collection] = {}
        self._ids = ObjectIds(seed)
        for entry in entries:
            self.register(entry)

    def model(self, name: str) -> Rules:
        """The rules of a model.

        Raises:
            ValueError: There is no model of this name.
        """
        if name not in self._models:
            raise ValueError(f"no model is called {name!r}; there are {', '.join(self._models)}")
        return self._models[name]

    def model_at(self, path: str) -> Rules | None:
        """The rules of the model that has this path."""
        return self._paths.get(path)

    def collection(self, rules: Rules) -> Collection:
        """Where the records of a model are stored."""
        found = self._collections.get(rules.collection)
        if found is None:
            owner = self._models[rules.collection]
            found = self._collections[owner.name] = Collection(owner.indexes, owner.partition_of)
        return found

    def find(self, rules: Rules, key: str, kinds: Iterable[str] = ANY_KEY) -> Record | None:
        """The record that a key of one of these kinds names, if the model's path shows it."""
        kind, dash, value = key.partition("-")
        if dash and kind in rules.key_fields and kind in kinds:
            return self.match(rules, rules.key_fields[kind], value)
        return self.match(rules, "_id", key)

    def match(self, rules: Rules, field: str, value: object) -> Record | None:
        """The record whose `_id`, or whose indexed field, has this value; of several the one stored first."""
        if not isinstance(value, str):
            return None
        if field == "_id":
            return self.collection(rules).get(value, rules.visible_partitions)
        return self.collection(rules).find(field, value, rules.key_partitions)

    def matches(self, rules: Rules, field: str, value: str) -> Iterator[Record]:
        """The records whose indexed field has this value, the one stored first first."""
        return self.collection(rules).all_with(field, value, rules.key_partitions)

    def new_id(self, now: float, created: datetime | None = None) -> str:
        """An `_id` that no record has, with the time `created` in it, or `now`."""
        record_id = self._ids.new(now, created)
        for collection in self._collections.values():
            if record_id in collection:
                return self.new_id(now, created)
        return record_id

    def records(self, name: str) -> list[Record]:
        """Copies of a model's records, in `_id` order."""
        rules = self.model(name)
        return list(self.collection(rules).records(rules.partitions))

    def add(self, name: str, record: Mapping[str, Any], *, now: float, created: datetime | None = None) -> Record:
        """Store a record without applying any rule, as `Planhat.add` does.

        Raises:
            ValueError: Another record has this `_id`, or there is no model of this name.
            TypeError: The `_id` is not text.
        """
        rules = self.model(name)
        collection = self.collection(rules)
        stored = decoded(msgspec.json.encode({**rules.filled_in, **record}))
        if "_id" not in stored:
            stored["_id"] = self.new_id(now, created)
        record_id = stored["_id"]
        if not isinstance(record_id, str):
            raise TypeError(f"an _id is text, not {record_id!r}")
        before = collection.get(record_id)
        if before is not None and not rules.is_replaceable:
            raise ValueError(f"a record with the _id {record_id} already exists")
        if before is not None:
            collection.remove(before)
        collection.insert(stored)
        return stored

    def register(self, entry: Entry) -> None:
        """Add a company, a user or an end user; one of the same `_id` is replaced."""
        self.add(entry.MODEL, entry.record(), now=0.0)

    def snapshot(self) -> Snapshot:
        """All records as they are now; their texts are shared, not copied."""
        return Snapshot(
            {name: collection.copy() for name, collection in self._collections.items()}, copy.copy(self._ids)
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot, also of the generated `_id`s."""
        self._collections = {name: collection.copy() for name, collection in snapshot.collections.items()}
        self._ids = copy.copy(snapshot.ids)

    def lines(self) -> Iterator[bytes]:
        """All records as JSON lines, each `{"model": "tasks", "record": {...}}`, by `_id` in each collection."""
        for name in filter(self._collections.__contains__, self._models):
            for text in self._collections[name].texts():
                yield msgspec.json.encode({"model": name, "record": msgspec.Raw(text)}) + b"\n"

    def load(self, lines: Iterable[bytes], *, now: float, model: str | None = None) -> int:
        """Add the records of such lines or, given a model, of lines that are its records; blank lines are ignored.

        Returns:
            The number of records.

        Raises:
            ValueError: A line is invalid or repeats the `_id` of a record.
        """
        if model is not None:
            self.model(model)
        n_records = 0
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                name, record = _entry(line, model)
                self.add(name, record, now=now)
            except (ValueError, TypeError) as error:
                raise ValueError(f"line {number}: {error}") from error
            n_records += 1
        return n_records


def _owns_collection(rules: Rules) -> bool:
    return rules.collection == rules.name


def _entry(line: bytes, model: str | None) -> tuple[str, Record]:
    value = msgspec.json.decode(line)
    if model is None and isinstance(value, dict) and value.keys() == {"model", "record"}:
        model, value = str(value["model"]), value["record"]
    if model is None or not isinstance(value, dict):
        raise ValueError('a line is {"model": ..., "record": {...}}')
    return model, value
