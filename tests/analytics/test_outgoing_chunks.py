"""Rows are cut into bodies by count and bytes, in order, and each is in exactly one chunk."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from planhat_async.analytics.outgoing_chunks import OutgoingChunk, OutgoingChunker, split_positions
from planhat_async.batching.chunks import Row
from planhat_async.results import Outcome, Problem

ITEMS = st.lists(st.one_of(st.integers(0, 30).map(lambda n: "x" * n), st.none()), max_size=60)
"""The texts of rows; `None` for an invalid one."""


def cut(items: list[str | None], chunk_size: int, max_bytes: int) -> list[OutgoingChunk]:
    chunker = OutgoingChunker(chunk_size=chunk_size, max_bytes=max_bytes)
    chunks: list[OutgoingChunk] = []
    for position, text in enumerate(items):
        if text is None:
            chunker.refuse(Problem(outcome=Outcome.INVALID, reason="bad", position=position))
        else:
            chunker.feed(Row(position, (), json.dumps([position, text]).encode()))
        if chunker.has_due:
            chunks += chunker.due()
    chunker.end_input()
    return [*chunks, *chunker.due()]


@given(ITEMS, st.integers(1, 20), st.integers(10, 200))
def test_every_row_is_in_exactly_one_chunk(items: list[str | None], chunk_size: int, max_bytes: int) -> None:
    """In the order of the input, within both limits; rows that fit no body are invalid."""
    chunks = cut(items, chunk_size, max_bytes)
    sent = []
    for number, chunk in enumerate(chunks):
        rows = json.loads(chunk.rows.body)
        positions = [n for one in chunk.rows.positions for n in one]
        assert [position for position, _ in rows] == positions
        assert chunk.rows.n_rows == len(rows) <= chunk_size
        assert chunk.result.invalid <= chunk_size
        assert not rows or len(chunk.rows.body) <= max_bytes
        assert len(chunk.result.positions) == len(rows) + chunk.result.rows > 0
        assert chunk.result.number == number
        sent += rows
    is_fit = [text is not None and len(json.dumps([n, text])) + 2 <= max_bytes for n, text in enumerate(items)]
    assert sent == [[n, text] for n, text in enumerate(items) if is_fit[n]]
    invalid = [n for chunk in chunks for ranges in chunk.result.not_accepted.values() for one in ranges for n in one]
    assert sorted(invalid) == [n for n in range(len(items)) if not is_fit[n]]
    assert [n for chunk in chunks for n in chunk.result.positions] == list(range(len(items)))


@given(ITEMS, st.integers(1, 20), st.integers(10, 200))
def test_chunks_are_as_full_as_they_can_be(items: list[str | None], chunk_size: int, max_bytes: int) -> None:
    """The first row of a chunk would not have fitted into the chunk before it."""
    chunks = [chunk.rows for chunk in cut(items, chunk_size, max_bytes) if not chunk.result.invalid]
    for before, after in pairwise(chunks):
        if before.positions and after.positions and before.positions[-1].stop == after.positions[0].start:
            first = json.dumps(json.loads(after.body)[0])
            assert before.n_rows == chunk_size or len(before.body) + 1 + len(first) > max_bytes


def test_the_limits_are_exact() -> None:
    """A body may have just as many bytes as allowed, brackets and commas included."""
    rows = [Row(n, (), b"123") for n in range(4)]
    for max_bytes, n_chunks in ((9, 2), (8, 4), (5, 4)):
        chunker = OutgoingChunker(chunk_size=100, max_bytes=max_bytes)
        for row in rows:
            chunker.feed(row)
        chunker.end_input()
        chunks = list(chunker.due())
        assert len(chunks) == n_chunks
        assert sum(chunk.rows.n_rows for chunk in chunks) == 4


def test_only_invalid_rows_make_chunks_too() -> None:
    """So an endless input of invalid rows is handed on."""
    chunks = cut([None] * 25, 10, 100)
    assert [(chunk.rows.n_rows, chunk.result.invalid) for chunk in chunks] == [(0, 10), (0, 10), (0, 5)]
    assert cut([], 10, 100) == []


@given(st.lists(st.integers(0, 40), unique=True, max_size=20), st.integers(0, 25))
def test_positions_are_split_where_the_rows_are(positions: list[int], index: int) -> None:
    """Before and from an index."""
    ranges = [range(n, n + 1) for n in sorted(positions)]
    before, after = split_positions(ranges, index)
    assert [n for one in before for n in one] == sorted(positions)[:index]
    assert [n for one in after for n in one] == sorted(positions)[index:]
