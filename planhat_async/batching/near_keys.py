"""The keys of a chunk, and of the chunks near it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from operator import lt

import attrs

from planhat_async.batching.row import Key


class ChunkKeys(AbstractSet[Key]):
    """The keys of a chunk, none of which occurs in it twice; they are hashed only when one is looked up."""

    __slots__ = ("_keys", "_looked_up")

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = keys
        self._looked_up: frozenset[Key] | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._hashed

    def isdisjoint(self, other: Iterable[Key]) -> bool:
        """Whether none of the keys is in the other set."""
        return self._hashed.isdisjoint(other)

    @property
    def _hashed(self) -> frozenset[Key]:
        if self._looked_up is None:
            self._looked_up = frozenset(self._keys)
        return self._looked_up


@attrs.define
class NearKeys:
    """The keys of the open chunk, and of those cut just before it.

    While all keys are in ascending order, as in most exports, each is only compared with the one before: to look one
    up among 25,000 takes five times as long. From the first that is not, all are in one mapping, because a set for
    each chunk would mean a look-up in each of them.
    """

    distance: int
    """How many chunks on a key may come again."""
    _open: int = 0
    """The number of the open chunk."""
    _added: deque[list[Key]] = attrs.field(factory=lambda: deque([[]]))
    """The keys of each chunk, the open one last."""
    _greatest: Key | None = ""
    """The last key while all were in ascending order; then `None`."""
    _chunks: dict[Key, int] = attrs.field(factory=dict)
    """The number of the last chunk that has the key; empty while all are in ascending order."""

    def has_any(self, keys: Sequence[Key]) -> bool:
        """Whether one of the keys is near."""
        return not self._are_next(keys) and not self._chunks.keys().isdisjoint(keys)

    def add(self, keys: Sequence[Key]) -> None:
        """Add keys to the open chunk."""
        if self._are_next(keys):
            self._greatest = keys[-1]
        else:
            self._chunks.update(dict.fromkeys(keys, self._open))
        self._added[-1] += keys

    def add_distinct(self, keys: Sequence[Key]) -> bool:
        """Add keys to the open chunk, unless one of them is near or repeats; returns whether they were added."""
        if self._are_next(keys):
            self._greatest = keys[-1]
        else:
            mine = dict.fromkeys(keys, self._open)
            if len(mine) != len(keys) or not self._chunks.keys().isdisjoint(mine):
                return False
            self._chunks.update(mine)
        self._added[-1] += keys
        return True

    def open_chunk(self) -> ChunkKeys:
        """Go on to the next chunk, and forget the keys of the one that is no longer near.

        Returns:
            The keys of the chunk that was open.
        """
        cut = ChunkKeys(self._added[-1])
        self._open += 1
        self._added.append([])
        if len(self._added) > self.distance:
            forgotten, number, chunks = self._added.popleft(), self._open - self.distance, self._chunks
            if self._greatest is None:
                for key in forgotten:
                    if chunks.get(key) == number:
                        del chunks[key]
        return cut

    def n_chunks_to(self, keys: Sequence[Key]) -> int:
        """How many chunks have yet to be opened after the next one until all of these keys may come again."""
        if self._are_next(keys):
            return 0
        none = -self.distance
        last = max((self._chunks.get(key, none) for key in keys), default=none)
        return max(0, last + self.distance - 1 - self._open)

    def _are_next(self, keys: Sequence[Key]) -> bool:
        """Whether these keys, too, are in ascending order; if they are not, no later ones are looked at."""
        if self._greatest is None:
            return False
        if keys and self._greatest < keys[0] and all(map(lt, keys, islice(keys, 1, None))):
            return True
        self._greatest = None
        for number, added in enumerate(self._added, self._open - len(self._added) + 1):
            self._chunks.update(dict.fromkeys(added, number))
        return False
