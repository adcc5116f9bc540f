"""Test how rows are cut into chunks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, invalid, row, seeded, thoroughly

from planhat_async.batching.chunker import Chunker
from planhat_async.batching.chunks import Chunk, Key, Row, Rows, pieces_of
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


def body_of(rows: Rows) -> bytes:
    return b"".join(pieces_of(rows))


sizes = st.integers(1, 6)
bytes_for_any_row = st.integers(22, 60)
"""Enough bytes for the longest row of `inputs()` and its brackets."""


def keys_in(items: Iterable[Row | Problem]) -> set[Key]:
    return {key for item in items if isinstance(item, Row) for key in item.keys}


@pytest.mark.slow
@thoroughly
@given(inputs(), sizes, bytes_for_any_row)
def test_chunks_add_up_to_the_input(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """The chunks hold every row exactly once."""
    sent = [one for chunk in cut(items, chunk_size, max_bytes) for one in chunk.rows]
    assert sorted(sent, key=lambda one: one.position) == [item for item in items if isinstance(item, Row)]


@pytest.mark.slow
@thoroughly
@given(inputs(), sizes, bytes_for_any_row)
def test_waiting_rows_are_bounded(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """At most four chunks' worth of rows and one of bytes wait, however often keys repeat."""
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
def test_repeated_keys_cost_few_extra_calls(names: list[str | None], chunk_size: int) -> None:
    """The calls are as many as the keyed and keyless rows fill, or as the most frequent key needs."""
    chunks = cut([row(n, *([name] if name else [])) for n, name in enumerate(names)], chunk_size)
    keyed = [name for name in names if name]
    most = max(Counter(keyed).values(), default=0)
    assert sum(chunk.is_keyed for chunk in chunks) <= -(-len(keyed) // chunk_size) + most
    assert sum(not chunk.is_keyed for chunk in chunks) == -(-names.count(None) // chunk_size)


@pytest.mark.slow
@thoroughly
@given(st.lists(st.sampled_from([None, *"abcdefghijkl"]), max_size=80), sizes)
def test_chunks_know_which_others_share_a_key(names: list[str | None], chunk_size: int) -> None:
    """What a chunk knows of those cut before it is what their keys say."""
    chunks = cut([row(position, *([name] if name else [])) for position, name in enumerate(names)], chunk_size)
    for n, chunk in enumerate(chunks):
        for other in chunks[:n]:
            assert chunk.shares_key_with(other) == (not chunk.keys.isdisjoint(other.keys))


@pytest.mark.slow
@thoroughly
@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=80), sizes)
def test_neighbours_share_no_key_unless_many_rows_wait(names: list[str], chunk_size: int) -> None:
    """This holds before the end of the input, and while at most a chunk's worth of rows waits."""
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
    """Their other keys do not matter; keyless rows, which never wait, keep their order too."""
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
    """The body joins the rows, also for a chunk of invalid rows only."""
    for chunk in cut(items, chunk_size, max_bytes):
        assert chunk.body == body_of(chunk.rows)


@pytest.mark.slow
@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_no_chunk_is_empty(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """A chunk holds valid or invalid rows."""
    assert all(chunk.rows or chunk.invalid for chunk in cut(items, chunk_size, max_bytes))


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_keyed_and_keyless_rows_are_in_different_chunks(items: list[Row | Problem], chunk_size: int) -> None:
    """A chunk is keyed exactly if all its rows have a key; no other chunk holds a keyed row."""
    for chunk in cut(items, chunk_size):
        assert {bool(one.keys) for one in chunk.rows} <= {chunk.is_keyed}


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_no_key_occurs_twice_in_a_chunk(items: list[Row | Problem], chunk_size: int) -> None:
    """A chunk's keys are all different, and the chunk lists them."""
    for chunk in cut(items, chunk_size):
        keys = [key for one in chunk.rows for key in one.keys]
        assert (len(set(keys)), frozenset(keys)) == (len(keys), chunk.keys)


@pytest.mark.slow
@seeded
@given(inputs(), sizes, bytes_for_any_row)
def test_the_same_input_is_cut_the_same(items: list[Row | Problem], chunk_size: int, max_bytes: int) -> None:
    """The cut depends on the rows alone, so a rerun produces the same chunks."""
    assert cut(items, chunk_size, max_bytes) == cut(list(items), chunk_size, max_bytes)


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_each_invalid_row_is_in_exactly_one_chunk(items: list[Row | Problem], chunk_size: int) -> None:
    """The chunks hold all invalid rows in the order of the input."""
    carried = [problem for chunk in cut(items, chunk_size) for problem in chunk.invalid]
    assert carried == [item for item in items if isinstance(item, Problem)]


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_a_chunk_holds_few_invalid_rows(items: list[Row | Problem], chunk_size: int) -> None:
    """Invalid rows are yielded as they come and do not accumulate."""
    assert all(len(chunk.invalid) <= chunk_size for chunk in cut(items, chunk_size))


@pytest.mark.slow
@seeded
@given(inputs(), sizes)
def test_chunks_are_numbered_in_the_order_of_the_cut(items: list[Row | Problem], chunk_size: int) -> None:
    """The numbers count from 0 without gaps."""
    chunks = cut(items, chunk_size)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))


@pytest.mark.parametrize(
    ("n_rows", "lengths"), [(0, []), (1, [1]), (2, [2]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
@pytest.mark.parametrize("is_keyed", [True, False])
def test_all_chunks_but_the_last_are_full(n_rows: int, lengths: list[int], *, is_keyed: bool) -> None:
    """Rows without common keys fill chunks of `chunk_size`."""
    items: list[Row | Problem] = [row(n, str(n)) if is_keyed else row(n) for n in range(n_rows)]
    assert [len(chunk.rows) for chunk in cut(items, chunk_size=3)] == lengths


@pytest.mark.parametrize(("n_bytes", "lengths"), [(7, [2]), (8, [1, 1])])
def test_one_byte_too_many_opens_the_next_chunk(n_bytes: int, lengths: list[int]) -> None:
    """Two rows, the brackets and the comma fit within `max_bytes`."""
    chunks = cut([row(0, "a", n_bytes=6), row(1, "b", n_bytes=n_bytes)], max_bytes=16)
    assert [len(chunk.rows) for chunk in chunks] == lengths


def test_a_row_nearly_as_large_as_a_body_has_a_chunk_of_its_own() -> None:
    """No other row fits beside it."""
    rows = [row(0, n_bytes=4), row(1, n_bytes=17), row(2, n_bytes=4)]
    assert [chunk.rows for chunk in cut([*rows], max_bytes=20)] == [(one,) for one in rows]


@pytest.mark.parametrize("n_bytes", [18, 19])
def test_a_row_as_large_as_a_body_causes_no_empty_chunk(n_bytes: int) -> None:
    """A row that fills or exceeds `max_bytes` by itself opens no empty chunk."""
    chunks = cut([row(0, n_bytes=n_bytes), row(1, n_bytes=4)], max_bytes=20)
    assert all(chunk.rows or chunk.invalid for chunk in chunks)


def test_a_row_larger_than_a_body_is_not_sent() -> None:
    """A row larger than any body is invalid; the rows beside it are sent."""
    chunks = cut([row(0, "a"), row(1, "b", n_bytes=19), row(2, "c")], max_bytes=20)
    assert [one.position for chunk in chunks for one in chunk.rows] == [0, 2]
    assert [problem.position for chunk in chunks for problem in chunk.invalid] == [1]


def test_a_repeated_key_waits_for_another_chunk() -> None:
    """Planhat refuses a key that occurs twice in one body; any key of a row counts, and other rows overtake it."""
    rows = [row(0, "a"), row(1, "b"), row(2, "c", "a"), row(3, "b"), row(4, "d")]
    assert [[one.position for one in chunk.rows] for chunk in cut([*rows])] == [[0, 1, 4], [2, 3]]


def numbered(chunks: list[Chunk]) -> list[list[int]]:
    return [[one.position for one in chunk.rows] for chunk in chunks]


def test_a_key_occurs_again_five_chunks_later() -> None:
    """Five neighbouring chunks can be in flight together; the waiting row goes first."""
    names = ["a", "a", *(str(n) for n in range(12))]
    chunks = numbered(cut([row(n, name) for n, name in enumerate(names)], chunk_size=2))
    assert chunks == [[0, 2], [3, 4], [5, 6], [7, 8], [9, 10], [1, 11], [12, 13]]


def test_rows_that_share_a_key_with_a_waiting_row_wait_too() -> None:
    """This holds for a key that only the waiting row has, too."""
    rows = [row(0, "a"), row(1, "a", "b"), row(2, "b"), row(3, "c")]
    assert numbered(cut([*rows], chunk_size=2)) == [[0, 3], [1], [2]]


def test_waiting_rows_are_cut_early_if_there_are_many() -> None:
    """More than a chunk's worth needs no distance; more than four chunks' worth close the open chunk."""
    chunker = Chunker(chunk_size=2, max_bytes=1000)
    n_cut = []
    for n in range(12):
        chunker.feed(row(n, "a"))
        n_cut.append(len(list(chunker.due())))
    assert n_cut == [0] * 9 + [1] * 3


def test_large_waiting_rows_are_cut_early_too() -> None:
    """At most `max_bytes` wait, and one row may complete several chunks."""
    chunker = Chunker(chunk_size=10, max_bytes=100)
    for n in range(10):
        chunker.feed(row(n, "a", n_bytes=10))
        assert list(chunker.due()) == []
    chunker.feed(row(10, "a", n_bytes=98))
    assert numbered(list(chunker.due())) == [[n] for n in range(9)]
    chunker.end_input()
    assert numbered(list(chunker.due())) == [[9], [10]]


def test_a_chunk_that_opens_full_takes_no_more() -> None:
    """The chunk is full of waiting rows, even if `due()` is not called in between."""
    chunker = Chunker(chunk_size=1, max_bytes=1000)
    for n, name in enumerate("aabcdefg"):
        chunker.feed(row(n, name))
    chunker.end_input()
    assert numbered(list(chunker.due())) == [[0], [2], [3], [4], [5], [1], [6], [7]]


def test_due_may_be_stopped_at_any_point() -> None:
    """The next call yields the remaining chunks."""
    chunker = Chunker(chunk_size=1, max_bytes=100)
    for n in range(5):
        chunker.feed(row(n, str(n)))
    first = next(chunker.due())
    chunker.end_input()
    assert numbered([first, *chunker.due()]) == [[0], [1], [2], [3], [4]]
    assert not chunker.has_due


def test_keys_of_different_names_and_equal_values_differ() -> None:
    """An `_id` and a `sourceId` of the same text are two keys."""
    rows = (Row(position=0, keys=("_id=a",), data=b"1"), row(1, "a"))
    assert [chunk.rows for chunk in cut([*rows])] == [rows]


def test_invalid_rows_alone_have_chunks_of_their_own() -> None:
    """An input without valid rows is yielded in several chunks as well."""
    problems = [invalid(position) for position in range(7)]
    chunks = cut([*problems], chunk_size=3)
    assert [(chunk.rows, [p.position for p in chunk.invalid]) for chunk in chunks] == [
        ((), [0, 1, 2]),
        ((), [3, 4, 5]),
        ((), [6]),
    ]


def test_an_invalid_row_joins_the_next_chunk() -> None:
    """It needs no chunk of its own while others are cut."""
    chunks = cut([row(0, "a"), invalid(1), row(2, "b"), row(3, "c")], chunk_size=2)
    assert [(len(chunk.rows), chunk.invalid) for chunk in chunks] == [(2, (invalid(1),)), (1, ())]


def test_flushing_again_yields_nothing() -> None:
    """No chunk is yielded twice."""
    chunker = Chunker(chunk_size=3, max_bytes=100)
    chunker.feed(row(0, "a"))
    chunker.refuse(invalid(1))
    chunker.end_input()
    assert (len(list(chunker.due())), list(chunker.due())) == (1, [])


def test_a_body_is_a_json_array() -> None:
    """It holds the rows' bytes unchanged and in order."""
    rows = tuple(Row(position=n, keys=(), data=json.dumps({"n": n}).encode()) for n in range(3))
    assert (json.loads(body_of(rows)), body_of(())) == ([{"n": 0}, {"n": 1}, {"n": 2}], b"[]")


@pytest.mark.slow
@seeded
@given(st.lists(st.integers(1, 300_000), max_size=12))
def test_a_body_is_joined_in_pieces(sizes: list[int]) -> None:
    """A piece is a quarter of a megabyte, or one row more: joining megabytes at once would block the event loop."""
    rows = tuple(row(n, n_bytes=size) for n, size in enumerate(sizes))
    assert all(len(piece) <= 2**18 + 300_000 + 12 for piece in pieces_of(rows))
    assert body_of(rows) == b"[" + b",".join(one.data for one in rows) + b"]"


def test_a_row_shows_its_first_key_and_no_data() -> None:
    """The repr of a row names its key and hides its contents."""
    assert (row(0, "a", "b").key, row(0).key) == ("a", None)
    assert "111" not in repr(row(0, "a", n_bytes=9))
