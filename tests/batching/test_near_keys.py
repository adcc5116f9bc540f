"""Test which keys are near, beside a set for each chunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.batching.near_keys import ChunkKeys, NearKeys

DISTANCE = 3
names = st.integers(0, 30).map(lambda n: f"k{n:02}") | st.sampled_from(["k1", "a", "z"])
blocks = st.lists(names, max_size=5) | st.integers(0, 30).map(lambda n: [f"k{n:02}", f"k{n + 1:02}"])


@pytest.mark.slow
@given(st.lists(blocks | st.none(), max_size=40))
def test_a_key_is_near_while_its_chunk_is(steps: list[list[str] | None]) -> None:
    """Keys are added unless one repeats or is in the open chunk or in those just cut."""
    near, chunks = NearKeys(DISTANCE), [list[str]()]
    for keys in steps:
        if keys is None:
            assert [*near.open_chunk()] == chunks[-1]
            chunks.append([])
            continue
        held = {key for chunk in chunks[-DISTANCE:] for key in chunk}
        is_added = near.add_distinct(keys)
        assert is_added == (len({*keys} - held) == len(keys))
        if is_added:
            chunks[-1] += keys


@given(st.lists(st.lists(names, max_size=3) | st.none(), max_size=40), st.sets(names))
def test_keys_may_be_added_again(steps: list[list[str] | None], asked: set[str]) -> None:
    """A key that is added although it is near counts for the last chunk that has it."""
    near, chunks = NearKeys(DISTANCE), [list[str]()]
    for keys in steps:
        if keys is None:
            near.open_chunk()
            chunks.append([])
        else:
            near.add(keys)
            chunks[-1] += keys
    last = [n for n, chunk in enumerate(reversed(chunks[-DISTANCE:])) if not asked.isdisjoint(chunk)]
    assert near.has_any(sorted(asked)) == bool(last)
    assert near.n_chunks_to(sorted(asked)) == (DISTANCE - 1 - last[0] if last else 0)


def test_keys_of_a_chunk_are_a_set() -> None:
    """They have an order, and are compared like a set."""
    keys = ChunkKeys(["b", "a"])
    assert ([*keys], len(keys), "a" in keys, "c" in keys) == (["b", "a"], 2, True, False)
    assert ({*keys} == {"a", "b"}, keys.isdisjoint(ChunkKeys(["b"])), keys.isdisjoint({"c"})) == (True, False, True)
