"""The records of a sandbox, found by key in constant time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]

_INDEXED = ("sourceId", "externalId")


class ObjectIds:
    """New `_id`s: 8 hex digits of creation time, then 16 of a counter that starts where the seed says.

    Each is greater than those before it, even if the clock goes back.
    """

    def __init__(self, seed: int) -> None:
        self._count = random.Random(seed).getrandbits(63)  # noqa: S311  # ids need no secrecy, only a seed
        self._seconds = 0

    def new(self, now: float) -> str:
        """The next `_id`, for a record created at `now` (Unix seconds)."""
        self._seconds = max(self._seconds, int(now))
        self._count += 1
        return f"{self._seconds:08x}{self._count:016x}"


class Collection:
    """Records in the order of their `_id`s, with indexes by `sourceId` and `externalId`.

    Generated `_id`s ascend, so the order of insertion is the order wanted, and a list of the first page costs no sort.
    A caller's own `_id` may come out of order: then the next list sorts once.
    """

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._indexes: dict[str, dict[str, dict[str, Record]]] = {field: {} for field in _INDEXED}
        self._last_id = ""
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._records

    def get(self, record_id: str) -> Record | None:
        """The record of this `_id`."""
        return self._records.get(record_id)

    def find(self, field: str, value: str) -> Iterator[Record]:
        """The records whose `sourceId` or `externalId` this is, first stored first."""
        return iter(self._indexes[field].get(value, {}).values())

    def insert(self, record: Record) -> None:
        """Store a record under its `_id`, which must be new."""
        record_id: str = record["_id"]
        self._is_sorted = self._is_sorted and record_id > self._last_id
        self._last_id = record_id
        self._records[record_id] = record
        for field in _INDEXED:
            self._enter(field, record)

    def change(self, record: Record, changes: Record) -> None:
        """Set fields of a stored record."""
        moved = [field for field in _INDEXED if field in changes and changes[field] != record.get(field)]
        for field in moved:
            self._leave(field, record)
        record.update(changes)
        for field in moved:
            self._enter(field, record)

    def remove(self, record: Record) -> None:
        """Forget a stored record."""
        del self._records[record["_id"]]
        for field in _INDEXED:
            self._leave(field, record)

    def ordered(self, *, descending: bool = False) -> Iterator[Record]:
        """All records by `_id`."""
        if not self._is_sorted:
            self._records = dict(sorted(self._records.items()))
            self._last_id = next(reversed(self._records), "")
            self._is_sorted = True
        return reversed(self._records.values()) if descending else iter(self._records.values())

    def _enter(self, field: str, record: Record) -> None:
        value = record.get(field)
        if isinstance(value, str):
            self._indexes[field].setdefault(value, {})[record["_id"]] = record

    def _leave(self, field: str, record: Record) -> None:
        value = record.get(field)
        if isinstance(value, str):
            entries = self._indexes[field][value]
            del entries[record["_id"]]
            if not entries:
                del self._indexes[field][value]


class Store:
    """The two collections, and the `_id`s they share."""

    def __init__(self, seed: int = 0) -> None:
        self.conversations = Collection()
        self.tasks = Collection()
        self._ids = ObjectIds(seed)

    def __getitem__(self, collection: str) -> Collection:
        return self.tasks if collection == "tasks" else self.conversations

    def new_id(self, now: float) -> str:
        """An `_id` that no record has."""
        while (record_id := self._ids.new(now)) in self.conversations or record_id in self.tasks:
            pass
        return record_id
