"""Rows into chunks: decisions only.

Keyed and keyless rows leave in chunks of their own, because only the first may ever be sent again. Planhat refuses
a body that holds a key twice, and two bodies in flight that share a key race. So a key that repeats decides how
chunks are cut: cut at each repeat, chunks come out small; put the second write into the very next chunk, and that
one has to wait for the first. What is done here instead:

A keyed row goes into the open chunk, unless one of its keys (every identifier on it counts) is in the open chunk,
in one of the four chunks cut before it, or on a row that waits already. Then it waits too. Whenever a chunk is
opened, the waiting rows whose keys are five chunks away by then go in first. So five neighbours never share a key
and can be in flight together, chunks are full, and since each key's rows queue behind each other, writes to one key
keep the order of the input. Rows of different keys may overtake one another.

What waits is bounded by four times `chunk_size` rows and by `max_bytes`: beyond that the open chunk leaves early.
While more than a quarter of that waits, and at the end of the input, a key need not be five chunks away, only
in another chunk: full chunks matter less than an end.

How rows are cut depends on the rows and on which of them are skipped, never on when an answer came, so the same input
is cut the same way
again. Each row costs constant work, however many wait: a waiting row knows how many queues it is not the first of,
and is looked at again only when that number falls to 0 and its chunk has come.

A row may let several chunks go. They are handed out one by one by `due`, which may be left at any point: a row that
was fed is held here until the chunk it is in has been handed out.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import attrs

from planhat_async._convert import RowBlock
from planhat_async.batching.chunk_rows import ChunkRows
from planhat_async.batching.chunks import Chunk, Key, Row, Rows
from planhat_async.batching.near_keys import NearKeys
from planhat_async.results import Outcome, Problem

IsStored: TypeAlias = Callable[[Row], bool]
"""Whether an earlier run stored the same row, so that it is not sent; called once for each row, in input order."""

_DISTANCE = 5
"""How many chunks on a key may come again. With four in flight a chunk could follow four after another; one more
keeps the slowest of them from holding up the next: 3.3 in flight instead of 3.1 where 1 % or 10 % of keys repeat."""
_MAX_CHUNKS_WAITING = 4


@attrs.define
class _Open:
    """A chunk that still takes rows."""

    parts: list[Row | RowBlock] = attrs.field(factory=list)
    """Its rows, those of blocks together."""
    n_rows: int = 0
    n_bytes: int = 1
    """The length of the body: brackets and commas are a byte more than one for each row."""
    is_apart: bool = True
    """Whether no key is in one of the chunks cut just before."""
    _body: io.BytesIO = attrs.field(factory=io.BytesIO)

    def add(self, row: Row, n_bytes: int) -> None:
        """Add a row, which makes the body `n_bytes` longer."""
        write = self._body.write
        write(b"," if self.n_rows else b"[")
        write(row.data)
        self.n_bytes += n_bytes
        self.n_rows += 1
        self.parts.append(row)

    def add_block(self, block: RowBlock) -> None:
        """Add the rows of a block, which then leaves its own body."""
        self._body.write(b"," if self.n_rows else b"[")
        with memoryview(block.body) as rows:
            self._body.write(rows[:-1])
        self.n_bytes += len(block.body)
        self.n_rows += len(block.keys)
        self.parts.append(block)
        block.body = bytearray()

    def rows(self, body: bytes) -> Rows:
        """All rows, given the body."""
        rows = [part for part in self.parts if isinstance(part, Row)]
        return tuple(rows) if len(rows) == len(self.parts) else ChunkRows(self.parts, body)

    def body(self) -> bytes:
        """All rows as a JSON array, without a copy."""
        self._body.write(b"]" if self.n_rows else b"[]")
        return self._body.getvalue()


@attrs.define(eq=False)
class _Waiting:
    """A row whose key is too near."""

    row: Row
    n_behind: int = 0
    """The number of its keys' queues in which it is not the first."""


@attrs.define(kw_only=True)
class Chunker:
    """Cuts rows into chunks of at most `chunk_size` rows and `max_bytes` bytes, by the rows alone."""

    chunk_size: int
    max_bytes: int
    is_stored: IsStored | None = None
    """Whether a row is skipped; by default none is."""
    _n_cut: int = 0
    _keyless: _Open = attrs.field(factory=_Open)
    _keyed: _Open = attrs.field(factory=_Open)
    _near: NearKeys = attrs.field(factory=lambda: NearKeys(_DISTANCE))
    """The keys of the open keyed chunk, and of those just cut."""
    _queues: dict[Key, deque[_Waiting]] = attrs.field(factory=dict)
    """Waiting rows by key, each row in the queue of each of its keys."""
    _ripe: deque[_Waiting] = attrs.field(factory=deque)
    """Waiting rows that may go into the next chunk that is opened."""
    _ripening: deque[deque[_Waiting]] = attrs.field(factory=lambda: deque(deque() for _ in range(_DISTANCE)))
    """And into the one after that, and so on."""
    _n_waiting: int = 0
    _n_bytes_waiting: int = 0
    _invalid: list[Problem] = attrs.field(factory=list)
    _skipped: list[range] = attrs.field(factory=list)
    _ready: deque[Chunk] = attrs.field(factory=deque)
    has_due: bool = False
    """Whether `due` yields a chunk."""
    _is_at_end: bool = False
    _has_cut_rows: bool = False

    def feed(self, row: Row) -> None:
        """Add a row; `due` yields what is complete by then. A row too large for any chunk is refused."""
        if self.is_stored is not None and self.is_stored(row):
            self._skip(row.position)
            return
        n_bytes = len(row.data) + 1
        keys = row.keys
        if n_bytes >= self.max_bytes:
            self.refuse(self._too_large(row))
        elif not keys:
            if self._keyless.n_bytes + n_bytes > self.max_bytes:
                self._cut_keyless()
            self._keyless.add(row, n_bytes)
            if self._keyless.n_rows >= self.chunk_size:
                self._cut_keyless()
        else:
            waiting = self._queues
            if self._near.has_any(keys) or (waiting and not waiting.keys().isdisjoint(keys)):
                self._wait(row)
                return
            while self._keyed.n_bytes + n_bytes > self.max_bytes:
                self._cut_keyed()
            self._add_keyed(row, n_bytes)
            if self._keyed.n_rows >= self.chunk_size:
                self._cut_keyed()

    @property
    def room(self) -> tuple[int, int]:
        """Rows and bytes that any chunk has room for: with more a chunk would be due."""
        n_rows = max(self._keyed.n_rows, self._keyless.n_rows)
        n_bytes = max(self._keyed.n_bytes, self._keyless.n_bytes)
        return max(1, self.chunk_size - n_rows), max(1, self.max_bytes - n_bytes)

    def feed_block(self, block: RowBlock) -> bool:
        """Add the rows of a block, with the same result as one after another; returns whether that is possible.

        It is not if a key repeats or a chunk would become too large: then add row after row.
        """
        is_keyed = block.kind is not None and block.kind.is_keyed
        chunk = self._keyed if is_keyed else self._keyless
        n_rows, n_bytes = chunk.n_rows + len(block.keys), chunk.n_bytes + len(block.body)
        fits = n_rows <= self.chunk_size and n_bytes <= self.max_bytes
        if not fits or (is_keyed and not self._may_join(block.keys)):
            return False
        chunk.add_block(block)
        if n_rows >= self.chunk_size:
            if is_keyed:
                self._cut_keyed()
            else:
                self._cut_keyless()
        return True

    def _may_join(self, keys: Sequence[Key]) -> bool:
        """Note the keys of a block, unless one repeats, or is too near for the open chunk."""
        waiting = self._queues
        return (not waiting or waiting.keys().isdisjoint(keys)) and self._near.add_distinct(keys)

    def _add_keyed(self, row: Row, n_bytes: int) -> None:
        self._keyed.add(row, n_bytes)
        self._near.add(row.keys)

    def refuse(self, problem: Problem) -> None:
        """Count an invalid row; it is reported with the next chunk, or in a chunk of `chunk_size` invalid rows."""
        self._invalid.append(problem)
        if len(self._invalid) >= self.chunk_size:
            self._make(_Open())

    def _skip(self, position: int) -> None:
        """Count a row that is not sent; it is reported with the next chunk."""
        if self._skipped and self._skipped[-1].stop == position:
            self._skipped[-1] = range(self._skipped[-1].start, position + 1)
        else:
            self._skipped.append(range(position, position + 1))

    def objection_to(self, row: Row) -> Problem | None:
        """Why `feed` would refuse the row, or `None`."""
        return self._too_large(row) if len(row.data) + 2 > self.max_bytes else None

    def _too_large(self, row: Row) -> Problem:
        reason = f"{len(row.data):,} bytes are more than one call may hold (max_bytes)"
        return Problem(outcome=Outcome.INVALID, reason=reason, position=row.position, key=row.key)

    def end_input(self) -> None:
        """Note that the input has ended: every open chunk is due."""
        self._is_at_end = self.has_due = True
        self._fill()

    def due(self) -> Iterator[Chunk]:
        """Yield the chunks that are due, each cut when it is asked for."""
        while True:
            if not self._ready:
                if self._holds_too_much:
                    self._fill()
                is_full = self._keyed.n_rows >= self.chunk_size
                if self._keyed.n_rows and (is_full or self._holds_too_much or self._is_at_end):
                    self._cut_keyed()
                elif self._is_at_end and self._keyless.n_rows:
                    self._cut_keyless()
                elif self._is_at_end and (self._invalid or self._skipped):
                    self._make(_Open())
                else:
                    self.has_due = False
                    return
            yield self._ready.popleft()

    @property
    def _holds_too_much(self) -> bool:
        return self._n_waiting > _MAX_CHUNKS_WAITING * self.chunk_size or self._n_bytes_waiting > self.max_bytes

    def _cut_keyless(self) -> None:
        full, self._keyless = self._keyless, _Open()
        self._make(full)

    def _cut_keyed(self) -> None:
        """Cut the open chunk, and fill the next one with the waiting rows whose turn has come.

        The open chunk then has room for another row: a chunk that waiting rows fill is cut too.
        """
        self._turn()
        while self._keyed.n_rows >= self.chunk_size:
            self._turn()

    def _turn(self) -> None:
        full, self._keyed = self._keyed, _Open()
        self._make(full, self._near.open_chunk())
        self._ripe += self._ripening.popleft()
        self._ripening.append(deque())
        self._fill()

    def _make(self, full: _Open, keys: AbstractSet[Key] = frozenset()) -> None:
        others = self._has_cut_rows or self._keyed.n_rows or self._keyless.n_rows or self._n_waiting
        body = full.body()
        chunk = Chunk(
            number=self._n_cut,
            rows=full.rows(body),
            keys=keys,
            n_apart=_DISTANCE - 1 if full.is_apart else 0,
            body=body,
            invalid=tuple(self._invalid),
            skipped=tuple(self._skipped),
            is_only=self._is_at_end and not others,
        )
        self._has_cut_rows |= bool(full.n_rows)
        self._ready.append(chunk)
        self.has_due = True
        self._n_cut += 1
        self._invalid.clear()
        self._skipped.clear()

    def _wait(self, row: Row) -> None:
        waiting = _Waiting(row)
        for key in row.keys:
            queue = self._queues.setdefault(key, deque())
            waiting.n_behind += bool(queue)
            queue.append(waiting)
        self._n_waiting += 1
        self._n_bytes_waiting += len(row.data) + 1
        if not waiting.n_behind:
            self._ripen(waiting)
        self.has_due = self.has_due or self._holds_too_much

    def _ripen(self, waiting: _Waiting) -> None:
        """Note the chunk that a row may go into, once it is the first of all its keys."""
        self._ripening[self._near.n_chunks_to(waiting.row.keys)].append(waiting)

    def _fill(self) -> None:
        """Put the waiting rows whose turn has come into the open chunk, as many as it holds."""
        while self._keyed.n_rows < self.chunk_size and (source := self._next_source()):
            row = source[0].row
            n_bytes = len(row.data) + 1
            if self._keyed.n_bytes + n_bytes > self.max_bytes:
                return
            self._keyed.is_apart &= source is self._ripe
            source.popleft()
            self._add_keyed(row, n_bytes)  # before any row behind is looked at
            self._n_waiting -= 1
            self._n_bytes_waiting -= n_bytes
            self._leave_queues(row)

    def _next_source(self) -> deque[_Waiting] | None:
        """The queue of the next waiting row, or `None`."""
        if self._ripe:
            return self._ripe
        if self._is_at_end or self._n_waiting > self.chunk_size or 4 * self._n_bytes_waiting > self.max_bytes:
            # All but the last: those have a key that is in the open chunk.
            return next((rows for rows in list(self._ripening)[:-1] if rows), None)
        return None

    def _leave_queues(self, row: Row) -> None:
        for key in row.keys:
            queue = self._queues[key]
            queue.popleft()
            if not queue:
                del self._queues[key]
                continue
            queue[0].n_behind -= 1
            if not queue[0].n_behind:
                self._ripen(queue[0])
