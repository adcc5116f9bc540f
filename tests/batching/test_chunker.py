"""Rows into chunks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, invalid, row, seeded, thoroughly

from planhat_async.batching.chunker import Chunker
from planhat_async.batching.chunks import Chunk, Key, Row, pieces_of
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
    chunker.end_input()
    return [*chunks, *chunker.due()]


def body_of(rows: tuple[Row, ...]) -> bytes:
    return b"".join(pieces_of(rows))


sizes = st.integers(1, 6)
bytes_for_any_row = st.integers(22, 60)
"""Room for the longest row of `inputs()` and its brackets."""


def keys_in(items: Iterable[Row | Problem]) -> set[Key]:
    return {key for item in items if isinstance(item, Row) for key in item.keys}


@pytest.mark.slow
@thoroughly
@given(inputs(), sizes, bytes_for_any_row)
def test_joined_chunks_are_the_input(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """The chunks hold every row exactly once."""
    sent = [one for chunk in cut(items, chunk_size, max_bytes) for one in chunk.rows]
    assert sorted(sent, key=lambda one: one.position) == [item for item in items if isinstance(item, Row)]


@pytest.mark.slow
@thoroughly
@given(inputs(), sizes, bytes_for_any_row)
def test_what_waits_is_bounded(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """By four chunks' worth of rows and by one of bytes, however often keys repeat."""
    chunker = Chunker(chunk_size=chunk_size, max_bytes=max_bytes)
    fed: set[int] = set()
    left: set[int] = set()
    for item in items:
        if isinstance(item, Row):
            chunker.feed(item)
            fed.add(item.position)
            left.update(one.position for chunk in chunker.due() for one in chunk.rows)
            inside = [one for one in items if isinstance(one, Row) and one.position in fed - left]
            # Four chunks' worth wait, and two chunks are open.
            assert len(inside) <= 6 * chunk_size
            assert sum(len(one.data) for one in inside) <= 3 * max_bytes


@pytest.mark.slow
@thoroughly
@given(st.lists(st.none() | st.sampled_from("abcdefghijkl"), max_size=60), sizes)
def test_keys_that_repeat_cost_few_calls_more(names: list[str | None], chunk_size: int) -> None:
    """As many as keyed rows fill, and as the most frequent key needs; and as keyless rows fill."""
    chunks = cut([row(n, *([name] if name else [])) for n, name in enumerate(names)], chunk_size)
    keyed = [name for name in names if name]
    most = max(Counter(keyed).values(), default=0)
    assert sum(chunk.is_keyed for chunk in chunks) <= -(-len(keyed) // chunk_size) + most
    assert sum(not chunk.is_keyed for chunk in chunks) == -(-names.count(None) // chunk_size)


@pytest.mark.slow
@thoroughly
@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=80), sizes)
def test_neighbours_share_no_key_unless_much_waits(names: list[str], chunk_size: int) -> None:
    """Before the end of the input, and while at most a chunk's worth waits."""
    chunker = Chunker(chunk_size=chunk_size, max_bytes=10**6)
    chunks: list[Chunk] = []
    for position, name in enumerate(names):
        chunker.feed(row(position, name))
        if chunker._n_waiting > chunk_size:
            return
        chunks += chunker.due()
    for n, chunk in enumerate(chunks):
        assert all(chunk.keys.isdisjoint(other.keys) for other in chunks[n + 1 : n + 5])


@pytest.mark.slow
@thoroughly
@given(inputs(), sizes, bytes_for_any_row)
def test_rows_of_one_key_keep_their_order(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """Whatever other keys they have; and keyless rows, which never wait, keep theirs."""
    sent = [one for chunk in cut(items, chunk_size, max_bytes) for one in chunk.rows]
    rows = [item for item in items if isinstance(item, Row)]
    for key in keys_in(rows):
        assert [one for one in sent if key in one.keys] == [one for one in rows if key in one.keys]
    assert [one for one in sent if not one.keys] == [one for one in rows if not one.keys]


@pytest.mark.slow
@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_no_chunk_is_too_large(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """No body holds more than `chunk_size` rows or `max_bytes` bytes."""
    for chunk in cut(items, chunk_size, max_bytes):
        assert len(chunk.rows) <= chunk_size
        assert len(body_of(chunk.rows)) <= max_bytes


@pytest.mark.slow
@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_a_chunk_has_its_body(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """Its rows joined, also of a chunk that only accounts for invalid ones."""
    for chunk in cut(items, chunk_size, max_bytes):
        assert chunk.body == body_of(chunk.rows)


@pytest.mark.slow
@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_no_chunk_is_empty(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """A chunk holds rows, or accounts for invalid ones."""
    assert all(chunk.rows or chunk.invalid for chunk in cut(items, chunk_size, max_bytes))


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_keyed_and_keyless_rows_are_kept_apart(items: list[Row | Problem], chunk_size: int) -> None:
    """Only a chunk whose rows all have a key says that it is keyed, and no other holds a row with one."""
    for chunk in cut(items, chunk_size):
        assert {bool(one.keys) for one in chunk.rows} <= {chunk.is_keyed}


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_no_key_comes_twice_in_a_chunk(items: list[Row | Problem], chunk_size: int) -> None:
    """A chunk's keys are all different, and it knows them."""
    for chunk in cut(items, chunk_size):
        keys = [key for one in chunk.rows for key in one.keys]
        assert (len(set(keys)), frozenset(keys)) == (len(keys), chunk.keys)


@pytest.mark.slow
@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_the_same_input_is_cut_the_same(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """How chunks are cut depends on the rows alone, so a rerun cuts the same."""
    assert cut(items, chunk_size, max_bytes) == cut(list(items), chunk_size, max_bytes)


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_invalid_rows_are_carried_by_exactly_one_chunk(items: list[Row | Problem], chunk_size: int) -> None:
    """Chunks add up to the input, in the order in which the invalid rows came."""
    carried = [problem for chunk in cut(items, chunk_size) for problem in chunk.invalid]
    assert carried == [item for item in items if isinstance(item, Problem)]


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_a_chunk_carries_few_invalid_rows(items: list[Row | Problem], chunk_size: int) -> None:
    """Invalid rows are handed out as they come, so that they do not pile up."""
    assert all(len(chunk.invalid) <= chunk_size for chunk in cut(items, chunk_size))


@pytest.mark.slow
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


def test_a_repeated_key_waits_for_another_chunk() -> None:
    """Planhat refuses a key that comes twice in one body; any key of a row counts, and others pass it."""
    rows = [row(0, "a"), row(1, "b"), row(2, "c", "a"), row(3, "b"), row(4, "d")]
    assert [[one.position for one in chunk.rows] for chunk in cut([*rows])] == [[0, 1, 4], [2, 3]]


def numbered(chunks: list[Chunk]) -> list[list[int]]:
    return [[one.position for one in chunk.rows] for chunk in chunks]


def test_a_key_comes_again_five_chunks_on() -> None:
    """So that five neighbours can be in flight together; the row that waited goes first."""
    names = ["a", "a", *(str(n) for n in range(12))]
    chunks = numbered(cut([row(n, name) for n, name in enumerate(names)], chunk_size=2))
    assert chunks == [[0, 2], [3, 4], [5, 6], [7, 8], [9, 10], [1, 11], [12, 13]]


def test_rows_behind_one_that_waits_wait_too() -> None:
    """Also for a key that only the waiting row has."""
    rows = [row(0, "a"), row(1, "a", "b"), row(2, "b"), row(3, "c")]
    assert numbered(cut([*rows], chunk_size=2)) == [[0, 3], [1], [2]]


def test_what_waits_leaves_early_where_there_is_much_of_it() -> None:
    """More than a chunk's worth needs no distance, and more than four make the open chunk leave."""
    chunker = Chunker(chunk_size=2, max_bytes=1000)
    n_cut = []
    for n in range(12):
        chunker.feed(row(n, "a"))
        n_cut.append(len(list(chunker.due())))
    assert n_cut == [0] * 9 + [1] * 3


def test_large_rows_that_wait_leave_early_too() -> None:
    """No more than `max_bytes` wait, and one row may let several chunks go."""
    chunker = Chunker(chunk_size=10, max_bytes=100)
    for n in range(10):
        chunker.feed(row(n, "a", n_bytes=10))
        assert list(chunker.due()) == []
    chunker.feed(row(10, "a", n_bytes=98))
    assert numbered(list(chunker.due())) == [[n] for n in range(9)]
    chunker.end_input()
    assert numbered(list(chunker.due())) == [[9], [10]]


def test_a_chunk_that_opens_full_takes_no_more() -> None:
    """Of rows that waited; also where nobody asks what is due meanwhile."""
    chunker = Chunker(chunk_size=1, max_bytes=1000)
    for n, name in enumerate("aabcdefg"):
        chunker.feed(row(n, name))
    chunker.end_input()
    assert numbered(list(chunker.due())) == [[0], [2], [3], [4], [5], [1], [6], [7]]


def test_due_may_be_left_at_any_point() -> None:
    """What was not handed out is handed out next time."""
    chunker = Chunker(chunk_size=1, max_bytes=100)
    for n in range(5):
        chunker.feed(row(n, str(n)))
    first = next(chunker.due())
    chunker.end_input()
    assert numbered([first, *chunker.due()]) == [[0], [1], [2], [3], [4]]
    assert not chunker.has_due


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
    chunker.end_input()
    assert (len(list(chunker.due())), list(chunker.due())) == (1, [])


def test_a_body_is_a_json_array() -> None:
    """The rows' bytes stand in it as they are, in order."""
    rows = tuple(Row(position=n, keys=(), data=json.dumps({"n": n}).encode()) for n in range(3))
    assert (json.loads(body_of(rows)), body_of(())) == ([{"n": 0}, {"n": 1}, {"n": 2}], b"[]")


@pytest.mark.slow
@seeded
@given(st.lists(st.integers(1, 300_000), max_size=12))
def test_a_body_is_joined_in_pieces(sizes: list[int]) -> None:
    """Of a quarter of a megabyte, or a row more: joining megabytes at once would hold the event loop."""
    rows = tuple(row(n, n_bytes=size) for n, size in enumerate(sizes))
    assert all(len(piece) <= 2**18 + 300_000 + 12 for piece in pieces_of(rows))
    assert body_of(rows) == b"[" + b",".join(one.data for one in rows) + b"]"


def test_a_row_shows_its_first_key_and_no_data() -> None:
    """What is shown of a row names it, and does not spill what it holds."""
    assert (row(0, "a", "b").key, row(0).key) == ("a", None)
    assert "111" not in repr(row(0, "a", n_bytes=9))
