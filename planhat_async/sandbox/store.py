"""The records of a sandbox, found by key in constant time.

They are kept as JSON text. A ticket takes some 1.5 kB that way, and as a dictionary three times as much; a page is
joined, not encoded; and the garbage collector has nothing to walk through, which took it a second at 200,000 tickets.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from attrs import frozen

Record: TypeAlias = dict[str, Any]

_INDEXED = ("sourceId", "externalId")


class ObjectIds:
    """New `_id`s: 8 hex digits of creation time, then 16 of a counter that starts where the seed says.

    Each is greater than those before it, even if the clock goes back, unless its time is given.
    """

    def __init__(self, seed: int) -> None:
        self._count = random.Random(seed).getrandbits(63)  # noqa: S311  # ids need no secrecy, only a seed
        self._seconds = 0

    def new(self, now: float, created: datetime | None = None) -> str:
        """The next `_id`, for a record created at `now` (Unix seconds), or at a time of the caller's own."""
        self._count += 1
        if created is not None:
            return f"{int(created.timestamp()):08x}{self._count:016x}"
        self._seconds = max(self._seconds, int(now))
        return f"{self._seconds:08x}{self._count:016x}"

    def copy(self) -> ObjectIds:
        """One that goes on from here."""
        other = ObjectIds(0)
        other._count, other._seconds = self._count, self._seconds
        return other


class Shelf:
    """Texts of records in the order of their `_id`s.

    Generated `_id`s ascend, so the order of insertion is the order wanted, and a list of the first page costs no sort.
    A caller's own `_id` may come out of order: then the next list sorts once.
    """

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._last_id = ""
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, record_id: str) -> bytes | None:
        """The text of this `_id`."""
        return self._texts.get(record_id)

    def put(self, record_id: str, text: bytes) -> None:
        """Add a text, or replace it where it is."""
        if record_id not in self._texts:
            self._is_sorted = self._is_sorted and record_id > self._last_id
            self._last_id = record_id
        self._texts[record_id] = text

    def remove(self, record_id: str) -> None:
        """Forget a text that is here."""
        del self._texts[record_id]

    def items(self, *, descending: bool = False) -> Iterator[tuple[str, bytes]]:
        """All `_id`s and texts."""
        self._sort()
        return reversed(self._texts.items()) if descending else iter(self._texts.items())

    def texts(self, *, descending: bool = False) -> Iterator[bytes]:
        """All texts."""
        self._sort()
        return reversed(self._texts.values()) if descending else iter(self._texts.values())

    def copy(self) -> Shelf:
        """Another shelf of the same texts."""
        other = Shelf()
        other._texts, other._last_id, other._is_sorted = dict(self._texts), self._last_id, self._is_sorted
        return other

    def _sort(self) -> None:
        if not self._is_sorted:
            self._texts = dict(sorted(self._texts.items()))
            self._last_id = next(reversed(self._texts), "")
            self._is_sorted = True


class Index:
    """The `_id`s of the records that have a value, in the order in which they got it.

    Almost every value is one record's, so it is kept without a container.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str | dict[str, None]] = {}

    def ids(self, value: str) -> list[str]:
        """The records that have it."""
        found = self._ids.get(value, {})
        return [found] if isinstance(found, str) else list(found)

    def enter(self, value: object, record_id: str) -> None:
        """A record has it now; what is no text is nobody's key."""
        if not isinstance(value, str):
            return
        found = self._ids.setdefault(value, record_id)
        if isinstance(found, dict):
            found[record_id] = None
        elif found != record_id:
            self._ids[value] = {found: None, record_id: None}

    def copy(self) -> Index:
        """Another index of the same values."""
        other = Index()
        other._ids = {value: dict(ids) if isinstance(ids, dict) else ids for value, ids in self._ids.items()}
        return other

    def leave(self, value: object, record_id: str) -> None:
        """A record that had it has it no longer."""
        if not isinstance(value, str):
            return
        found = self._ids[value]
        if isinstance(found, dict):
            del found[record_id]
        if not found or found == record_id:
            del self._ids[value]


class Collection:
    """Records on shelves, with indexes by `sourceId` and `externalId`. What comes out is a copy.

    Args:
        shelf_of: The shelf that a record belongs on: lists read whole shelves, and look into no record for it.
    """

    def __init__(self, shelf_of: Callable[[Record], str] = lambda _: "all") -> None:
        self._shelf_of = shelf_of
        self._shelves: dict[str, Shelf] = {}
        self._indexes = {field: Index() for field in _INDEXED}

    def __len__(self) -> int:
        return sum(map(len, self._shelves.values()))

    def __contains__(self, record_id: str) -> bool:
        return self._text(record_id) is not None

    def get(self, record_id: str) -> Record | None:
        """The record of this `_id`."""
        text = self._text(record_id)
        return None if text is None else decoded(text)

    def find(self, field: str, value: str) -> Iterator[Record]:
        """The records whose `sourceId` or `externalId` this is, first stored first."""
        records = map(self.get, self._indexes[field].ids(value))
        return (record for record in records if record is not None)

    def insert(self, record: Record) -> None:
        """Store a record under its `_id`, which must be new."""
        record_id: str = record["_id"]
        self._shelf(record).put(record_id, _text_of(record))
        for field, index in self._indexes.items():
            index.enter(record.get(field), record_id)

    def change(self, record: Record, changes: Record) -> None:
        """Set fields of a stored record, and of this copy of it."""
        record_id, shelf = record["_id"], self._shelf(record)
        for field, index in self._indexes.items():
            if field in changes and changes[field] != record.get(field):
                index.leave(record.get(field), record_id)
                index.enter(changes[field], record_id)
        record.update(changes)
        if self._shelf(record) is not shelf:
            shelf.remove(record_id)
        self._shelf(record).put(record_id, _text_of(record))

    def remove(self, record: Record) -> None:
        """Forget a stored record."""
        self._shelf(record).remove(record["_id"])
        for field, index in self._indexes.items():
            index.leave(record.get(field), record["_id"])

    def texts(self, *shelves: str, descending: bool = False) -> Iterator[bytes]:
        """The JSON texts of the records of these shelves, of all if none is named, by `_id`."""
        found = [self._shelves[name] for name in (shelves or self._shelves) if self._shelves.get(name)]
        if len(found) == 1:
            return found[0].texts(descending=descending)
        items = (shelf.items(descending=descending) for shelf in found)
        return (text for _, text in heapq.merge(*items, reverse=descending))

    def copy(self) -> Collection:
        """Another collection of the same records."""
        other = Collection(self._shelf_of)
        other._shelves = {name: shelf.copy() for name, shelf in self._shelves.items()}
        other._indexes = {field: index.copy() for field, index in self._indexes.items()}
        return other

    def records(self) -> Iterator[Record]:
        """Copies of all records by `_id`."""
        return map(decoded, self.texts())

    def _text(self, record_id: str) -> bytes | None:
        for shelf in self._shelves.values():
            text = shelf.get(record_id)
            if text is not None:
                return text
        return None

    def _shelf(self, record: Record) -> Shelf:
        name = self._shelf_of(record)
        if name not in self._shelves:
            self._shelves[name] = Shelf()
        return self._shelves[name]


_ENCODER = msgspec.json.Encoder()
_BUFFER = bytearray()
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder()
TICKET_SHELF, OTHER_SHELF, OPEN_SHELF, ARCHIVED_SHELF = "tickets", "others", "open", "archived"


def decoded(text: bytes) -> Record:
    """The record of a text."""
    return _DECODER.decode(text)


def _text_of(record: Record) -> bytes:
    # A copy of the right size: what `encode` returns was cut to size, and what was cut off is lost between the texts.
    _ENCODER.encode_into(record, _BUFFER)
    return bytes(_BUFFER)


def _conversation_shelf(record: Record) -> str:
    return TICKET_SHELF if record.get("type") == "ticket" else OTHER_SHELF


def _task_shelf(record: Record) -> str:
    return ARCHIVED_SHELF if record.get("isArchived") is True else OPEN_SHELF


@frozen
class StoreCopy:
    """What a store held at one time."""

    conversations: Collection
    tasks: Collection
    ids: ObjectIds


class Store:
    """The two collections, and the `_id`s they share."""

    def __init__(self, seed: int = 0) -> None:
        self.conversations = Collection(_conversation_shelf)
        self.tasks = Collection(_task_shelf)
        self._ids = ObjectIds(seed)

    def __getitem__(self, collection: str) -> Collection:
        return self.tasks if collection == "tasks" else self.conversations

    def copy(self) -> StoreCopy:
        """All records, to be restored; their texts are shared, not copied."""
        return StoreCopy(self.conversations.copy(), self.tasks.copy(), self._ids.copy())

    def restore(self, copy: StoreCopy) -> None:
        """Hold what the copy holds, as often as you like."""
        self.conversations, self.tasks = copy.conversations.copy(), copy.tasks.copy()
        self._ids = copy.ids.copy()

    def new_id(self, now: float, created: datetime | None = None) -> str:
        """An `_id` that no record has; `created` puts its time before those that were made already."""
        while (record_id := self._ids.new(now, created)) in self.conversations or record_id in self.tasks:
            pass
        return record_id
