"""Rows into chunks."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, invalid, row, seeded

from planhat_async.batching.chunking import Chunk, Chunker, Key, Row, pieces_of
from planhat_async.results import Problem


def cut(items: list[Row | Problem], chunk_size: int = 3, max_bytes: int = 1000) -> list[Chunk]:
    chunker = Chunker(chunk_size=chunk_size, max_bytes=max_bytes)
    chunks: list[Chunk] = []
    for item in items:
        if isinstance(item, Row):
            chunker.feed(item)
        else:
            chunker.refuse(item)
        chunks += chunker.due()
    chunker.end()
    return [*chunks, *chunker.due()]


def body_of(rows: tuple[Row, ...]) -> bytes:
    return b"".join(pieces_of(rows))


sizes = st.integers(1, 6)
bytes_for_any_row = st.integers(22, 60)
"""Room for the longest row of `inputs()` and its brackets."""


def keys_in(items: Iterable[Row | Problem]) -> set[Key]:
    return {key for item in items if isinstance(item, Row) for key in item.keys}


@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_joined_chunks_are_the_input(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """The chunks hold every row exactly once."""
    sent = [one for chunk in cut(items, chunk_size, max_bytes) for one in chunk.rows]
    assert sorted(sent, key=lambda one: one.position) == [item for item in items if isinstance(item, Row)]


@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_rows_of_one_key_keep_their_order(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """Whatever other keys they have; and keyless rows, which never wait, keep theirs."""
    sent = [one for chunk in cut(items, chunk_size, max_bytes) for one in chunk.rows]
    rows = [item for item in items if isinstance(item, Row)]
    for key in keys_in(rows):
        assert [one for one in sent if key in one.keys] == [one for one in rows if key in one.keys]
    assert [one for one in sent if not one.keys] == [one for one in rows if not one.keys]


@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_no_chunk_is_too_large(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """No body holds more than `chunk_size` rows or `max_bytes` bytes."""
    for chunk in cut(items, chunk_size, max_bytes):
        assert len(chunk.rows) <= chunk_size
        assert len(body_of(chunk.rows)) <= max_bytes


@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_no_chunk_is_empty(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """A chunk holds rows, or accounts for invalid ones."""
    assert all(chunk.rows or chunk.invalid for chunk in cut(items, chunk_size, max_bytes))


@seeded
@given(inputs(), sizes)
def test_keyed_and_keyless_rows_are_kept_apart(items: list[Row | Problem], chunk_size: int) -> None:
    """Only a chunk whose rows all have a key says that it is keyed, and no other holds a row with one."""
    for chunk in cut(items, chunk_size):
        assert {bool(one.keys) for one in chunk.rows} <= {chunk.is_keyed}


@seeded
@given(inputs(), sizes)
def test_no_key_comes_twice_in_a_chunk(items: list[Row | Problem], chunk_size: int) -> None:
    """A chunk's keys are all different, and it knows them."""
    for chunk in cut(items, chunk_size):
        keys = [key for one in chunk.rows for key in one.keys]
        assert (len(set(keys)), frozenset(keys)) == (len(keys), chunk.keys)


@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_the_same_input_is_cut_the_same(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """How chunks are cut depends on the rows alone, so a rerun cuts the same."""
    assert cut(items, chunk_size, max_bytes) == cut(list(items), chunk_size, max_bytes)


@seeded
@given(inputs(), sizes)
def test_invalid_rows_are_carried_by_exactly_one_chunk(items: list[Row | Problem], chunk_size: int) -> None:
    """Chunks add up to the input, in the order in which the invalid rows came."""
    carried = [problem for chunk in cut(items, chunk_size) for problem in chunk.invalid]
    assert carried == [item for item in items if isinstance(item, Problem)]


@seeded
@given(inputs(), sizes)
def test_a_chunk_carries_few_invalid_rows(items: list[Row | Problem], chunk_size: int) -> None:
    """Invalid rows are handed out as they come, so that they do not pile up."""
    assert all(len(chunk.invalid) <= chunk_size for chunk in cut(items, chunk_size))


@seeded
@given(inputs(), sizes)
def test_chunks_are_numbered_in_the_order_of_the_cut(items: list[Row | Problem], chunk_size: int) -> None:
    """Numbers count from 0 and none is left out."""
    chunks = cut(items, chunk_size)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))


@pytest.mark.parametrize(
    ("n_rows", "lengths"), [(0, []), (1, [1]), (2, [2]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
@pytest.mark.parametrize("is_keyed", [True, False])
def test_chunks_are_full_but_for_the_last(n_rows: int, lengths: list[int], *, is_keyed: bool) -> None:
    """Rows that do not stand in each other's way fill chunks of `chunk_size`."""
    items: list[Row | Problem] = [row(n, str(n)) if is_keyed else row(n) for n in range(n_rows)]
    assert [len(chunk.rows) for chunk in cut(items, chunk_size=3)] == lengths


@pytest.mark.parametrize(("n_bytes", "lengths"), [(7, [2]), (8, [1, 1])])
def test_a_byte_too_many_opens_the_next_chunk(n_bytes: int, lengths: list[int]) -> None:
    """Two rows, brackets and comma fit as long as they are within `max_bytes`."""
    chunks = cut([row(0, "a", n_bytes=6), row(1, "b", n_bytes=n_bytes)], max_bytes=16)
    assert [len(chunk.rows) for chunk in chunks] == lengths


def test_a_row_nearly_as_large_as_a_body_leaves_alone() -> None:
    """A row beside which there is no room for another makes a chunk of its own."""
    rows = [row(0, n_bytes=4), row(1, n_bytes=17), row(2, n_bytes=4)]
    assert [chunk.rows for chunk in cut([*rows], max_bytes=20)] == [(one,) for one in rows]


@pytest.mark.parametrize("n_bytes", [18, 19])
def test_a_row_as_large_as_a_body_leaves_no_empty_chunk(n_bytes: int) -> None:
    """A row that fills `max_bytes` by itself, or passes it, is no reason for a chunk of nothing."""
    chunks = cut([row(0, n_bytes=n_bytes), row(1, n_bytes=4)], max_bytes=20)
    assert all(chunk.rows or chunk.invalid for chunk in chunks)


def test_a_row_larger_than_a_body_is_not_sent() -> None:
    """A row that no body may hold is refused like an invalid one, and the rows beside it leave."""
    chunks = cut([row(0, "a"), row(1, "b", n_bytes=19), row(2, "c")], max_bytes=20)
    assert [one.position for chunk in chunks for one in chunk.rows] == [0, 2]
    assert [problem.position for chunk in chunks for problem in chunk.invalid] == [1]


def test_a_repeated_key_opens_the_next_chunk() -> None:
    """Planhat refuses a key that comes twice in one body; any key of a row counts."""
    rows = [row(0, "a"), row(1, "b"), row(2, "c", "a"), row(3, "b")]
    assert [chunk.rows for chunk in cut([*rows])] == [tuple(rows[:2]), tuple(rows[2:])]


def test_names_of_keys_tell_equal_values_apart() -> None:
    """An `_id` and a `sourceId` of the same text are two keys."""
    rows = (Row(position=0, keys=("_id=a",), data=b"1"), row(1, "a"))
    assert [chunk.rows for chunk in cut([*rows])] == [rows]


def test_invalid_rows_alone_leave_in_chunks_of_their_own() -> None:
    """An input in which nothing may be sent is handed out by and by as well."""
    problems = [invalid(position) for position in range(7)]
    chunks = cut([*problems], chunk_size=3)
    assert [(chunk.rows, [p.position for p in chunk.invalid]) for chunk in chunks] == [
        ((), [0, 1, 2]),
        ((), [3, 4, 5]),
        ((), [6]),
    ]


def test_an_invalid_row_travels_with_the_next_chunk() -> None:
    """It costs no chunk of its own while others are cut."""
    chunks = cut([row(0, "a"), invalid(1), row(2, "b"), row(3, "c")], chunk_size=2)
    assert [(len(chunk.rows), chunk.invalid) for chunk in chunks] == [(2, (invalid(1),)), (1, ())]


def test_flushing_again_gives_nothing() -> None:
    """What has left does not leave twice."""
    chunker = Chunker(chunk_size=3, max_bytes=100)
    chunker.feed(row(0, "a"))
    chunker.refuse(invalid(1))
    chunker.end()
    assert (len(list(chunker.due())), list(chunker.due())) == (1, [])


def test_a_body_is_a_json_array() -> None:
    """The rows' bytes stand in it as they are, in order."""
    rows = tuple(Row(position=n, keys=(), data=json.dumps({"n": n}).encode()) for n in range(3))
    assert (json.loads(body_of(rows)), body_of(())) == ([{"n": 0}, {"n": 1}, {"n": 2}], b"[]")


def test_a_row_shows_its_first_key_and_no_data() -> None:
    """What is shown of a row names it, and does not spill what it holds."""
    assert (row(0, "a", "b").key, row(0).key) == ("a", None)
    assert "111" not in repr(row(0, "a", n_bytes=9))
