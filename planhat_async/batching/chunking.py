"""Rows into chunks: decisions only.

Rows leave in the order of the input, those with a key and those without in chunks of their own, because only
the first may ever be sent again. No chunk holds the same key twice: Planhat refuses that.
"""

from __future__ import annotations

import attrs

from planhat_async.results import Outcome, Problem

Key = tuple[str, str]
"""The name of a key and its value."""


@attrs.frozen(kw_only=True)
class Row:
    """One row, ready to be sent."""

    position: int
    keys: tuple[Key, ...]
    """Everything that Planhat may match it on; empty for a row that is created each time."""
    data: bytes = attrs.field(repr=False)

    @property
    def key(self) -> str | None:
        """The key to show."""
        return self.keys[0][1] if self.keys else None


@attrs.frozen(kw_only=True)
class Chunk:
    """Rows that fit one request."""

    number: int
    rows: tuple[Row, ...] = attrs.field(repr=False)
    keys: frozenset[Key] = attrs.field(repr=False)
    """All keys of all rows."""
    invalid: tuple[Problem, ...] = attrs.field(default=(), repr=False)
    """Rows that were refused since the chunk before, so that chunks add up to the input."""

    @property
    def is_keyed(self) -> bool:
        """Whether every row has a key, so that sending the chunk again is safe."""
        return all(row.keys for row in self.rows)


def body_of(rows: tuple[Row, ...]) -> bytes:
    """The rows as a JSON array."""
    return b"[" + b",".join(row.data for row in rows) + b"]"


@attrs.define
class _Open:
    """A chunk that still takes rows."""

    rows: list[Row] = attrs.field(factory=list)
    keys: set[Key] = attrs.field(factory=set)
    n_bytes: int = 2

    def has_room(self, row: Row, chunk_size: int, max_bytes: int) -> bool:
        return (
            len(self.rows) < chunk_size
            and self.n_bytes + self._added(row) <= max_bytes
            and self.keys.isdisjoint(row.keys)
        )

    def add(self, row: Row) -> None:
        self.n_bytes += self._added(row)
        self.rows.append(row)
        self.keys.update(row.keys)

    def _added(self, row: Row) -> int:
        return len(row.data) + bool(self.rows)  # and a comma


@attrs.define(kw_only=True)
class Chunker:
    """Cuts rows into chunks of at most `chunk_size` rows and `max_bytes` bytes; how depends on the rows alone."""

    chunk_size: int
    max_bytes: int
    _n_cut: int = 0
    _open: dict[bool, _Open] = attrs.field(factory=lambda: {True: _Open(), False: _Open()})
    _invalid: list[Problem] = attrs.field(factory=list)

    def feed(self, row: Row) -> list[Chunk]:
        """Take a row; returns the chunk that it no longer fitted into, if so. One too large for any is refused."""
        if len(row.data) + 2 > self.max_bytes:
            reason = f"{len(row.data):,} bytes are more than one call may hold (max_bytes)"
            return self.refuse(Problem(outcome=Outcome.INVALID, reason=reason, position=row.position, key=row.key))
        kind = bool(row.keys)
        cut = []
        if not self._open[kind].has_room(row, self.chunk_size, self.max_bytes):
            cut = [self._cut(is_keyed=kind)]
        self._open[kind].add(row)
        return cut

    def refuse(self, problem: Problem) -> list[Chunk]:
        """Take a row that must not be sent; returns a chunk of nothing else once there are many."""
        self._invalid.append(problem)
        return [self._make(_Open())] if len(self._invalid) >= self.chunk_size else []

    def flush(self) -> list[Chunk]:
        """What is left, at the end of the input."""
        cut = [self._cut(is_keyed=kind) for kind in (True, False) if self._open[kind].rows]
        return [*cut, self._make(_Open())] if self._invalid else cut

    def _cut(self, *, is_keyed: bool) -> Chunk:
        full, self._open[is_keyed] = self._open[is_keyed], _Open()
        return self._make(full)

    def _make(self, full: _Open) -> Chunk:
        chunk = Chunk(
            number=self._n_cut, rows=tuple(full.rows), keys=frozenset(full.keys), invalid=tuple(self._invalid)
        )
        self._n_cut += 1
        self._invalid.clear()
        return chunk
