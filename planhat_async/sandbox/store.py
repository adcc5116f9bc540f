"""Collections of records, found by key in constant time.

Records are stored as JSON text. A ticket takes about 1.5 kB, a third of what a dictionary takes; a page is joined, not
encoded; and the garbage collector has nothing to traverse, which took a second at 200,000 tickets.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from attrs import Factory, define

Record: TypeAlias = dict[str, Any]


class ObjectIds:
    """New `_id`s: 8 hex digits of creation time, then 16 of a counter that the seed starts.

    Each is greater than those before it, even if the clock goes back, unless its time is given.
    """

    def __init__(self, seed: int) -> None:
        self._count = random.Random(seed).getrandbits(63)  # noqa: S311  # ids need a seed, not secrecy
        self._seconds = 0

    def new(self, now: float, created: datetime | None = None) -> str:
        """The next `_id`, for a record created at `now` (Unix seconds), or at a time of the caller's own."""
        self._count += 1
        if created is not None:
            return f"{int(created.timestamp()):08x}{self._count:016x}"
        self._seconds = max(self._seconds, int(now))
        return f"{self._seconds:08x}{self._count:016x}"


@define
class SortedTexts:
    """Texts of records in the order of their `_id`s.

    Generated `_id`s ascend, so insertion order is usually the right order. A caller's own `_id` may come out of order:
    then the next list sorts once.
    """

    _texts: dict[str, bytes] = Factory(dict)
    _is_sorted: bool = True

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, record_id: str) -> bool:
        return record_id in self._texts

    def get(self, record_id: str) -> bytes | None:
        """The text of this `_id`."""
        return self._texts.get(record_id)

    def put(self, record_id: str, text: bytes) -> None:
        """Add a text, or replace it where it is."""
        if record_id not in self._texts:
            self._is_sorted = self._is_sorted and record_id > next(reversed(self._texts), "")
        self._texts[record_id] = text

    def remove(self, record_id: str) -> None:
        """Remove a text that is here."""
        del self._texts[record_id]

    def in_order(self) -> dict[str, bytes]:
        """All texts by `_id`, ascending; for reading only."""
        if not self._is_sorted:
            self._texts = dict(sorted(self._texts.items()))
            self._is_sorted = True
        return self._texts

    def copy(self) -> SortedTexts:
        """A copy that shares the texts."""
        return SortedTexts(dict(self._texts), self._is_sorted)


@define
class Index:
    """The `_id`s of the records that have a value, in the order in which they got it.

    Almost every value belongs to one record, whose `_id` is stored without a container. Values are texts, or the texts
    in a list.
    """

    _ids: dict[str, str | dict[str, None]] = Factory(dict)

    def ids(self, value: str) -> list[str]:
        """The records that have it."""
        found = self._ids.get(value, ())
        return [found] if isinstance(found, str) else list(found)

    def add(self, value: object, record_id: str) -> None:
        """Note that a record has it."""
        for text in _texts_in(value):
            found = self._ids.setdefault(text, record_id)
            if isinstance(found, dict):
                found[record_id] = None
            elif found != record_id:
                self._ids[text] = {found: None, record_id: None}

    def remove(self, value: object, record_id: str) -> None:
        """Note that a record no longer has it."""
        for text in _texts_in(value):
            found = self._ids[text]
            if isinstance(found, dict):
                del found[record_id]
            if not found or found == record_id:
                del self._ids[text]

    def copy(self) -> Index:
        """An independent copy."""
        return Index({value: dict(ids) if isinstance(ids, dict) else ids for value, ids in self._ids.items()})


def _texts_in(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return {one for one in value if isinstance(one, str)} if isinstance(value, list) else ()


class Collection:
    """Records in partitions, with indexes. Returned records are copies.

    Args:
        indexes: The fields by which records are found.
        partition_of: The partition that a record belongs to; lists read whole partitions without decoding records.
    """

    def __init__(self, indexes: Iterable[str] = (), partition_of: Callable[[Record], str] = lambda _: "all") -> None:
        self._partition_of = partition_of
        self._partitions: defaultdict[str, SortedTexts] = defaultdict(SortedTexts)
        self._indexes = {field: Index() for field in indexes}

    def __len__(self) -> int:
        return sum(map(len, self._partitions.values()))

    def __contains__(self, record_id: str) -> bool:
        # A generator would take three times as long, and every new `_id` is looked up in every collection.
        for texts in self._partitions.values():  # noqa: SIM110
            if record_id in texts:
                return True
        return False

    def get(self, record_id: str, partitions: tuple[str, ...] = ()) -> Record | None:
        """The record of this `_id` in these partitions; here and below, in any partition by default."""
        for name in partitions or self._partitions:
            texts = self._partitions.get(name)
            text = None if texts is None else texts.get(record_id)
            if text is not None:
                return decoded(text)
        return None

    def find(self, field: str, value: str, partitions: tuple[str, ...] = ()) -> Record | None:
        """The first stored record whose indexed field has this value."""
        return next(self.all_with(field, value, partitions), None)

    def all_with(self, field: str, value: str, partitions: tuple[str, ...] = ()) -> Iterator[Record]:
        """The records whose indexed field has this value, in the order in which they were stored."""
        for record_id in self._indexes[field].ids(value):
            record = self.get(record_id, partitions)
            if record is not None:
                yield record

    def insert(self, record: Record) -> None:
        """Store a record under its `_id`, which must be new."""
        record_id: str = record["_id"]
        self._texts(record).put(record_id, _text_of(record))
        for field, index in self._indexes.items():
            index.add(record.get(field), record_id)

    def change(self, record: Record, changes: Record) -> None:
        """Set fields of a stored record, and of this copy of it."""
        record_id, texts = record["_id"], self._texts(record)
        for field, index in self._indexes.items():
            if field in changes and changes[field] != record.get(field):
                index.remove(record.get(field), record_id)
                index.add(changes[field], record_id)
        record.update(changes)
        if self._texts(record) is not texts:
            texts.remove(record_id)
        self._texts(record).put(record_id, _text_of(record))

    def remove(self, record: Record) -> None:
        """Remove a stored record."""
        self._texts(record).remove(record["_id"])
        for field, index in self._indexes.items():
            index.remove(record.get(field), record["_id"])

    def texts(self, partitions: tuple[str, ...] = (), *, descending: bool = False) -> Iterator[bytes]:
        """The JSON texts of the records, by `_id`."""
        names = [name for name in partitions or self._partitions if self._partitions.get(name)]
        found = [self._partitions[name].in_order() for name in names]
        if len(found) == 1:
            return reversed(found[0].values()) if descending else iter(found[0].values())
        items = (reversed(texts.items()) if descending else iter(texts.items()) for texts in found)
        return (text for _, text in heapq.merge(*items, reverse=descending))

    def records(self, partitions: tuple[str, ...] = ()) -> Iterator[Record]:
        """Copies of the records, by `_id`."""
        return map(decoded, self.texts(partitions))

    def copy(self) -> Collection:
        """A copy that shares the texts of the records."""
        other = Collection((), self._partition_of)
        other._partitions |= {name: texts.copy() for name, texts in self._partitions.items()}
        other._indexes = {field: index.copy() for field, index in self._indexes.items()}
        return other

    def _texts(self, record: Record) -> SortedTexts:
        return self._partitions[self._partition_of(record)]


_ENCODER = msgspec.json.Encoder()
_BUFFER = bytearray()
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder()


def decoded(text: bytes) -> Record:
    """The record of a text."""
    return _DECODER.decode(text)


def _text_of(record: Record) -> bytes:
    # A copy of the right size: `encode` returns a shrunk buffer, and the memory cut off is lost between the texts.
    _ENCODER.encode_into(record, _BUFFER)
    return bytes(_BUFFER)
