"""Strategies for rows, chunks and answers, used by the tests of batching."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from planhat_async.batching.chunks import Chunk, Row, pieces_of
from planhat_async.results import Outcome, Problem

seeded = settings(derandomize=True, deadline=None, max_examples=200)
"""Runs the same examples every time, however slow the machine is."""

thoroughly = settings(seeded, max_examples=300)
"""The profile for code that everything else depends on."""


def row(position: int, *source_ids: str, n_bytes: int = 4) -> Row:
    """Return a row with these source ids; a row without any is keyless."""
    keys = tuple(f"sourceId={source_id}" for source_id in source_ids)
    return Row(position, keys, b"1" * n_bytes)


def invalid(position: int) -> Problem:
    """Return a row that must not be sent."""
    return Problem(outcome=Outcome.INVALID, reason="wrong", position=position)


def chunk_of(*rows: Row, problems: tuple[Problem, ...] = ()) -> Chunk:
    """Return a chunk of these rows, without any check."""
    keys = frozenset(key for one in rows for key in one.keys)
    return Chunk(number=0, rows=rows, keys=keys, body=b"".join(pieces_of(rows)), invalid=problems)


def inputs(max_bytes: int = 20) -> st.SearchStrategy[list[Row | Problem]]:
    """Generate an upsert's input: few keys, so that keys repeat, and some invalid rows."""
    names = st.lists(st.sampled_from("abcdef"), max_size=2, unique=True).map(tuple)
    drawn = st.none() | st.tuples(names, st.integers(1, max_bytes))
    return st.lists(drawn, max_size=40).map(
        lambda items: [
            invalid(position) if item is None else row(position, *item[0], n_bytes=item[1])
            for position, item in enumerate(items)
        ]
    )


json_scalars = st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
json_values: st.SearchStrategy[Any] = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

_named = st.dictionaries(
    st.sampled_from(["_id", "sourceId", "externalId", "el", "error", "message", "reason"]),
    st.sampled_from(["a", "b", "c", "zzz"]) | json_values,
    max_size=3,
)
_errors = json_values | st.lists(_named | json_values, max_size=6)
_counts = st.integers(-2, 8) | json_values
_items = json_values | st.lists(_named, max_size=4)

bulk_answers: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "created": _counts,
        "updated": _counts,
        "nonupdates": _counts,
        "createdErrors": _errors,
        "validationErrors": _errors,
        "strangeErrors": _errors,
        "insertsKeys": _items,
        "updatesKeys": _items,
        "modified": json_values,
        "upsertedIds": _items,
        "error": json_values,
    },
)
"""Almost valid answers to a bulk upsert."""
