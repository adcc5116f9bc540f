"""Test splitting a page's bytes into rows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import DecodeError
from planhat_async._convert import excerpt, row_ids, split_rows
from planhat_async._convert.pages import _split

JSON = st.recursive(
    st.none() | st.integers(-5, 5) | st.text(max_size=5) | st.sampled_from(['},{"_id":', "]", "\\"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["_id", "x", "a b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def split(*pieces: bytes, **options: int) -> list[bytes]:
    return [row for rows in split_rows(pieces, **options) for row in rows]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.lists(st.dictionaries(st.sampled_from(["_id", "x", "a b"]), JSON) | JSON, max_size=12),
    st.integers(1, 60),
    st.integers(1, 90),
)
def test_a_page_is_split_into_its_rows_for_any_pieces(rows: list[Any], piece_bytes: int, came: int) -> None:
    """Nested objects may begin like rows, and texts may contain what looks like the end of a row."""
    body = msgspec.json.encode(rows)
    assert split(body, piece_bytes=piece_bytes) == [msgspec.json.encode(row) for row in rows]
    pieces = [body[start : start + came] for start in range(0, len(body), came)]
    assert split(*pieces, piece_bytes=piece_bytes) == split(body)


def test_a_page_is_split_in_pieces() -> None:
    """Each piece is small, so that other tasks run in between."""
    rows = [{"_id": f"{n:024x}", "x": "y" * 900} for n in range(2000)]
    pieces = list(split_rows([msgspec.json.encode(rows)]))
    assert [row for piece in pieces for row in piece] == [msgspec.json.encode(row) for row in rows]
    assert max(sum(map(len, piece)) for piece in pieces) < 2 * (1 << 18)
    assert len(pieces) == 9


def test_a_row_of_many_objects_takes_few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong cut is detected, and the next attempt begins further on, with other tasks in between."""
    body = msgspec.json.encode(
        [{"_id": "a", "children": [{"_id": n, "children": 0} for n in range(99_999)]}, {"_id": "b"}]
    )
    tried: list[int] = []

    def split(array: bytes, *, repairs: bool) -> list[bytes]:
        tried.append(len(array))
        return _split(array, repairs=repairs)

    monkeypatch.setattr("planhat_async._convert.pages._split", split)
    pieces = list(split_rows([body]))
    assert [len(piece) for piece in pieces if piece] in ([2], [1, 1])
    assert len(tried) <= len(pieces) + 1
    assert len(tried) > 4
    assert sum(tried) < 8 * len(body)


@pytest.mark.parametrize("space", [b"", b" ", b"\n  "])
def test_rows_with_similar_nested_objects_are_split_in_pieces(space: bytes) -> None:
    """Rows may have white space between them; the second key distinguishes a row from a nested object."""
    children = [{"_id": f"{n:024x}", "title": "t" * 50} for n in range(25)]
    row = msgspec.json.format(
        msgspec.json.encode({"_id": "a" * 24, "mainType": "task", "children": children}), indent=0
    )
    body = b"[" + (b"," + space).join([row] * 1000) + b"]"
    pieces = list(split_rows([body]))
    assert [one for piece in pieces for one in piece] == [row] * 1000
    assert max(sum(map(len, piece)) for piece in pieces) < 2 * (1 << 18)


def test_tiny_rows_are_split_in_small_groups() -> None:
    """The number of rows a piece is limited."""
    pieces = list(split_rows([b"[" + b",".join([b"null"] * 10_000) + b"]"]))
    assert [len(piece) for piece in pieces] == [2000] * 5


def test_rows_keep_their_bytes() -> None:
    """Rows are not decoded, so their bytes do not change."""
    assert split(b' [ {"_id": "1", "x": 1.50} ,7, {} ] ') == [b'{"_id": "1", "x": 1.50}', b"7", b"{}"]


@pytest.mark.parametrize("piece_bytes", [20, 1 << 18])
def test_a_lone_surrogate_does_not_lose_a_page(piece_bytes: int) -> None:
    r"""JavaScript writes text that was cut inside an emoji, such as a snippet, as `"\ud83d"`."""
    body = rb'[{"_id":"1","snippet":"so happy \ud83d"},{"_id":"2","x":"\\ud83d"},{"_id":"3"}]'
    rows = [rb'{"_id":"1","snippet":"so happy \ufffd"}', rb'{"_id":"2","x":"\\ud83d"}', b'{"_id":"3"}']
    assert split(body, piece_bytes=piece_bytes) == rows


@pytest.mark.parametrize("body", [b"{}", b"", b"null", b"[1", b"<html>"])
def test_a_page_is_a_list(body: bytes) -> None:
    """Any other body, such as an object with a message, is an unreadable answer."""
    with pytest.raises(DecodeError, match=r"^the answer is not a list ") as caught:
        split(body)
    assert str(caught.value).endswith(f": {excerpt(body)!r}")


def test_a_truncated_large_page_is_unreadable() -> None:
    """The number of complete rows does not matter."""
    body = json.dumps([{"_id": n} for n in range(100)], separators=(",", ":")).encode()
    with pytest.raises(DecodeError, match=r"^the answer is not a list "):
        split(body[:-30], piece_bytes=50)


def test_each_row_has_its_id() -> None:
    """Any notation of an id works; a row without one gets the id of the row before it."""
    object_id = b"5f4e3d2c1b0a998877665544"
    rows = [
        b"7",
        b'{"_id":"%b"}' % object_id,
        b'{"x":1,"_id":"b"}',
        b"{}",
        b'{"_id":"short","x":"aaaaaaaaaaaa"}',
        b'{"sid":"%b","_id":"c"}' % object_id,
        b'{"_id":"a\\u0062"}',
    ]
    assert row_ids(rows) == [b"", object_id, b"b", b"b", b"short", b"c", b"ab"]
    assert row_ids(rows[:2], before=b"z") == [b"z", object_id]
