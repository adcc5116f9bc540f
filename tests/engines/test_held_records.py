"""Test which records a copy holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_ids import id_of

from planhat_async.engines.held_records import HeldRecords, id_in
from planhat_async.errors import DecodeError

ROWS = st.dictionaries(st.integers(0, 40).map(id_of), st.binary(max_size=3))


def held(rows: dict[str, bytes]) -> HeldRecords:
    copy = HeldRecords()
    for id_, row in rows.items():
        copy.put(id_, row)
    return copy


@given(ROWS)
def test_a_packed_copy_is_the_same_copy(rows: dict[str, bytes]) -> None:
    """An empty one is an empty text."""
    copy = held(rows)
    assert HeldRecords.unpack(copy.pack()) == copy
    assert bool(copy.pack()) == bool(rows)
    assert copy.newest == max(rows, default=None)


@pytest.mark.slow
@given(ROWS, ROWS)
def test_a_record_is_news_if_it_is_new_or_another_version(before: dict[str, bytes], now: dict[str, bytes]) -> None:
    """After it was put, it is known."""
    copy = held(before)
    assert {id_ for id_, row in now.items() if copy.put(id_, row)} == {
        id_ for id_, row in now.items() if before.get(id_) != row
    }
    assert not [id_ for id_, row in now.items() if copy.put(id_, row)]


@given(ROWS, ROWS)
def test_missing_records_are_removed(before: dict[str, bytes], now: dict[str, bytes]) -> None:
    """Then the copy holds the others as they were."""
    copy = held(before)
    missing = copy.missing_from(now)
    assert sorted(missing) == sorted(before.keys() - now.keys())
    copy.remove(missing)
    assert copy == held({id_: row for id_, row in before.items() if id_ in now})


def test_a_large_copy_packs_small() -> None:
    """The text of a record has about 25 bytes."""
    rows = {f"{1_700_000_000 + number:08x}5d1c9a7be2{number:06x}": b"%d" % number for number in range(10_000)}
    assert len(held(rows).pack()) < 25 * len(rows)


def test_a_row_without_an_id_is_no_record() -> None:
    """Otherwise its deletion would never be noticed."""
    assert id_in(b'{"_id": "a"}') == "a"
    with pytest.raises(DecodeError, match="has no _id"):
        id_in(b'{"id": "a"}')
